-- What a million students taught: the second fence, asked fact by fact through its key.

SET ROLE throughline_owner;

-- As EXISTS, the planner may hash the whole population of a consumer, once for each partition it reads, to answer for one student.
-- A scalar subquery is always asked by the key of `identity.released`.
ALTER POLICY discloses ON history.fact USING (
    restriction = 0
    AND (
        SELECT true FROM identity.released AS r
        WHERE r.source_person_id = fact.source_person_id
            AND r.consumer = current_setting('throughline.consumer', true)
            AND r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
        LIMIT 1
    )
);

RESET ROLE;
