-- History: of which districts anything has come, by what it tells of. A page says who has not reported yet; that is a fact about districts, and is
-- kept apart from students, so that saying it rests on no record of anybody.

SET ROLE throughline_owner;

CREATE TABLE history.reported (
    sea text NOT NULL,
    domain smallint NOT NULL,
    school_year smallint NOT NULL,
    lea text NOT NULL,
    reported_on date,
    recorded_on date NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (sea, domain, school_year, lea, reported_on, recorded_on)
);
COMMENT ON TABLE history.reported IS 'Of which districts anything has come, whoever it was about. Says nothing of persons. Published for disclosure.';
COMMENT ON COLUMN history.reported.lea IS 'The reporting district, by the state''s code.';
COMMENT ON COLUMN history.reported.reported_on IS 'The day the source gives for its report; NULL where the records name none.';
COMMENT ON COLUMN history.reported.recorded_on IS 'The day it came (UTC).';
COMMENT ON COLUMN history.reported.recorded_at IS 'When the first of that day was recorded: what was known at an earlier time does not include it.';

GRANT SELECT, INSERT ON history.reported TO throughline_intake;
GRANT SELECT ON history.reported TO throughline_disclosure, throughline_steward;

-- What came before this table was kept. The owner reads no fact by itself: for this one statement it does.
CREATE POLICY notes_reports ON history.fact FOR SELECT TO throughline_owner USING (true);
INSERT INTO history.reported (sea, domain, school_year, lea, reported_on, recorded_on, recorded_at)
SELECT b.sea, f.domain, f.school_year, f.lea, f.reported_on, (b.recorded_at AT TIME ZONE 'UTC')::date, min(b.recorded_at)
FROM history.fact AS f
JOIN history.batch AS b ON b.batch_id = f.recorded_batch
WHERE f.school_year IS NOT NULL AND f.lea IS NOT NULL AND f.domain <> 1
GROUP BY b.sea, f.domain, f.school_year, f.lea, f.reported_on, (b.recorded_at AT TIME ZONE 'UTC')::date;
DROP POLICY notes_reports ON history.fact;

RESET ROLE;
