-- Text that is compared is compared byte by byte (COLLATE "C"), as SQLite does.
-- Times are microseconds since the epoch. kind: 1 Patient, 2 Practitioner. class: 0 ordinary, 1 account.
-- policy: 1 key system, 2 account. state: 0 retired, 1 held, 2 owning.
-- `row` is an address inside this database and never leaves the server; everything else starts with the space.
CREATE TABLE resource (
    space   BIGINT   NOT NULL,
    row     BIGINT   GENERATED ALWAYS AS IDENTITY,
    kind    SMALLINT NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    version BIGINT   NOT NULL,
    updated BIGINT   NOT NULL,
    deleted BOOLEAN  NOT NULL,
    class   SMALLINT NOT NULL,
    digest  BYTEA NOT NULL,
    body    TEXT     NOT NULL,
    PRIMARY KEY (space, row),
    UNIQUE (space, kind, id)
);
CREATE INDEX resource_by_time ON resource (space, kind, updated, row);
-- The rows of a type in order, without touching the bodies.
CREATE INDEX resource_live ON resource (space, kind, row, class) WHERE NOT deleted;

-- Superseded versions only: the current one lies in `resource`. A deletion has an empty body.
CREATE TABLE resource_version (
    space   BIGINT   NOT NULL,
    row     BIGINT   NOT NULL,
    version BIGINT   NOT NULL,
    kind    SMALLINT NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    updated BIGINT   NOT NULL,
    deleted BOOLEAN  NOT NULL,
    class   SMALLINT NOT NULL,
    digest  BYTEA NOT NULL,
    body    TEXT     NOT NULL,
    PRIMARY KEY (space, row, version)
);
CREATE INDEX resource_version_by_time ON resource_version (space, kind, updated, row);

CREATE TABLE identifier_key (
    space  BIGINT   NOT NULL,
    kind   SMALLINT NOT NULL,
    policy SMALLINT NOT NULL,
    system TEXT COLLATE "C" NOT NULL,
    value  TEXT COLLATE "C" NOT NULL,
    row    BIGINT   NOT NULL,
    state  SMALLINT NOT NULL,
    PRIMARY KEY (space, row, policy, system, value)
);
-- The rule itself: an identifier has at most one owner.
CREATE UNIQUE INDEX identifier_key_owner ON identifier_key (space, kind, policy, system, value) WHERE state = 2;
-- Those who carry or carried it without owning it.
CREATE INDEX identifier_key_other ON identifier_key (space, kind, policy, system, value, state, row) WHERE state <> 2;

-- Clustered by resource: appended to on insertion, and probed by row from a search.
CREATE TABLE index_token (
    space  BIGINT   NOT NULL,
    row    BIGINT   NOT NULL,
    param  SMALLINT NOT NULL,
    system TEXT COLLATE "C" NOT NULL,
    code   TEXT COLLATE "C" NOT NULL,
    kind   SMALLINT NOT NULL,
    PRIMARY KEY (space, row, param, system, code)
);
CREATE INDEX index_token_by_code ON index_token (space, kind, param, code, system, row);
-- `identifier=system|` (parameter 1). Written so that no other condition can use it: it holds every identifier of a
-- system, and a planner without statistics would take it for the better one.
CREATE INDEX index_token_by_system ON index_token (space, kind, (system || ''), row)
    WHERE param = 1 AND system || '' <> '';

CREATE TABLE index_string (
    space  BIGINT   NOT NULL,
    row    BIGINT   NOT NULL,
    param  SMALLINT NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    exact  TEXT COLLATE "C" NOT NULL,
    kind   SMALLINT NOT NULL,
    PRIMARY KEY (space, row, param, folded, exact)
);
CREATE INDEX index_string_by_text ON index_string (space, kind, param, folded, row);

CREATE TABLE index_date (
    space BIGINT   NOT NULL,
    row   BIGINT   NOT NULL,
    param SMALLINT NOT NULL,
    low   BIGINT   NOT NULL,
    high  BIGINT   NOT NULL,
    kind  SMALLINT NOT NULL,
    PRIMARY KEY (space, row, param, low, high)
);
CREATE INDEX index_date_by_range ON index_date (space, kind, param, low, high, row);

CREATE TABLE index_reference (
    space    BIGINT   NOT NULL,
    row      BIGINT   NOT NULL,
    param    SMALLINT NOT NULL,
    ref_kind TEXT COLLATE "C" NOT NULL,
    target   TEXT COLLATE "C" NOT NULL,
    system   TEXT COLLATE "C" NOT NULL,
    value    TEXT COLLATE "C" NOT NULL,
    kind     SMALLINT NOT NULL,
    PRIMARY KEY (space, row, param, ref_kind, target, system, value)
);
CREATE INDEX index_reference_by_target ON index_reference (space, kind, param, target, ref_kind, row);
CREATE INDEX index_reference_by_value ON index_reference (space, kind, param, value, system, row) WHERE value <> '';

-- space 0: refused before a space was known. `chain` is for the hash of the row and its predecessor.
CREATE TABLE audit (
    space       BIGINT NOT NULL,
    seq         BIGINT GENERATED ALWAYS AS IDENTITY,
    time        BIGINT NOT NULL,
    request_id  TEXT   NOT NULL,
    client      TEXT COLLATE "C" NOT NULL,
    door        TEXT COLLATE "C" NOT NULL,
    interaction TEXT   NOT NULL,
    kind        SMALLINT,
    id          TEXT COLLATE "C",
    version     BIGINT,
    outcome     TEXT   NOT NULL,
    chain       BYTEA,
    PRIMARY KEY (space, seq)
);

CREATE TABLE erasure (
    space  BIGINT   NOT NULL,
    kind   SMALLINT NOT NULL,
    id     TEXT COLLATE "C" NOT NULL,
    time   BIGINT   NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (space, kind, id)
);

CREATE TABLE medicapp_record (
    space   BIGINT NOT NULL,
    row     BIGINT NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (space, id)
);
CREATE INDEX medicapp_record_by_row ON medicapp_record (space, row, created);
