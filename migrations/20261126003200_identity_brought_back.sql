-- Identity: what was ordered or undone after a backup and is brought back by the control journal, of whom the database that was set back does not know
-- yet: it waits for the load or roster that introduces them. The journal names nobody: persons and clients are keyed hashes.
SET ROLE throughline_owner;
CREATE TABLE identity.awaited_order (
    person_hash bytea NOT NULL CHECK (octet_length(person_hash) = 32),
    domain smallint,
    natural_key uuid,
    kind text NOT NULL CHECK (kind IN ('sealed', 'protective_order', 'confidential_address', 'legal_hold')),
    from_at timestamptz NOT NULL,
    order_number text NOT NULL,
    decided_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK (natural_key IS NULL OR domain IS NOT NULL)
);
CREATE UNIQUE INDEX awaited_order_once ON identity.awaited_order
    (person_hash, kind, order_number, COALESCE(domain, 0), COALESCE(natural_key, '00000000-0000-0000-0000-000000000000'));
COMMENT ON TABLE identity.awaited_order IS
    'Orders that the control journal holds about persons whom this database, set back to an earlier state, does not know: each comes into force in the transaction of the load that introduces them.';
COMMENT ON COLUMN identity.awaited_order.person_hash IS 'Keyed hash of the state''s identifier, as in the control journal.';
CREATE TABLE identity.awaited_undoing (
    consumer text NOT NULL,
    client_hash bytea NOT NULL CHECK (octet_length(client_hash) = 32),
    person_hash bytea NOT NULL CHECK (octet_length(person_hash) = 32),
    undone_at timestamptz NOT NULL,
    is_refused boolean NOT NULL,
    PRIMARY KEY (consumer, client_hash, person_hash)
);
COMMENT ON TABLE identity.awaited_undoing IS
    'Matches that people undid after the moment to which this database was set back, of clients or persons whom it does not know: looked at before each matching.';
COMMENT ON COLUMN identity.awaited_undoing.is_refused IS 'A person said that the client is not that student; otherwise the client waits for a person.';
GRANT SELECT, INSERT, DELETE ON identity.awaited_order TO throughline_identity;
-- Update: an undoing that is told again at another time.
GRANT SELECT, INSERT, UPDATE, DELETE ON identity.awaited_undoing TO throughline_identity;
CREATE INDEX match_decision_ended ON identity.match_decision (superseded_at) WHERE outcome = 'match' AND superseded_at IS NOT NULL;
RESET ROLE;
