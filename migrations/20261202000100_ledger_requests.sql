-- Ledger: calls are remembered by the id that their caller gave them, by their entry and in its transaction. So what is sent again is known for what it is
-- after a restart, and by another server.
SET ROLE throughline_owner;

CREATE TABLE ledger.request (
    request bytea PRIMARY KEY CHECK (octet_length(request) = 32),
    question bytea NOT NULL CHECK (octet_length(question) = 32),
    entry_id uuid NOT NULL,
    answered_at timestamptz NOT NULL CHECK (isfinite(answered_at))
);
COMMENT ON TABLE ledger.request IS
    'Calls by the id that their caller gave them, each once. Keyed digests by a key outside the database: nothing personal, and nothing that a commitment covers. Swept after a time.';
COMMENT ON COLUMN ledger.request.request IS 'HMAC-SHA-256 over caller and id.';
COMMENT ON COLUMN ledger.request.question IS 'HMAC-SHA-256 over the same, the method and the request.';
COMMENT ON COLUMN ledger.request.entry_id IS 'What was entered of the call: of several entries the first.';
-- No key to ledger.entry, as elsewhere here: both rows are written in one transaction.
CREATE TRIGGER never_edited BEFORE UPDATE OR TRUNCATE ON ledger.request
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- Who records remembers; who looks after retention sweeps.
GRANT SELECT, INSERT ON ledger.request TO throughline_ledger;
GRANT SELECT (answered_at), DELETE ON ledger.request TO throughline_steward;

COMMENT ON COLUMN ledger.detail.digest IS
    'SHA-256 of exactly what was sent; of an access, the Merkle root over its students; of an erasure, over its entries; of an attestation, SHA-256 over what was attested.';

COMMENT ON VIEW identity.population IS
    'Who is whose client at throughline.at, restrictions applied: beside identity.rostered, which knows nothing of students, the only view of identity that disclosure reads. The SEA''s own is every student but those under seal.';
RESET ROLE;
