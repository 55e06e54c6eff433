-- Identity: a match is released only while it speaks of the client as the agency last described them.

SET ROLE throughline_owner;

ALTER TABLE identity.match_decision ADD COLUMN found_again_hash bytea;
COMMENT ON COLUMN identity.match_decision.details_hash IS 'The client''s details that were decided on. While the agency''s details are others, and not those of found_again_hash, the match releases nothing.';
COMMENT ON COLUMN identity.match_decision.found_again_hash IS 'A person''s match: later details of the client under which the engine found the same student, and no other one, again.';

RESET ROLE;
