-- What the operator sets. These tables serve every space, so their `space` is 0. Lists are lines of text.
CREATE TABLE space (
    space   BIGINT  NOT NULL,
    number  BIGINT  NOT NULL,
    name    TEXT NOT NULL,
    sandbox BOOLEAN NOT NULL,
    PRIMARY KEY (space, number),
    UNIQUE (space, name)
);

CREATE TABLE binding (
    space  BIGINT NOT NULL,
    door   TEXT   NOT NULL,
    word   TEXT   NOT NULL,
    target TEXT   NOT NULL,
    PRIMARY KEY (space, door, word)
) WITHOUT ROWID;

CREATE TABLE client (
    space      BIGINT  NOT NULL,
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    spaces     TEXT    NOT NULL,
    doors      TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,
    policy     TEXT,
    attributes TEXT    NOT NULL,
    enabled    BOOLEAN NOT NULL,
    PRIMARY KEY (space, id)
) WITHOUT ROWID;

CREATE TABLE client_key (
    space   BIGINT  NOT NULL,
    prefix  TEXT    NOT NULL,
    client  TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    created BIGINT  NOT NULL,
    expires BIGINT,
    revoked BOOLEAN NOT NULL,
    PRIMARY KEY (space, prefix)
) WITHOUT ROWID;

CREATE TABLE key_system (
    space       BIGINT   NOT NULL,
    kind        SMALLINT NOT NULL,
    system      TEXT     NOT NULL,
    active_only BOOLEAN  NOT NULL,
    type_code   TEXT     NOT NULL,
    PRIMARY KEY (space, kind, system, type_code)
) WITHOUT ROWID;

CREATE TABLE setting (
    space BIGINT NOT NULL,
    name  TEXT   NOT NULL,
    value TEXT   NOT NULL,
    PRIMARY KEY (space, name)
) WITHOUT ROWID;
INSERT INTO setting (space, name, value) VALUES (0, 'generation', '1');
