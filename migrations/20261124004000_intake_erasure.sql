-- Intake: erasing by order or at the end of retention: the act and how far it has come, what was blanked in which file, and whose rows are
-- refused from then on.
SET ROLE throughline_owner;

-- Two people approve it, as they do an export.
ALTER TABLE agreements.approval DROP CONSTRAINT approval_act_check;
ALTER TABLE agreements.approval ADD CONSTRAINT approval_act_check
    CHECK (act IN ('agreement.activate', 'instrument.record', 'export.run', 'record.erase'));
ALTER TABLE agreements.request DROP CONSTRAINT request_act_check;
ALTER TABLE agreements.request ADD CONSTRAINT request_act_check CHECK (act IN ('export.run', 'instrument.record', 'record.erase'));
COMMENT ON TABLE agreements.request IS
    'Requests for acts that two people approve (a file export outside the schedule, an order that opens records, an erasure): each expires, and serves once.';
COMMENT ON COLUMN agreements.request.used_for IS 'The run, erasure or paper it was used for.';
GRANT DELETE ON agreements.instrument, agreements.request TO throughline_agreements;

CREATE TABLE intake.erasure (
    erasure_id uuid PRIMARY KEY,
    request bytea NOT NULL UNIQUE CHECK (octet_length(request) = 32),
    student_id uuid NOT NULL,
    source_persons bigint[] NOT NULL CHECK (cardinality(source_persons) > 0),
    domain smallint,
    natural_key uuid,
    ground text NOT NULL CHECK (ground IN ('court_order', 'retention')),
    order_number text NOT NULL CHECK (order_number <> ''),
    approved_by text[] NOT NULL CHECK (cardinality(approved_by) = 2),
    begun_at timestamptz NOT NULL,
    step text NOT NULL CHECK (step IN ('raw', 'files', 'records', 'purge', 'done')),
    batch_done bigint NOT NULL DEFAULT 0,
    lines_blanked bigint NOT NULL DEFAULT 0,
    facts_erased bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,
    CHECK ((domain IS NULL) = (natural_key IS NULL)),
    CHECK ((step = 'done') = (finished_at IS NOT NULL))
);
CREATE INDEX erasure_student ON intake.erasure (student_id);
COMMENT ON TABLE intake.erasure IS
    'Erasures, each on a request that two stewards signed: whose records, on whose order, and how far it has come. Names nobody: our own ids only.';
COMMENT ON COLUMN intake.erasure.student_id IS 'Our own random id. It stays, so that whoever asks about it is told that it was erased.';
COMMENT ON COLUMN intake.erasure.domain IS 'With natural_key the one fact that goes; NULL: everything about the student.';
COMMENT ON COLUMN intake.erasure.step IS
    'What is to be done next: raw (lines of kept files), files (findings and deliveries on disk), records (the database), purge (what the server still holds of deleted rows).';
COMMENT ON COLUMN intake.erasure.batch_done IS 'The last batch whose file was searched: a search that was broken off goes on behind it.';

CREATE TABLE intake.redaction (
    batch_id bigint NOT NULL REFERENCES intake.batch,
    line integer NOT NULL,
    erasure_id uuid REFERENCES intake.erasure,
    PRIMARY KEY (batch_id, line)
);
COMMENT ON TABLE intake.redaction IS 'The redaction list of kept files: lines that were overwritten with blanks.';
COMMENT ON COLUMN intake.redaction.erasure_id IS 'The erasure; NULL: the row came after it, was refused by its tombstone and never kept.';
ALTER TABLE intake.batch ADD COLUMN redacted_sha256 bytea CHECK (octet_length(redacted_sha256) = 32);
ALTER TABLE intake.batch ADD COLUMN erased bigint NOT NULL DEFAULT 0 CHECK (erased >= 0);
COMMENT ON COLUMN intake.batch.sha256 IS 'Of the bytes as received, for ever.';
COMMENT ON COLUMN intake.batch.redacted_sha256 IS 'Of the bytes as they are kept since lines were blanked; NULL: as received.';
COMMENT ON COLUMN intake.batch.erased IS 'Rows that were in and have been erased since: a second load of the same bytes counts them as quarantined.';

