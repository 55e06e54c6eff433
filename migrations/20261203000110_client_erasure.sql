-- Intake: an erasure may be of an agency's client who matches no student.
SET ROLE throughline_owner;

ALTER TABLE intake.erasure ADD COLUMN client_of text CHECK (client_of <> '');
ALTER TABLE intake.erasure ADD COLUMN client_hash bytea CHECK (octet_length(client_hash) = 32);
ALTER TABLE intake.erasure DROP CONSTRAINT erasure_source_persons_check;
ALTER TABLE intake.erasure ADD CONSTRAINT erasure_of_whom CHECK (
    num_nulls(client_of, client_hash) IN (0, 2) AND (cardinality(source_persons) > 0) = (client_hash IS NULL)
    AND (client_hash IS NULL OR domain IS NULL)
);
COMMENT ON COLUMN intake.erasure.client_of IS 'Of an erasure of a client who matches no student: the agency. Its student_id is then drawn for it, and nobody''s.';
COMMENT ON COLUMN intake.erasure.client_hash IS 'The client, as a tombstone names them: a keyed hash of the agency''s own id.';

RESET ROLE;
