-- What the operator sets. These tables serve every space, so their `space` is 0. Lists are lines of text.
CREATE TABLE space (
    space   BIGINT  NOT NULL,
    number  BIGINT  NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    sandbox BOOLEAN NOT NULL,
    PRIMARY KEY (space, number),
    UNIQUE (space, name)
);

CREATE TABLE binding (
    space  BIGINT NOT NULL,
    door   TEXT COLLATE "C" NOT NULL,
    word   TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (space, door, word)
);

CREATE TABLE client (
    space      BIGINT  NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    spaces     TEXT    NOT NULL,
    doors      TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,
    policy     TEXT,
    attributes TEXT    NOT NULL,
    enabled    BOOLEAN NOT NULL,
    PRIMARY KEY (space, id)
);

CREATE TABLE client_key (
    space   BIGINT  NOT NULL,
    prefix  TEXT COLLATE "C" NOT NULL,
    client  TEXT COLLATE "C" NOT NULL,
    hash    BYTEA NOT NULL,
    created BIGINT  NOT NULL,
    expires BIGINT,
    revoked BOOLEAN NOT NULL,
    PRIMARY KEY (space, prefix)
);

CREATE TABLE key_system (
    space       BIGINT   NOT NULL,
    kind        SMALLINT NOT NULL,
    system      TEXT COLLATE "C" NOT NULL,
    active_only BOOLEAN  NOT NULL,
    type_code   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (space, kind, system, type_code)
);

CREATE TABLE setting (
    space BIGINT NOT NULL,
    name  TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (space, name)
);
INSERT INTO setting (space, name, value) VALUES (0, 'generation', '1');
