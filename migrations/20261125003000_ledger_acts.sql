-- Ledger: acts of the SEA's own people and of the program that open, close or change what may be disclosed are entries too.
SET ROLE throughline_owner;
ALTER TABLE ledger.entry DROP CONSTRAINT entry_kind_check;
ALTER TABLE ledger.entry ADD CONSTRAINT entry_kind_check CHECK (kind IN (
    'disclosure', 'refusal', 'withdrawal', 'notice', 'access', 'completion', 'gap', 'approval', 'erasure', 'attestation', 'act'
));
CREATE INDEX entry_act ON ledger.entry (reason, decided_at) WHERE kind = 'act';
COMMENT ON COLUMN ledger.entry.reason IS 'Code of why it was refused, withdrawn or left open; of an act, which one.';
COMMENT ON COLUMN ledger.detail.authority IS
    'Number of the order, release, certification or approved request; of an act, what it was done to.';
RESET ROLE;
