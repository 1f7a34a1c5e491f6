ALTER TABLE erasure DROP COLUMN digest;
ALTER TABLE erasure DROP COLUMN medicapp_id;
ALTER TABLE erasure DROP COLUMN request_id;
DROP TABLE medicapp_record;
CREATE TABLE medicapp_record (
    space   BIGINT NOT NULL,
    row     BIGINT NOT NULL,
    id      TEXT   NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE INDEX medicapp_record_by_row ON medicapp_record (space, row, created);
DROP INDEX resource_by_creation;
ALTER TABLE resource_version DROP COLUMN updated_by;
ALTER TABLE resource DROP COLUMN replaced;
ALTER TABLE resource DROP COLUMN medicapp_id;
ALTER TABLE resource DROP COLUMN updated_by;
ALTER TABLE resource DROP COLUMN created_by;
ALTER TABLE resource DROP COLUMN created;
