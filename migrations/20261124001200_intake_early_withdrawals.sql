-- Withdrawals that come before what they withdraw, so that facts do not depend on which delivery came first.

SET ROLE throughline_owner;

CREATE TABLE intake.early_withdrawal (
    sea text NOT NULL,
    subject bytea NOT NULL CHECK (octet_length(subject) = 32),
    batch_id bigint NOT NULL REFERENCES intake.batch,
    line integer NOT NULL,
    PRIMARY KEY (sea, subject)
);
COMMENT ON TABLE intake.early_withdrawal IS
    'Facts that a source withdrew before any delivery stated them. The first record that states one is recorded and withdrawn at once, and the row goes: a record after that one stands.';
COMMENT ON COLUMN intake.early_withdrawal.subject IS 'SHA-256 of person, domain and natural key, as in intake.kept_subject.';
COMMENT ON COLUMN intake.early_withdrawal.line IS 'Where it was withdrawn, in the file of its batch.';

GRANT SELECT, INSERT, UPDATE, DELETE ON intake.early_withdrawal TO throughline_intake;

RESET ROLE;
