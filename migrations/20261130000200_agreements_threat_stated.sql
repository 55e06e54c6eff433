-- An emergency opens nothing unless it states the threat, which the record of disclosures must hold (34 CFR 99.32(a)(5)): as
-- `agreements::decide` has it. A roster that reports an emergency states none.

SET ROLE throughline_owner;
CREATE OR REPLACE VIEW agreements.rule WITH (security_invoker = true) AS
SELECT a.consumer, t.agreement_id, t.version, a.digest, t.clause, t.domain, t.legal_basis, t.basis_rank, t.purposes,
    t.deliveries, t.elements, t.school_year_from, t.school_year_to, t.max_age_years, t.exclude_kinds,
    t.requires_authority, t.requires_pre_adjudication, t.requires_certification,
    t.ends_at_majority, false AS begins_at_majority, NULL::text AS person_key, v.time_zone,
    GREATEST(v.valid_from, a.activated_at, c.valid_from) AS valid_from,
    LEAST(v.valid_to, a.ended_at, c.valid_to, c.revoked_at) AS valid_to,
    CASE WHEN a.ended_because = 'suspended' THEN a.ended_at END AS suspended_at
FROM agreements.activation AS a
JOIN agreements.version AS v ON v.agreement_id = a.agreement_id AND v.version = a.version
JOIN agreements.term AS t ON t.agreement_id = a.agreement_id AND t.version = a.version
LEFT JOIN agreements.certification AS c ON c.consumer = a.consumer AND t.requires_certification
WHERE t.evidence IS NULL
    AND (c.consumer IS NOT NULL OR NOT t.requires_certification)
UNION ALL
SELECT a.consumer, t.agreement_id, t.version, a.digest, t.clause, t.domain, t.legal_basis, t.basis_rank, t.purposes,
    t.deliveries, t.elements, t.school_year_from, t.school_year_to, t.max_age_years, t.exclude_kinds,
    t.requires_authority, t.requires_pre_adjudication, t.requires_certification,
    t.ends_at_majority OR i.kind = 'parent_release', i.kind = 'student_release', i.person_key, v.time_zone,
    GREATEST(v.valid_from, a.activated_at, c.valid_from, i.valid_from),
    LEAST(v.valid_to, a.ended_at, c.valid_to, c.revoked_at, i.valid_to, i.revoked_at),
    CASE WHEN a.ended_because = 'suspended' THEN a.ended_at END
FROM agreements.activation AS a
JOIN agreements.version AS v ON v.agreement_id = a.agreement_id AND v.version = a.version
JOIN agreements.term AS t ON t.agreement_id = a.agreement_id AND t.version = a.version
JOIN agreements.instrument AS i ON i.consumer = a.consumer
    AND t.evidence = CASE WHEN i.kind IN ('parent_release', 'student_release') THEN 'release' ELSE i.kind END
    AND (i.kind <> 'emergency' OR (
        i.reason ~ '[^[:space:]]' AND octet_length(i.reason) <= 4000 AND i.reason <> 'reported by the recipient''s roster'
    ))
LEFT JOIN agreements.certification AS c ON c.consumer = a.consumer AND t.requires_certification
WHERE c.consumer IS NOT NULL OR NOT t.requires_certification;
RESET ROLE;
