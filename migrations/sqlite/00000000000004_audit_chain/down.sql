ALTER TABLE audit ADD COLUMN chain BLOB;
DROP TABLE audit_seal;
