-- Disclosure: what was disclosed on a wrong match and must be called back.

SET ROLE throughline_owner;

CREATE TABLE disclosure.recall (
    recall_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    person_key text NOT NULL,
    student_id uuid NOT NULL,
    disclosure_id uuid NOT NULL,
    disclosed_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('match_undone', 'crosswalk_moved')),
    queued_by text NOT NULL,
    queued_at timestamptz NOT NULL,
    delivered_at timestamptz,
    UNIQUE (consumer, disclosure_id)
);
CREATE INDEX recall_waiting ON disclosure.recall (consumer, recall_id) WHERE delivered_at IS NULL;
COMMENT ON TABLE disclosure.recall IS 'Disclosures made on a match that proved wrong: each waits to be called back from the consumer that holds it. One row a disclosure.';
COMMENT ON COLUMN disclosure.recall.person_key IS 'The client under whose id the consumer holds it.';
COMMENT ON COLUMN disclosure.recall.student_id IS 'The student it was of, by our own id. Never delivered.';
COMMENT ON COLUMN disclosure.recall.delivered_at IS 'When the notice was delivered; NULL: it waits.';

GRANT SELECT, INSERT ON disclosure.recall TO throughline_disclosure;
GRANT UPDATE (delivered_at) ON disclosure.recall TO throughline_disclosure;
ALTER TABLE disclosure.recall ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.recall FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.recall TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));

RESET ROLE;
