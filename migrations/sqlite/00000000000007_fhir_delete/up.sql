-- What a DELETE at the FHIR door does in a space: keep the history, or erase (access.md 4).
ALTER TABLE space ADD COLUMN fhir_delete TEXT NOT NULL DEFAULT 'keep' CHECK (fhir_delete IN ('keep', 'erase'));
