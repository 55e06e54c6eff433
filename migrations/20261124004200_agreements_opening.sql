-- Agreements: records that a court order or a declared emergency opened outside the routine: each waits for a steward's review, whatever became of it.
SET ROLE throughline_owner;
CREATE TABLE agreements.opening (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    opened_by text NOT NULL CHECK (opened_by <> ''),
    opened_at timestamptz NOT NULL,
    reviewed_by text CHECK (reviewed_by <> ''),
    review text CHECK (review <> ''),
    reviewed_at timestamptz,
    CHECK (num_nulls(reviewed_by, review, reviewed_at) IN (0, 3)),
    CHECK (reviewed_by <> opened_by)
);
CREATE INDEX opening_waiting ON agreements.opening (opened_at) WHERE reviewed_at IS NULL;
COMMENT ON TABLE agreements.opening IS 'The review queue of records opened by order: one row a paper that was opened on request.';
COMMENT ON COLUMN agreements.opening.digest IS 'Of the paper (agreements.instrument) and of the request that two stewards approved.';
COMMENT ON COLUMN agreements.opening.reviewed_by IS 'Another person than who opened them.';
GRANT SELECT, INSERT, DELETE ON agreements.opening TO throughline_agreements;
GRANT UPDATE (reviewed_by, review, reviewed_at) ON agreements.opening TO throughline_agreements;
GRANT SELECT ON agreements.opening TO throughline_steward;
RESET ROLE;
