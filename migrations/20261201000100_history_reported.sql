-- History: of whom anything has come, by what it tells of. A page says who has not reported yet; that is a fact about districts, and is kept apart
-- from students, so that saying it rests on no record of anybody.

SET ROLE throughline_owner;

CREATE TABLE history.reported (
    batch_id bigint NOT NULL REFERENCES history.batch (batch_id),
    sea text NOT NULL,
    domain smallint NOT NULL CHECK (domain <> 1),
    school_year smallint NOT NULL,
    lea text COLLATE "C",
    facility text COLLATE "C",
    nexus text COLLATE "C",
    reported_on date,
    recorded_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK (lea IS NOT NULL OR facility IS NOT NULL),
    UNIQUE NULLS NOT DISTINCT (batch_id, domain, school_year, lea, facility, nexus, reported_on, recorded_on)
);
-- Whether a district, or any, has reported is asked with every disclosure: by the day of the report where a collection has days of its own, else by
-- school year and the day it came.
CREATE INDEX reported_lea_on ON history.reported (sea, domain, lea, reported_on);
CREATE INDEX reported_lea_year ON history.reported (sea, domain, lea, school_year, recorded_on);
CREATE INDEX reported_facility ON history.reported (sea, domain, facility, school_year);
CREATE INDEX reported_on ON history.reported (sea, domain, reported_on);
CREATE INDEX reported_year ON history.reported (sea, domain, school_year, recorded_on);
COMMENT ON TABLE history.reported IS 'Of which districts and facilities a batch has brought anything, whoever it was about. Names nobody. Published for disclosure.';
COMMENT ON COLUMN history.reported.lea IS 'The reporting district, by the state''s code. Codes are in the order of their bytes, so that those that begin alike lie together.';
COMMENT ON COLUMN history.reported.facility IS 'The reporting facility, by the state''s code.';
COMMENT ON COLUMN history.reported.nexus IS 'The district whose student it was about, where the report says it: a report of another agency''s facility counts as this district''s.';
COMMENT ON COLUMN history.reported.reported_on IS 'The day the source gives for its report; NULL where the records name none.';
COMMENT ON COLUMN history.reported.recorded_on IS 'The day it came (UTC): once a day, also when the same bytes come again.';
COMMENT ON COLUMN history.reported.recorded_at IS 'When the first of that day was recorded: what was known at an earlier time does not include it.';

GRANT SELECT, INSERT ON history.reported TO throughline_intake;
GRANT SELECT ON history.reported TO throughline_disclosure, throughline_steward;

-- What came before this table was kept: of each fact the batch that first said it. The owner reads no fact by itself: for this one statement it does.
CREATE POLICY notes_reports ON history.fact FOR SELECT TO throughline_owner USING (true);
INSERT INTO history.reported (batch_id, sea, domain, school_year, lea, facility, nexus, reported_on, recorded_on, recorded_at)
SELECT DISTINCT b.batch_id, b.sea, f.domain, f.school_year, f.lea, f.facility, f.payload ->> 'nexus_district_id', f.reported_on,
    (b.recorded_at AT TIME ZONE 'UTC')::date, b.recorded_at
FROM history.fact AS f
JOIN history.batch AS b ON b.batch_id = f.recorded_batch
WHERE f.domain <> 1 AND f.kind <> 'exclusion' AND f.school_year IS NOT NULL AND (f.lea IS NOT NULL OR f.facility IS NOT NULL);
DROP POLICY notes_reports ON history.fact;

RESET ROLE;
