-- Portal: what looks wrong to somebody who reads a record, for the SEA's stewards.
SET ROLE throughline_owner;

CREATE TABLE portal.report (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL CHECK (consumer <> ''),
    person_key text NOT NULL CHECK (person_key <> ''),
    viewer bytea NOT NULL CHECK (octet_length(viewer) = 32),
    student_id uuid NOT NULL,
    reported_by text NOT NULL CHECK (reported_by <> ''),
    reported_at timestamptz NOT NULL,
    block text NOT NULL CHECK (block <> ''),
    note text NOT NULL CHECK (char_length(note) BETWEEN 1 AND 1000),
    outcome text CHECK (outcome IN ('passed_on', 'corrected', 'stands', 'unclear')),
    answered_by text CHECK (answered_by <> ''),
    answered_at timestamptz,
    remark text CHECK (char_length(remark) <= 1000),
    CHECK ((outcome IS NULL) = (answered_by IS NULL) AND (outcome IS NULL) = (answered_at IS NULL)),
    CHECK (outcome IS NOT NULL OR remark IS NULL)
);
CREATE INDEX report_client ON portal.report (consumer, person_key, viewer);
CREATE INDEX report_student ON portal.report (student_id);
CREATE INDEX report_open ON portal.report (report_id) WHERE outcome IS NULL OR outcome = 'passed_on';
COMMENT ON TABLE portal.report IS 'What looks wrong in a record to somebody who reads it. The note speaks of a student: it goes with the student, and some time after the answer.';
COMMENT ON COLUMN portal.report.viewer IS 'A digest of who reported, as their issuer names them: they see what became of it.';
COMMENT ON COLUMN portal.report.student_id IS 'The student whose record they had looked at.';
COMMENT ON COLUMN portal.report.reported_by IS 'Who reported, as the record of disclosures names them.';
COMMENT ON COLUMN portal.report.block IS 'The block of the page that it is about, by its id.';
COMMENT ON COLUMN portal.report.note IS 'In the reporter''s words. Only a steward reads it, after the access is entered in the ledger.';
COMMENT ON COLUMN portal.report.outcome IS 'What became of it; NULL: nobody has looked. One of few words, so that nothing of a record leaves by an answer.';
COMMENT ON COLUMN portal.report.remark IS 'A steward''s, for stewards.';

GRANT SELECT (report_id, consumer, person_key, viewer, student_id, reported_at, block, outcome, answered_at) ON portal.report TO throughline_portal;
GRANT INSERT (consumer, person_key, viewer, student_id, reported_by, reported_at, block, note) ON portal.report TO throughline_portal;
GRANT SELECT, DELETE ON portal.report TO throughline_steward;
GRANT UPDATE (outcome, answered_by, answered_at, remark) ON portal.report TO throughline_steward;
ALTER TABLE portal.report ENABLE ROW LEVEL SECURITY;
ALTER TABLE portal.report FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON portal.report TO throughline_portal
    USING (consumer = current_setting('throughline.consumer', true)
        AND viewer = decode(current_setting('throughline.viewer', true), 'hex'))
    WITH CHECK (consumer = current_setting('throughline.consumer', true)
        AND viewer = decode(current_setting('throughline.viewer', true), 'hex'));
CREATE POLICY inspects ON portal.report FOR SELECT TO throughline_steward USING (true);
CREATE POLICY answers ON portal.report FOR UPDATE TO throughline_steward USING (true);
CREATE POLICY erases ON portal.report FOR DELETE TO throughline_steward USING (true);
RESET ROLE;
