-- Disclosure: runs that may write files for a recipient, and the students of the SEA's own population by their text.

SET ROLE throughline_owner;

CREATE TABLE disclosure.run (
    run_id uuid PRIMARY KEY,
    consumer text NOT NULL,
    office text,
    as_of timestamptz,
    request bytea CHECK (octet_length(request) = 32),
    begun_at timestamptz NOT NULL
);
COMMENT ON TABLE disclosure.run IS 'Runs that may write files: without a row here no chunk of a file is disclosed. Never changed.';
COMMENT ON COLUMN disclosure.run.office IS 'The one office it is for; NULL: all.';
COMMENT ON COLUMN disclosure.run.as_of IS 'What was known then; NULL: at the moment of each chunk.';
COMMENT ON COLUMN disclosure.run.request IS 'The request that two stewards approved; NULL: the run is on schedule.';

GRANT SELECT, INSERT ON disclosure.run TO throughline_disclosure;
ALTER TABLE disclosure.run ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.run FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.run TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));

-- The population of the SEA names a student by the text of our own id.
CREATE INDEX crosswalk_student_text ON identity.crosswalk ((student_id::text)) WHERE to_at IS NULL;
COMMENT ON INDEX identity.crosswalk_student_text IS 'Finds students of the SEA''s own population by person key.';

RESET ROLE;
