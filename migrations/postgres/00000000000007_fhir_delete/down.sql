ALTER TABLE space DROP COLUMN fhir_delete;
