-- Orders reach what they are about. Whoever's contacts are under an order is not found by an address in another domain either, and a
-- sealed record is not in the state's own complete export.

SET ROLE throughline_owner;

-- Domains: 1 student, 2 enrollment, 9 contact.
CREATE OR REPLACE VIEW history.disclosable WITH (security_invoker = true) AS
SELECT f.source_person_id, f.domain, f.natural_key, f.kind, f.school_year, f.valid_from, f.valid_to, f.lea, f.facility,
    f.certification, f.line,
    CASE WHEN f.domain IN (1, 2) AND EXISTS (
            SELECT FROM history.restriction AS a
            WHERE a.source_person_id = f.source_person_id AND a.domain = 9 AND a.natural_key IS NULL
                AND a.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz)
        THEN f.payload - ARRAY['resident_town', 'street_address', 'street_address_2', 'state_abbreviation', 'postal_code',
            'telephone_numbers', 'electronic_mail_addresses', 'homeless_residence', 'nexus_district_id']
        ELSE f.payload
    END AS payload,
    f.recorded_batch, b.sea, b.file_name, b.recorded_at, f.reported_on
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
COMMENT ON VIEW history.disclosable IS 'What disclosure may read of history: current as of throughline.as_of, never expunged, never what an order in force at throughline.at restricts; an order about contacts takes out where the student lives as well.';

CREATE OR REPLACE VIEW identity.population WITH (security_invoker = true) AS
SELECT r.consumer, r.person_key, r.client_id, r.authority_id, r.student_id, r.source_person_id, r.legal_basis, r.phase,
    r.office, r.region, r.officer, r.released, r.birth_date
FROM identity.released AS r
WHERE r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
    AND NOT EXISTS (
        SELECT FROM identity.restriction AS x
        JOIN identity.released AS o ON o.source_person_id = x.source_person_id
        WHERE o.consumer = r.consumer AND o.student_id = r.student_id
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
    )
UNION ALL
SELECT 'sea'::text, c.student_id::text, NULL::bigint, NULL::bigint, c.student_id, c.source_person_id, 'school_official'::text, NULL::text,
    NULL::text, NULL::text, NULL::text, tstzrange(c.from_at, c.to_at), NULL::date
FROM identity.crosswalk AS c
WHERE c.to_at IS NULL
    AND NOT EXISTS (
        SELECT FROM identity.restriction AS x
        JOIN identity.crosswalk AS o ON o.source_person_id = x.source_person_id AND o.to_at IS NULL
        WHERE o.student_id = c.student_id AND x.kind = 'sealed'
            AND x.in_force @> COALESCE(nullif(current_setting('throughline.at', true), '')::timestamptz, 'infinity')
    );
COMMENT ON VIEW identity.population IS 'Who is whose client at throughline.at, restrictions applied: the only view of identity that disclosure joins. The SEA''s own is every student but those under seal.';

RESET ROLE;
