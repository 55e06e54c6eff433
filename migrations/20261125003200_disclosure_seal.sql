-- Disclosure: a database that was set back discloses nothing until it has caught up with what ended since.
SET ROLE throughline_owner;
CREATE TABLE disclosure.seal (
    consumer text PRIMARY KEY,
    since timestamptz NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    sealed_at timestamptz NOT NULL,
    compared_at timestamptz,
    compared_by text CHECK (compared_by <> ''),
    CHECK (num_nulls(compared_at, compared_by) IN (0, 2))
);
COMMENT ON TABLE disclosure.seal IS
    'Recipients to whom nothing is disclosed, because the database was set back to an earlier state: a row goes when a steward has compared the ledger and the recipient''s roster is newer.';
COMMENT ON COLUMN disclosure.seal.since IS 'The moment to which the database was set back: what rosters said since is not in it.';
COMMENT ON COLUMN disclosure.seal.compared_at IS 'When a steward had held the ledger against the last checkpoint that others keep.';
GRANT SELECT ON disclosure.seal TO throughline_disclosure, throughline_steward;
GRANT INSERT, UPDATE, DELETE ON disclosure.seal TO throughline_disclosure;
RESET ROLE;
