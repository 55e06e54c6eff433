-- Portal: what somebody saw of a client last, by digest, so that the next look can say what is new.
SET ROLE throughline_owner;

CREATE TABLE portal.look (
    consumer text NOT NULL CHECK (consumer <> ''),
    person_key text NOT NULL CHECK (person_key <> ''),
    viewer bytea NOT NULL CHECK (octet_length(viewer) = 32),
    student_id uuid NOT NULL,
    looked_at timestamptz NOT NULL,
    seen text[] NOT NULL,
    PRIMARY KEY (consumer, person_key, viewer)
);
CREATE INDEX look_student ON portal.look (student_id);
CREATE INDEX look_looked ON portal.look (looked_at);
COMMENT ON TABLE portal.look IS 'Who looked last at which client''s record, and what it said then: keyed digests of rows, never content. Goes with the student, and some time after the last look.';
COMMENT ON COLUMN portal.look.viewer IS 'A keyed digest of who looked, as their issuer names them.';
COMMENT ON COLUMN portal.look.student_id IS 'The student whose record it was: a client who is matched with another one has not been looked at.';
COMMENT ON COLUMN portal.look.seen IS 'One item a row of the page: its block, a colon, and a digest under a key outside the database.';

GRANT SELECT, INSERT, UPDATE ON portal.look TO throughline_portal;
GRANT USAGE ON SCHEMA portal TO throughline_steward;
GRANT SELECT (consumer, person_key, student_id, looked_at) ON portal.look TO throughline_steward;
GRANT DELETE ON portal.look TO throughline_steward;
ALTER TABLE portal.look ENABLE ROW LEVEL SECURITY;
ALTER TABLE portal.look FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON portal.look TO throughline_portal
    USING (consumer = current_setting('throughline.consumer', true)
        AND viewer = decode(current_setting('throughline.viewer', true), 'hex'))
    WITH CHECK (consumer = current_setting('throughline.consumer', true)
        AND viewer = decode(current_setting('throughline.viewer', true), 'hex'));
CREATE POLICY finds ON portal.look FOR SELECT TO throughline_steward USING (true);
CREATE POLICY erases ON portal.look FOR DELETE TO throughline_steward USING (true);
RESET ROLE;
