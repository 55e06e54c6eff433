-- History: the day the source gives for its report, so that a page can say how old it is by the source's own reckoning.

SET ROLE throughline_owner;

ALTER TABLE history.fact ADD COLUMN reported_on date;
COMMENT ON COLUMN history.fact.reported_on IS 'The day the source gives for its report (a collection''s day); NULL where the record names none.';

CREATE OR REPLACE VIEW history.disclosable WITH (security_invoker = true) AS
SELECT f.source_person_id, f.domain, f.natural_key, f.kind, f.school_year, f.valid_from, f.valid_to, f.lea, f.facility,
    f.certification, f.line, f.payload, f.recorded_batch, b.sea, b.file_name, b.recorded_at, f.reported_on
FROM history.fact AS f
JOIN history.batch AS b ON b.batch_id = f.recorded_batch
LEFT JOIN history.batch AS s ON s.batch_id = f.superseded_batch
WHERE f.restriction = 0
    AND b.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
    AND (f.superseded_batch IS NULL
        OR (f.superseded_batch > f.recorded_batch AND s.recorded_at > nullif(current_setting('throughline.as_of', true), '')::timestamptz))
    AND NOT EXISTS (
        SELECT FROM history.restriction AS x
        WHERE x.source_person_id = f.source_person_id
            AND x.domain = f.domain
            AND (x.natural_key IS NULL OR x.natural_key = f.natural_key)
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
    );

RESET ROLE;
