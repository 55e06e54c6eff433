-- History: which keys bear the source's mark of expungement, found at once when a later row of them comes.

SET ROLE throughline_owner;

CREATE INDEX fact_expunged ON history.fact (source_person_id, natural_key) WHERE restriction = 1;
COMMENT ON COLUMN history.fact.restriction IS '1: the source says expunged; the mark goes back to every earlier version of the fact, and no later version without it is stored.';

RESET ROLE;
