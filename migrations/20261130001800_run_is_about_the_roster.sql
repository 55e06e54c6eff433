-- A run is about everybody whom the agency's own roster puts before it, and not about those of them whom the state knows: each of them of whom
-- nothing may be told leaves the same trace, a refusal, so that neither the length of the log nor a count beside a delivery says who is known.
SET ROLE throughline_owner;
CREATE VIEW identity.rostered WITH (security_barrier = true) AS
SELECT c.consumer, c.person_key, a.office
FROM identity.authority AS a
JOIN identity.client AS c ON c.client_id = a.client_id
WHERE a.superseded_at IS NULL
    AND c.consumer = NULLIF(current_setting('throughline.consumer', true), '')
    AND a.released @> NULLIF(current_setting('throughline.at', true), '')::timestamptz;

COMMENT ON VIEW identity.rostered IS 'Whom the asking agency''s own roster gives it authority over at throughline.at, by its own ids and whether or not the state knows them. It is read with the owner''s rights and shows the agency named by throughline.consumer alone.';

GRANT SELECT ON identity.rostered TO throughline_disclosure;
RESET ROLE;
