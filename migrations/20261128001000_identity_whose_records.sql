-- Whoever a source person is or once was is asked for by key: personal detail of the ledger stays as long as records of its student do.
SET ROLE throughline_owner;
CREATE INDEX crosswalk_student_ever ON identity.crosswalk (student_id);
CREATE INDEX match_decision_client_ever ON identity.match_decision (client_id);
RESET ROLE;
