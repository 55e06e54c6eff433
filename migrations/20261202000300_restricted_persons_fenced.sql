-- History: an order to restrict a person is in the second fence too. The statement that reads leaves such persons out by the population; a statement that forgot
-- would read nothing of them now.
SET ROLE throughline_owner;

-- By key, as the rest: see 20261122009000.
ALTER POLICY discloses ON history.fact USING (
    restriction = 0
    AND (
        SELECT true FROM identity.released AS r
        WHERE r.source_person_id = fact.source_person_id
            AND r.consumer = current_setting('throughline.consumer', true)
            AND r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
        LIMIT 1
    )
    AND (
        SELECT true FROM identity.restriction AS x
        WHERE x.source_person_id = fact.source_person_id
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
        LIMIT 1
    ) IS NULL
);
ALTER POLICY discloses ON history.pack USING (
    (
        SELECT true FROM identity.released AS r
        WHERE r.source_person_id = pack.source_person_id
            AND r.consumer = current_setting('throughline.consumer', true)
            AND r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
        LIMIT 1
    )
    AND (
        SELECT true FROM identity.restriction AS x
        WHERE x.source_person_id = pack.source_person_id
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
        LIMIT 1
    ) IS NULL
);

COMMENT ON COLUMN disclosure.attestation.destroyed_on IS 'The day it was destroyed: what was disclosed up to its end, and not after recorded_at, is.';

RESET ROLE;
