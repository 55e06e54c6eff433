-- Receipts count by type of record; the receipt of bytes that come again is made from what is stored.

SET ROLE throughline_owner;

ALTER TABLE intake.batch ADD COLUMN record_types jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN intake.batch.record_types IS 'The same counts for each type of record, by its name in the source; empty for batches from before they were counted so.';

RESET ROLE;
