-- Ledger: the notes by which one signing key of the log hands over to the next; and finding entries by their run.
SET ROLE throughline_owner;
CREATE TABLE ledger.key_change (
    number integer PRIMARY KEY CHECK (number > 0),
    note text NOT NULL,
    made_at timestamptz NOT NULL
);
COMMENT ON TABLE ledger.key_change IS 'Changes of the log''s signing key, each a note that the old key and the new one signed. Published beside the tiles.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.key_change
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON ledger.key_change TO throughline_ledger, throughline_steward;
GRANT INSERT ON ledger.key_change TO throughline_ledger;
CREATE INDEX entry_of_run ON ledger.entry (run_id, decided_at, entry_id) WHERE run_id IS NOT NULL;
RESET ROLE;
