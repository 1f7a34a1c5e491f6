-- When a client stops being let in, microseconds since the epoch; NULL: never (access.md 2).
ALTER TABLE client ADD COLUMN expires BIGINT;
