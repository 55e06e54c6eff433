-- Disclosure: what recipients attest of the destruction that their agreements ask for.
SET ROLE throughline_owner;
ALTER TABLE ledger.entry DROP CONSTRAINT entry_kind_check;
ALTER TABLE ledger.entry ADD CONSTRAINT entry_kind_check CHECK (kind IN (
    'disclosure', 'refusal', 'withdrawal', 'notice', 'access', 'completion', 'gap', 'approval', 'erasure', 'attestation'
));

CREATE TABLE disclosure.attestation (
    attestation_id uuid PRIMARY KEY,
    consumer text NOT NULL,
    person_key text NOT NULL,
    destroyed_on date NOT NULL,
    method text NOT NULL CHECK (method <> ''),
    attested_by text NOT NULL CHECK (attested_by <> ''),
    reference text NOT NULL CHECK (reference <> ''),
    recorded_by text NOT NULL CHECK (recorded_by <> ''),
    recorded_at timestamptz NOT NULL
);
CREATE INDEX attestation_client ON disclosure.attestation (consumer, person_key);
COMMENT ON TABLE disclosure.attestation IS 'Recipients'' attestations that they have destroyed what they held of a client. Each is an entry of the ledger. Never changed.';
COMMENT ON COLUMN disclosure.attestation.attestation_id IS 'The ledger entry''s id.';
COMMENT ON COLUMN disclosure.attestation.destroyed_on IS 'The day of the destruction: it covers what was disclosed before the day was over.';
COMMENT ON COLUMN disclosure.attestation.attested_by IS 'Who signed for the recipient, by name or office.';
COMMENT ON COLUMN disclosure.attestation.reference IS 'Where the paper is.';
GRANT SELECT, INSERT ON disclosure.attestation TO throughline_disclosure;
ALTER TABLE disclosure.attestation ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.attestation FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.attestation TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));
RESET ROLE;
