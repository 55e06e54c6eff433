-- History: a pack also says in a few numbers what its facts come to, so that whoever asks whether anything of a student has changed since the last
-- delivery need not read the facts.

SET ROLE throughline_owner;

-- Whoever finds no pack reads the facts; they are packed again after the next load.
DELETE FROM history.pack;
ALTER TABLE history.pack
    ADD COLUMN fact_count bigint NOT NULL,
    ADD COLUMN sum_1 numeric NOT NULL,
    ADD COLUMN sum_2 numeric NOT NULL,
    ADD COLUMN districts text[] NOT NULL;
COMMENT ON COLUMN history.pack.fact_count IS 'How many facts it holds.';
COMMENT ON COLUMN history.pack.sum_1 IS 'The sum of a hash over all that is read of each fact: that of disclosure.list_marks.';
COMMENT ON COLUMN history.pack.sum_2 IS 'The same with another seed.';
COMMENT ON COLUMN history.pack.districts IS 'The districts, by code, that any of its facts names as the one that reported it, or as the student''s own.';

CREATE OR REPLACE VIEW history.packed WITH (security_invoker = true) AS
SELECT p.source_person_id, p.domain, p.facts, p.fact_count, p.sum_1, p.sum_2, p.districts
FROM history.pack AS p
WHERE p.known_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
    AND (p.last_batch, p.batches) = (
        SELECT max(t.batch_id), count(*) FROM history.touched AS t WHERE t.source_person_id = p.source_person_id
    )
    AND NOT EXISTS (
        SELECT FROM history.restriction AS x
        WHERE x.source_person_id = p.source_person_id
            AND COALESCE(x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz, true)
    );

RESET ROLE;
