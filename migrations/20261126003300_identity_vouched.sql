-- Identity: what the program itself decided bears a keyed hash, so that a row that somebody wrote past it is found and named.
SET ROLE throughline_owner;
ALTER TABLE identity.match_decision
    ADD COLUMN vouched bytea CHECK (octet_length(vouched) = 32),
    ADD COLUMN found_vouched bytea CHECK (octet_length(found_vouched) = 32);
COMMENT ON COLUMN identity.match_decision.vouched IS 'Keyed hash over what the match says, by a key outside the database; written in the transaction that decided it. Only of matches.';
COMMENT ON COLUMN identity.match_decision.found_vouched IS 'The same with the later details under which it was found again.';
ALTER TABLE identity.crosswalk_move ADD COLUMN vouched bytea CHECK (octet_length(vouched) = 32);
COMMENT ON COLUMN identity.crosswalk_move.vouched IS 'Keyed hash over what the move says, by a key outside the database; written in the transaction that made it.';
CREATE INDEX match_decision_to_vouch ON identity.match_decision (decision_id)
    WHERE outcome = 'match' AND superseded_at IS NULL AND (vouched IS NULL OR (found_again_hash IS NOT NULL AND found_vouched IS NULL));
GRANT UPDATE (vouched) ON identity.crosswalk_move TO throughline_identity;
RESET ROLE;
