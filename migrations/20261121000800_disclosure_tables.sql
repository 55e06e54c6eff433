-- Disclosure: what each consumer holds of each client, by content digest. What is unchanged is not sent again.

SET ROLE throughline_owner;

CREATE SCHEMA disclosure;
COMMENT ON SCHEMA disclosure IS 'What was delivered last: by digest, never content.';

CREATE TABLE disclosure.delivered (
    consumer text NOT NULL,
    person_key text NOT NULL,
    delivery text NOT NULL,
    student_id uuid NOT NULL,
    disclosure_id uuid NOT NULL,
    content_digest bytea NOT NULL CHECK (octet_length(content_digest) = 32),
    recorded_at timestamptz NOT NULL,
    delivered_at timestamptz,
    PRIMARY KEY (consumer, person_key, delivery)
);
COMMENT ON COLUMN disclosure.delivered.delivered_at IS 'When it was delivered whole; NULL: recorded, and perhaps lost on the way: it is sent again.';
COMMENT ON TABLE disclosure.delivered IS 'The content a consumer received last of a client, by kind of delivery. Written with the ledger entry; says who must be recalled and what need not be sent again.';

GRANT USAGE ON SCHEMA disclosure TO throughline_disclosure;
GRANT SELECT, INSERT, UPDATE, DELETE ON disclosure.delivered TO throughline_disclosure;
ALTER TABLE disclosure.delivered ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.delivered FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.delivered TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));

RESET ROLE;
