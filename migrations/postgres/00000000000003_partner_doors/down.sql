ALTER TABLE erasure DROP COLUMN digest, DROP COLUMN medicapp_id, DROP COLUMN request_id;
DROP TABLE medicapp_record;
CREATE TABLE medicapp_record (
    space   BIGINT NOT NULL,
    row     BIGINT NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE INDEX medicapp_record_by_row ON medicapp_record (space, row, created);
DROP INDEX resource_by_creation;
ALTER TABLE resource_version DROP COLUMN updated_by;
ALTER TABLE resource
    DROP COLUMN replaced,
    DROP COLUMN medicapp_id,
    DROP COLUMN updated_by,
    DROP COLUMN created_by,
    DROP COLUMN created;
