-- By which certificates clients are known. What may be anything (alternative name, issuer) is empty.
CREATE TABLE client_certificate (
    space       BIGINT NOT NULL,
    client      TEXT COLLATE "C" NOT NULL,
    common_name TEXT COLLATE "C" NOT NULL,
    unit        TEXT COLLATE "C" NOT NULL,
    alternative TEXT COLLATE "C" NOT NULL,
    issuer      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (space, client, common_name, unit, alternative, issuer)
);
