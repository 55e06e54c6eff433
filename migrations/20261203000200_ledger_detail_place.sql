-- Ledger: the record of disclosures of a whole school is found from the index of details alone. For each of its entries, one of twenty thousand, the row of the
-- entry was looked up for no more than its time and its terms. Details written before bear neither; of them the entry is looked up as before.
SET ROLE throughline_owner;
ALTER TABLE ledger.detail
    ADD COLUMN decided_at timestamptz,
    ADD COLUMN terms_id bytea CHECK (octet_length(terms_id) = 32),
    ADD CHECK ((decided_at IS NULL) = (terms_id IS NULL));
COMMENT ON COLUMN ledger.detail.decided_at IS
    'As in ledger.entry, for the index; verification holds the two against each other. Absent in details of an earlier release.';
COMMENT ON COLUMN ledger.detail.terms_id IS 'As in ledger.entry, for the index; absent where decided_at is.';
CREATE INDEX detail_place ON ledger.detail (student_id, decided_at, entry_id) INCLUDE (terms_id) WHERE student_id IS NOT NULL;
DROP INDEX ledger.detail_student;
RESET ROLE;