ALTER TABLE history.tombstone ADD COLUMN kind text NOT NULL DEFAULT 'fact' CHECK (kind IN ('fact', 'person', 'client'));
ALTER TABLE history.tombstone ADD COLUMN id_length smallint CHECK (id_length > 0);
ALTER TABLE history.tombstone ADD CHECK ((kind = 'person') = (id_length IS NOT NULL));
COMMENT ON TABLE history.tombstone IS
    'Keyed hashes of what was erased (a fact''s person and key, a person''s state id, a client''s person id): the same in a later file is refused.';
COMMENT ON COLUMN history.tombstone.id_length IS 'Bytes of a person''s state id: how rows that cannot be read are searched for it.';

-- A fact goes under a recorded erasure that is at work, or not at all.
CREATE FUNCTION history.refuse_unrecorded_erasure() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM intake.erasure AS e
        WHERE e.erasure_id = nullif(current_setting('throughline.erasure', true), '')::uuid AND e.step = 'records'
    ) THEN
        RAISE EXCEPTION 'a fact is erased only under a recorded erasure' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION history.refuse_unrecorded_erasure() IS 'Lets facts go only for an erasure that two people signed.';
REVOKE ALL ON FUNCTION history.refuse_unrecorded_erasure() FROM PUBLIC;
CREATE TRIGGER erased_on_record_only AFTER DELETE ON history.fact
    FOR EACH STATEMENT EXECUTE FUNCTION history.refuse_unrecorded_erasure();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON history.fact
    FOR EACH STATEMENT EXECUTE FUNCTION history.refuse_unrecorded_erasure();

-- What is kept of a file is replaced by the same with lines blanked, never removed.
CREATE FUNCTION intake.refuse_unreplaced_blocks() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM gone AS g
        WHERE NOT EXISTS (SELECT FROM intake.raw_block AS n WHERE n.batch_id = g.batch_id AND n.block < 0)
    ) THEN
        RAISE EXCEPTION 'blocks of a file go only when others have taken their place' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION intake.refuse_unreplaced_blocks() IS 'New blocks bear negative numbers until the old ones are gone.';
CREATE TRIGGER replaced_never_removed AFTER DELETE ON intake.raw_block
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION intake.refuse_unreplaced_blocks();

GRANT SELECT, INSERT, UPDATE ON intake.erasure, intake.redaction TO throughline_intake;
GRANT SELECT ON intake.erasure, intake.redaction TO throughline_steward;
GRANT DELETE ON intake.finding, intake.quarantine, intake.raw_block TO throughline_intake;
GRANT DELETE ON history.fact, history.touched, history.restriction TO throughline_intake;
GRANT SELECT ON history.restriction TO throughline_intake;
GRANT INSERT ON history.tombstone TO throughline_intake;
GRANT DELETE ON identity.crosswalk_move, identity.override, identity.override_approval, identity.awaiting_order, identity.bulk_member
    TO throughline_identity;
GRANT UPDATE (source_persons) ON identity.crosswalk_move TO throughline_identity;

-- Whoever received what is erased is told to destroy it.
ALTER TABLE disclosure.recall DROP CONSTRAINT recall_cause_check;
ALTER TABLE disclosure.recall ADD CONSTRAINT recall_cause_check CHECK (cause IN ('match_undone', 'crosswalk_moved', 'erased'));
COMMENT ON TABLE disclosure.recall IS
    'Disclosures that must be called back from the consumer that holds them: made on a match that proved wrong, or of records erased since. One row a disclosure.';
GRANT DELETE ON disclosure.recall TO throughline_disclosure;
RESET ROLE;
