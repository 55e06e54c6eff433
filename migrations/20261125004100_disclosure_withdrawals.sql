-- Disclosure: what each receiver holds, by feed, and what it is told to destroy.
SET ROLE throughline_owner;

ALTER TABLE disclosure.delivered ADD COLUMN office text NOT NULL DEFAULT '';
ALTER TABLE disclosure.delivered ADD COLUMN purpose text NOT NULL DEFAULT '';
ALTER TABLE disclosure.delivered ADD COLUMN run_id uuid;
ALTER TABLE disclosure.delivered ADD COLUMN grant_digest bytea CHECK (octet_length(grant_digest) = 32);
ALTER TABLE disclosure.delivered DROP CONSTRAINT delivered_pkey;
ALTER TABLE disclosure.delivered ADD CONSTRAINT delivered_pkey PRIMARY KEY (consumer, delivery, office, purpose, person_key);
CREATE INDEX delivered_run ON disclosure.delivered (run_id) WHERE delivered_at IS NULL;
COMMENT ON COLUMN disclosure.delivered.office IS 'The one office the feed is for; empty: all. Receivers of different feeds hold different things.';
COMMENT ON COLUMN disclosure.delivered.purpose IS 'The purpose asked for, by its id; empty: the agreement''s first.';
COMMENT ON COLUMN disclosure.delivered.run_id IS 'The run it was sent in; NULL: in none, or before runs were kept.';
COMMENT ON COLUMN disclosure.delivered.grant_digest IS 'The agreement version it was sent under: under another one it is sent again. NULL: before that was kept.';

CREATE TABLE disclosure.withdrawal (
    withdrawal_id uuid PRIMARY KEY,
    consumer text NOT NULL,
    delivery text NOT NULL,
    office text NOT NULL,
    purpose text NOT NULL,
    person_key text NOT NULL,
    student_id uuid NOT NULL,
    run_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('authority_ended', 'match_undone', 'not_available')),
    destroy_by date NOT NULL,
    recorded_at timestamptz NOT NULL,
    delivered_at timestamptz
);
CREATE INDEX withdrawal_waiting ON disclosure.withdrawal (consumer, delivery, run_id) WHERE delivered_at IS NULL;
CREATE INDEX withdrawal_student ON disclosure.withdrawal (student_id);
COMMENT ON TABLE disclosure.withdrawal IS 'Notices to a receiver to stop using what it was sent of a client and to destroy it. Sent again until it has arrived.';
COMMENT ON COLUMN disclosure.withdrawal.withdrawal_id IS 'The ledger entry''s id.';
COMMENT ON COLUMN disclosure.withdrawal.student_id IS 'The student it was of, by our own id. Never delivered.';
COMMENT ON COLUMN disclosure.withdrawal.destroy_by IS 'The last day on which it may be held, in the recipient''s zone.';
COMMENT ON COLUMN disclosure.withdrawal.delivered_at IS 'When the receiver said that it has stored the notice, or its file was whole; NULL: recorded, and perhaps lost on the way.';

CREATE TABLE disclosure.completed (
    run_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    consumer text NOT NULL,
    office text NOT NULL,
    purpose text NOT NULL,
    completed_no bigint GENERATED ALWAYS AS IDENTITY,
    completed_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, digest)
);
CREATE INDEX completed_last ON disclosure.completed (consumer, office, purpose, completed_no);
COMMENT ON TABLE disclosure.completed IS 'Ends of runs of streams: the same end told again is no second entry of the ledger, and only the last run of a feed is one to go on from.';
COMMENT ON COLUMN disclosure.completed.completed_no IS 'The order in which runs ended.';

ALTER TABLE disclosure.recall ADD COLUMN delivery text;
COMMENT ON COLUMN disclosure.recall.delivery IS 'How the disclosure left, as the ledger calls it: the notice goes the same way. NULL: queued before that was kept.';
CREATE INDEX recall_client ON disclosure.recall (consumer, person_key) WHERE delivered_at IS NULL;

GRANT SELECT, INSERT, DELETE ON disclosure.withdrawal TO throughline_disclosure;
GRANT UPDATE (delivered_at) ON disclosure.withdrawal TO throughline_disclosure;
GRANT SELECT, INSERT ON disclosure.completed TO throughline_disclosure;
ALTER TABLE disclosure.withdrawal ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.withdrawal FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.withdrawal TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));
ALTER TABLE disclosure.completed ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.completed FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.completed TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));
RESET ROLE;
