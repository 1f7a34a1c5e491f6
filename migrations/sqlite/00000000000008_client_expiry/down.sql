ALTER TABLE client DROP COLUMN expires;
