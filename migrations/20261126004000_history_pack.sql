-- History: the read model. The current facts of a source person in a domain as one row, so that a reader of many students fetches one row where
-- facts are sixty, scattered over the years of their files. It can be dropped at any time: whoever finds none reads the facts.

SET ROLE throughline_owner;

CREATE TABLE history.pack (
    source_person_id bigint NOT NULL,
    domain smallint NOT NULL,
    last_batch bigint NOT NULL,
    batches bigint NOT NULL,
    known_at timestamptz NOT NULL,
    facts text NOT NULL,
    PRIMARY KEY (source_person_id, domain)
) PARTITION BY LIST (domain);
COMMENT ON TABLE history.pack IS 'Copies of facts that are current and not expunged, by source person and domain. Made from history.fact alone, read under the same row security, gone with any of them.';
COMMENT ON COLUMN history.pack.last_batch IS 'The last batch in history.touched of the person when it was made: a later one makes it stale.';
COMMENT ON COLUMN history.pack.batches IS 'How many batches stood there: one that committed later under a lower number makes it stale too.';
COMMENT ON COLUMN history.pack.known_at IS 'When the last of those batches was recorded: before that time something else was known.';
COMMENT ON COLUMN history.pack.facts IS 'A JSON array with an array a fact: kind, school year, first and last day, LEA, facility, certification, line, batch, SEA, file, day recorded, day reported, payload; days are counted from 1970.';

-- As with facts, what the student domain says lies in schema identity. Nobody has a privilege on the partitions.
CREATE TABLE identity.person_pack PARTITION OF history.pack FOR VALUES IN (1);
COMMENT ON TABLE identity.person_pack IS 'The student domain of history.pack: names, birth dates, demographics.';
CREATE TABLE history.pack_row PARTITION OF history.pack DEFAULT;
COMMENT ON TABLE history.pack_row IS 'The other domains of history.pack.';

-- The same fence as that of history.fact: a pack holds no fact that is restricted.
ALTER TABLE history.pack ENABLE ROW LEVEL SECURITY;
ALTER TABLE history.pack FORCE ROW LEVEL SECURITY;
CREATE POLICY makes ON history.pack TO throughline_intake USING (true) WITH CHECK (true);
CREATE POLICY drops ON history.pack TO throughline_owner USING (true) WITH CHECK (false);
CREATE POLICY inspects ON history.pack FOR SELECT TO throughline_steward USING (true);
CREATE POLICY discloses ON history.pack FOR SELECT TO throughline_disclosure USING (
    (
        SELECT true FROM identity.released AS r
        WHERE r.source_person_id = pack.source_person_id
            AND r.consumer = current_setting('throughline.consumer', true)
            AND r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
        LIMIT 1
    )
);
GRANT SELECT, INSERT, DELETE ON history.pack TO throughline_intake;
GRANT SELECT ON history.pack TO throughline_disclosure, throughline_steward;
GRANT SELECT ON history.touched TO throughline_disclosure;

-- A fact that is superseded, marked expunged or erased takes its pack with it, whoever does it and however. Whoever erases waits for whoever packs,
-- and the other way round: otherwise a copy made from what was seen before could be stored after.
CREATE FUNCTION history.drop_packs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('history.pack', 0));
    END IF;
    DELETE FROM history.pack AS p USING gone AS g WHERE p.source_person_id = g.source_person_id AND p.domain = g.domain;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION history.drop_packs() IS 'Drops the packs of facts that have changed or gone.';
REVOKE ALL ON FUNCTION history.drop_packs() FROM PUBLIC;
CREATE TRIGGER packs_of_changed AFTER UPDATE ON history.fact
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION history.drop_packs();
CREATE TRIGGER packs_of_erased AFTER DELETE ON history.fact
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION history.drop_packs();

-- Packs that say at this moment what history.disclosable says: made after everything that touched the person, of nobody who is under any
-- restriction, and asked about no time before. A missing setting gives no row.
CREATE VIEW history.packed WITH (security_invoker = true) AS
SELECT p.source_person_id, p.domain, p.facts
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
COMMENT ON VIEW history.packed IS 'What disclosure may read in place of history.disclosable: all of a person''s domain, where nothing is to be left out of it. Published for disclosure.';
GRANT SELECT ON history.packed TO throughline_disclosure, throughline_steward;

RESET ROLE;
