-- History: editions. A source that delivers a report again as it stood at another freeze says which of the two is the later; that, and not which
-- file came first, decides which of them stands.

SET ROLE throughline_owner;

ALTER TABLE history.fact ADD COLUMN edition text;
COMMENT ON COLUMN history.fact.edition IS 'The latest edition of its report that has said so, by the source''s own reckoning (a freeze, a day of certification), written so that it compares as text; NULL where the source tells none apart, which comes before any. Moves up when a later edition says the same; nothing else follows from it.';

-- A pack says nothing of editions: a fact of which only that has changed leaves it as it is.
CREATE FUNCTION history.drop_changed_packs() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM history.pack AS p USING gone AS g
    WHERE p.source_person_id = g.source_person_id AND p.domain = g.domain
        AND NOT EXISTS (
            SELECT FROM came AS c
            WHERE c.source_person_id = g.source_person_id AND c.domain = g.domain AND c.natural_key = g.natural_key
                AND c.recorded_batch = g.recorded_batch AND c.line = g.line
                AND c.edition IS DISTINCT FROM g.edition AND to_jsonb(c) - 'edition' = to_jsonb(g) - 'edition'
        );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION history.drop_changed_packs() IS 'Drops the packs of facts of which anything has changed but the edition.';
REVOKE ALL ON FUNCTION history.drop_changed_packs() FROM PUBLIC;
DROP TRIGGER packs_of_changed ON history.fact;
CREATE TRIGGER packs_of_changed AFTER UPDATE ON history.fact
    REFERENCING OLD TABLE AS gone NEW TABLE AS came FOR EACH STATEMENT EXECUTE FUNCTION history.drop_changed_packs();

RESET ROLE;
