-- What the partner doors show and FHIR does not: when and by whom a resource was created and last written (the author
-- is a UUID: a user's, or one made of the client's id), and the id that the Medicapp doors show when the resource
-- does not carry one itself. replaced: a link says that another resource took this one's place.
ALTER TABLE resource
    ADD COLUMN created BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN created_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN updated_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN medicapp_id TEXT COLLATE "C",
    ADD COLUMN replaced BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE resource_version ADD COLUMN updated_by TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE resource SET created = coalesce(
    (SELECT v.updated FROM resource_version AS v WHERE v.space = resource.space AND v.row = resource.row AND v.version = 1),
    updated);
UPDATE resource SET replaced = TRUE WHERE body LIKE '%"replaced-by"%' AND EXISTS (
    SELECT 1 FROM json_array_elements(body::json -> 'link') AS link WHERE link ->> 'type' = 'replaced-by');
-- The order of a partner's list. Holds all that is counted, so that a page far behind costs no bodies.
CREATE INDEX resource_by_creation ON resource (space, kind, created, id, replaced, row) WHERE NOT deleted;

-- A partner's records (dossiers) of a patient. No row has been written so far: nothing could.
DROP TABLE medicapp_record;
CREATE TABLE medicapp_record (
    space   BIGINT NOT NULL,
    row     BIGINT NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    status  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE INDEX medicapp_record_by_row ON medicapp_record (space, row, created, id);
CREATE INDEX medicapp_record_by_time ON medicapp_record (space, created, row);

-- What is kept of an erased person: the id that partners knew, and a keyed digest of the last version.
ALTER TABLE erasure
    ADD COLUMN request_id TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN medicapp_id TEXT COLLATE "C",
    ADD COLUMN digest BYTEA NOT NULL DEFAULT '';
