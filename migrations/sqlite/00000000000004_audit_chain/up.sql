-- The rows of a space's trail in the order in which they were sealed, some at a time. Each row's hash covers the row and
-- the hash before it; `hash` is that of the last one, `marks` holds the first 8 bytes of each, so that the first row
-- that does not fit can be named. `numbers` are the rows' numbers, `entities` and `clients` the sorted hashes (4 bytes) of
-- the ids and clients in them, by which a search passes blocks over. `previous` is the hash before the first row,
-- `sealed_before` how many rows came before it. `cut`: the rows were removed by retention, and this signs it.
CREATE TABLE audit_seal (
    space         BIGINT NOT NULL,
    block         BIGINT NOT NULL,
    sealed_before BIGINT NOT NULL,
    size          BIGINT NOT NULL,
    low           BIGINT NOT NULL,
    high          BIGINT NOT NULL,
    earliest      BIGINT NOT NULL,
    latest        BIGINT NOT NULL,
    settled       BIGINT NOT NULL,
    time          BIGINT NOT NULL,
    previous      BLOB   NOT NULL,
    hash          BLOB   NOT NULL,
    digest        BLOB   NOT NULL,
    key_id        TEXT   NOT NULL,
    signature     BLOB   NOT NULL,
    cut           BLOB   NOT NULL DEFAULT x'',
    clients       BLOB   NOT NULL,
    entities      BLOB   NOT NULL,
    numbers       BLOB   NOT NULL,
    marks         BLOB   NOT NULL,
    PRIMARY KEY (space, block)
);
-- What was sealed above a number: a sealer that begins asks for it.
CREATE INDEX audit_seal_by_high ON audit_seal (space, high);
-- It has never been written.
ALTER TABLE audit DROP COLUMN chain;
