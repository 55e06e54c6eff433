-- Disclosure: what re-entry coordinators are told of placements, and whether it has reached them.
SET ROLE throughline_owner;

CREATE TABLE disclosure.placement_notice (
    notice_id uuid PRIMARY KEY,
    consumer text NOT NULL CHECK (consumer <> ''),
    office text NOT NULL CHECK (office <> ''),
    placement_id uuid NOT NULL,
    student_id uuid NOT NULL,
    source_person_id bigint NOT NULL,
    event text NOT NULL CHECK (event IN ('entered', 'left', 'retracted')),
    event_date date NOT NULL,
    facility text NOT NULL,
    retracts uuid,
    released tstzrange NOT NULL CHECK (NOT isempty(released)),
    made_at timestamptz NOT NULL,
    disclosure_id uuid,
    disclosed_at timestamptz,
    delivered_at timestamptz,
    void_at timestamptz,
    CHECK ((event = 'retracted') = (retracts IS NOT NULL)),
    CHECK (num_nulls(disclosure_id, disclosed_at) IN (0, 2)),
    CHECK (delivered_at IS NULL OR disclosed_at IS NOT NULL),
    CHECK (void_at IS NULL OR disclosed_at IS NULL)
);
CREATE INDEX placement_notice_placement ON disclosure.placement_notice (consumer, placement_id);
CREATE INDEX placement_notice_due ON disclosure.placement_notice (consumer, office, made_at) WHERE delivered_at IS NULL AND void_at IS NULL;
CREATE INDEX placement_notice_student ON disclosure.placement_notice (student_id);
COMMENT ON TABLE disclosure.placement_notice IS 'A notice to the home district''s re-entry coordinator that a student entered or left a facility, or that an earlier notice was wrong. It names the student by our own ids alone.';
COMMENT ON COLUMN disclosure.placement_notice.office IS 'The home district, by its code: whose coordinator is told.';
COMMENT ON COLUMN disclosure.placement_notice.source_person_id IS 'Under which of the state''s ids the home district reports the student.';
COMMENT ON COLUMN disclosure.placement_notice.retracts IS 'The notice that was wrong.';
COMMENT ON COLUMN disclosure.placement_notice.released IS 'While the coordinator may be told: from the admission until some days after the release, as the agreement says.';
COMMENT ON COLUMN disclosure.placement_notice.disclosure_id IS 'Its last entry in the ledger. NULL: it has not left.';
COMMENT ON COLUMN disclosure.placement_notice.delivered_at IS 'When it was delivered whole; NULL: perhaps lost on the way, and disclosed again.';
COMMENT ON COLUMN disclosure.placement_notice.void_at IS 'When it proved wrong before it had left: it never leaves.';

GRANT SELECT, INSERT ON disclosure.placement_notice TO throughline_disclosure;
GRANT UPDATE (disclosure_id, disclosed_at, delivered_at, void_at) ON disclosure.placement_notice TO throughline_disclosure;
-- An erasure takes a student's notices along, whoever they went to; it can find them, and no more.
GRANT USAGE ON SCHEMA disclosure TO throughline_steward;
GRANT SELECT (student_id, source_person_id), DELETE ON disclosure.placement_notice TO throughline_steward;
ALTER TABLE disclosure.placement_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.placement_notice FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.placement_notice TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true)
        AND office = COALESCE(nullif(current_setting('throughline.office', true), ''), office))
    WITH CHECK (consumer = current_setting('throughline.consumer', true)
        AND office = COALESCE(nullif(current_setting('throughline.office', true), ''), office));
CREATE POLICY erases ON disclosure.placement_notice FOR DELETE TO throughline_steward USING (true);
CREATE POLICY finds ON disclosure.placement_notice FOR SELECT TO throughline_steward USING (true);

RESET ROLE;
