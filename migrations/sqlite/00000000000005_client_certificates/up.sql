-- By which certificates clients are known. What may be anything (alternative name, issuer) is empty.
CREATE TABLE client_certificate (
    space       BIGINT NOT NULL,
    client      TEXT NOT NULL,
    common_name TEXT NOT NULL,
    unit        TEXT NOT NULL,
    alternative TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    PRIMARY KEY (space, client, common_name, unit, alternative, issuer)
) WITHOUT ROWID;
