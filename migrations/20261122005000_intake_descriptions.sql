-- Intake: what records describe for others to refer to, and records that rest on such descriptions; rows that are no facts count
-- as rows of their file.

SET ROLE throughline_owner;

CREATE TABLE intake.description (
    sea text NOT NULL,
    reference bytea NOT NULL CHECK (octet_length(reference) = 32),
    kind text NOT NULL,
    body bytea NOT NULL,
    batch_id bigint NOT NULL REFERENCES intake.batch,
    line integer NOT NULL,
    PRIMARY KEY (sea, reference)
);
CREATE INDEX description_kind ON intake.description (sea, kind);
COMMENT ON TABLE intake.description IS
    'What a source said last about things that its records refer to: schools, courses, sessions, programs, tests, contacts, incidents. Holds names of contacts: same erasure as quarantine.';
COMMENT ON COLUMN intake.description.reference IS 'SHA-256 of the kind and of the identity in the source.';
COMMENT ON COLUMN intake.description.kind IS 'Contacts and incidents are looked up when a record asks for them; the other kinds are read before each delivery.';
COMMENT ON COLUMN intake.description.body IS 'What is said, in the form of the reader that wrote it.';
COMMENT ON COLUMN intake.description.line IS 'Where it is said, in the file of its batch.';

CREATE TABLE intake.kept_record (
    kept_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sea text NOT NULL,
    batch_id bigint NOT NULL REFERENCES intake.batch,
    line integer NOT NULL,
    record bytea NOT NULL
);
CREATE INDEX kept_record_sea ON intake.kept_record (sea);
COMMENT ON TABLE intake.kept_record IS
    'Records that rest on descriptions, or on a student, that have not come yet or may change: read again when they do. Hold names: same erasure as quarantine.';
COMMENT ON COLUMN intake.kept_record.batch_id IS 'The batch that brought the record.';
COMMENT ON COLUMN intake.kept_record.record IS 'The record in the form of the reader that wrote it.';

CREATE TABLE intake.kept_for (
    sea text NOT NULL,
    reference bytea NOT NULL CHECK (octet_length(reference) = 32),
    kept_id bigint NOT NULL REFERENCES intake.kept_record ON DELETE CASCADE,
    PRIMARY KEY (sea, reference, kept_id)
);
CREATE INDEX kept_for_record ON intake.kept_for (kept_id);
COMMENT ON TABLE intake.kept_for IS 'What a kept record rests on.';

CREATE TABLE intake.kept_subject (
    sea text NOT NULL,
    subject bytea NOT NULL CHECK (octet_length(subject) = 32),
    kept_id bigint NOT NULL REFERENCES intake.kept_record ON DELETE CASCADE,
    PRIMARY KEY (sea, subject, kept_id)
);
CREATE INDEX kept_subject_record ON intake.kept_subject (kept_id);
COMMENT ON TABLE intake.kept_subject IS 'The facts a kept record speaks of: a later record of one of them, or its withdrawal, takes its place.';
COMMENT ON COLUMN intake.kept_subject.subject IS 'SHA-256 of person, domain and natural key.';

GRANT SELECT, INSERT, UPDATE, DELETE ON intake.description, intake.kept_record, intake.kept_for, intake.kept_subject
    TO throughline_intake;

-- Rows that describe, and rows of kinds the exchange does not keep, are rows of the file too.
DO $$
DECLARE
    sum_of_rows text;
BEGIN
    SELECT conname INTO STRICT sum_of_rows FROM pg_catalog.pg_constraint
    WHERE conrelid = 'intake.batch'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%rows_in%';
    EXECUTE format('ALTER TABLE intake.batch DROP CONSTRAINT %I', sum_of_rows);
END $$;
UPDATE intake.batch SET rows_in = rows_in + passed;
ALTER TABLE intake.batch ADD CONSTRAINT batch_rows_add_up
    CHECK (state <> 'loaded' OR rows_in = loaded + unchanged + superseded + quarantined + passed);
COMMENT ON COLUMN intake.batch.passed IS
    'Control rows: they describe what others refer to, or are of a kind the exchange does not keep. Counted among rows_in.';

RESET ROLE;
