-- The ledger: an append-only record of every disclosure, refusal and access (34 CFR 99.32, 300.614), and the
-- RFC 6962 Merkle tree over it.
--
-- Entries commit concurrently and without a position. One sequencer gives committed entries their leaf index, only
-- below the snapshot's xmin, so that none that commits late is passed over. No row here is ever updated.
--
-- There are no foreign keys between these tables, on purpose: checking one locks the referenced row, which would
-- make every writer queue on the shared row of its terms, and would write to each entry again when it is
-- sequenced. Entry, detail and terms are written in one transaction by one function, and `ledger verify` finds
-- any row that stands alone.

SET ROLE throughline_owner;

CREATE SCHEMA ledger;
COMMENT ON SCHEMA ledger IS 'Record of disclosures: entries, their erasable detail, and the Merkle tree over them.';

CREATE TABLE ledger.terms (
    terms_id bytea PRIMARY KEY CHECK (octet_length(terms_id) = 32),
    consumer text NOT NULL,
    party text NOT NULL CHECK (party <> ''),
    purpose text,
    legal_basis text,
    agreement text,
    agreement_version integer,
    clause text,
    elements text[] NOT NULL,
    withheld text[] NOT NULL,
    onward_parties text[] NOT NULL,
    onward_interests text[] NOT NULL,
    shown_to text[] NOT NULL,
    shown_after_review text[] NOT NULL,
    CHECK (cardinality(onward_parties) = cardinality(onward_interests)),
    CHECK ((agreement IS NULL) = (agreement_version IS NULL) AND (agreement IS NULL) = (clause IS NULL)),
    CHECK ('auditor' = ANY (shown_to))
);
COMMENT ON TABLE ledger.terms IS
    'Who asked, why, under which clause, for which elements, and who may be told. Shared by the entries of a run; not personal.';
COMMENT ON COLUMN ledger.terms.terms_id IS 'SHA-256 over the canonical form of all other columns; entries commit to it.';
COMMENT ON COLUMN ledger.terms.party IS 'Name of the requesting party as a parent should read it: 34 CFR 99.32(a)(3)(i).';
COMMENT ON COLUMN ledger.terms.purpose IS 'The legitimate interest: 34 CFR 99.32(a)(3)(ii), 300.614.';
COMMENT ON COLUMN ledger.terms.withheld IS 'Elements withheld, by id; never one of class other_agency.';
COMMENT ON COLUMN ledger.terms.onward_parties IS
    'Parties to which the recipient may disclose further on the agency''s behalf: 34 CFR 99.32(b)(1).';
COMMENT ON COLUMN ledger.terms.shown_to IS 'Audiences shown entries of these terms on request; auditors always.';
COMMENT ON COLUMN ledger.terms.shown_after_review IS
    'Audiences shown entries after a steward has looked at the copy. Who is in neither list sees nothing, not even a count.';

CREATE TABLE ledger.era (
    era integer PRIMARY KEY CHECK (era > 0),
    began_at timestamptz NOT NULL,
    reason text NOT NULL
);
COMMENT ON TABLE ledger.era IS
    'Transaction ids order entries within one database cluster only. A restore into another cluster begins an era.';
INSERT INTO ledger.era (era, began_at, reason) VALUES (1, '1970-01-01 00:00:00+00', 'the first');

CREATE TABLE ledger.entry (
    entry_id uuid PRIMARY KEY,
    era integer NOT NULL DEFAULT 1,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    kind text NOT NULL CHECK (kind IN (
        'disclosure', 'refusal', 'withdrawal', 'notice', 'access', 'completion', 'gap', 'approval', 'erasure'
    )),
    terms_id bytea NOT NULL CHECK (octet_length(terms_id) = 32),
    delivery text NOT NULL CHECK (delivery IN ('unary', 'stream', 'file', 'document', 'page', 'inspect', 'act')),
    decided_at timestamptz NOT NULL CHECK (isfinite(decided_at)),
    run_id uuid,
    counted bigint CHECK (counted >= 0),
    reason text,
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    record_commitment bytea NOT NULL CHECK (octet_length(record_commitment) = 32),
    detail_commitment bytea NOT NULL CHECK (octet_length(detail_commitment) = 32),
    content_commitment bytea NOT NULL CHECK (octet_length(content_commitment) = 32)
);
COMMENT ON TABLE ledger.entry IS
    'One disclosure, refusal, access or other act. Nothing personal; kept for ever. Committed before the first byte leaves.';
COMMENT ON COLUMN ledger.entry.entry_id IS 'Random. Of a disclosure, the verification code printed on the document.';
COMMENT ON COLUMN ledger.entry.era IS 'The default is raised by ledger.begin_era when a backup is restored.';
COMMENT ON COLUMN ledger.entry.xid IS
    'The transaction that recorded it. Sequenced in (era, xid, entry_id) order, once no earlier transaction can still commit.';
COMMENT ON COLUMN ledger.entry.run_id IS 'The run, stream or export that the entry belongs to.';
COMMENT ON COLUMN ledger.entry.counted IS 'Students or messages that a completion, access or erasure covers.';
COMMENT ON COLUMN ledger.entry.reason IS 'Code of why it was refused, withdrawn or left open.';
COMMENT ON COLUMN ledger.entry.salt IS 'Hides the record behind its commitment.';
COMMENT ON COLUMN ledger.entry.record_commitment IS 'SHA-256 over tag, salt and the canonical form of this row''s statement.';
COMMENT ON COLUMN ledger.entry.detail_commitment IS 'The same over ledger.detail; stays when the detail is erased.';
COMMENT ON COLUMN ledger.entry.content_commitment IS 'The same over the digest of what was sent.';
CREATE INDEX entry_order ON ledger.entry (era, xid, entry_id);
CREATE INDEX entry_run ON ledger.entry (run_id) WHERE kind IN ('completion', 'gap');

CREATE TABLE ledger.detail (
    entry_id uuid PRIMARY KEY,
    salt bytea NOT NULL CHECK (octet_length(salt) = 16),
    content_salt bytea NOT NULL CHECK (octet_length(content_salt) = 16),
    student_id uuid,
    person text,
    system text,
    on_behalf_of text,
    authority text,
    threat text,
    digest bytea CHECK (octet_length(digest) = 32)
);
COMMENT ON TABLE ledger.detail IS
    'The personal part of an entry. Erased with the education record (34 CFR 99.32(a)(2)) or by order, never edited.';
COMMENT ON COLUMN ledger.detail.student_id IS 'Our own pseudonymous id.';
COMMENT ON COLUMN ledger.detail.person IS 'The person who asked, as the requesting party names them.';
COMMENT ON COLUMN ledger.detail.system IS 'The system that asked: the identity in its certificate.';
COMMENT ON COLUMN ledger.detail.authority IS 'Number of the order, release, certification or approved request.';
COMMENT ON COLUMN ledger.detail.threat IS 'Articulable and significant threat of an emergency: 34 CFR 99.32(a)(5).';
COMMENT ON COLUMN ledger.detail.digest IS
    'SHA-256 of exactly what was sent; of an access, the Merkle root over its students; of an erasure, over its entries.';
CREATE INDEX detail_student ON ledger.detail (student_id, entry_id) WHERE student_id IS NOT NULL;

CREATE TABLE ledger.sequence (
    leaf_index bigint PRIMARY KEY CHECK (leaf_index >= 0),
    entry_id uuid NOT NULL UNIQUE,
    leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    era integer NOT NULL,
    xid xid8 NOT NULL
);
COMMENT ON TABLE ledger.sequence IS 'The position of each entry in the tree, given once by the sequencer.';
COMMENT ON COLUMN ledger.sequence.leaf_hash IS 'RFC 6962 leaf hash; level 0 of the tiles.';
COMMENT ON COLUMN ledger.sequence.xid IS 'Of the entry, so that the order can be checked and continued without it.';

CREATE TABLE ledger.node (
    level smallint NOT NULL CHECK (level BETWEEN 1 AND 7),
    node_index bigint NOT NULL CHECK (node_index >= 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, node_index)
);
COMMENT ON TABLE ledger.node IS
    'Tiles above level 0 (C2SP tlog-tiles): a hash of level L is the root over 256 hashes of the level below.';

CREATE TABLE ledger.checkpoint (
    tree_size bigint PRIMARY KEY CHECK (tree_size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    note text NOT NULL,
    made_at timestamptz NOT NULL
);
COMMENT ON TABLE ledger.checkpoint IS 'Every head of the tree that was signed.';
COMMENT ON COLUMN ledger.checkpoint.note IS 'The C2SP checkpoint, as handed out.';

CREATE TABLE ledger.erasure (
    entry_id uuid PRIMARY KEY,
    erasure_id uuid NOT NULL
);
COMMENT ON TABLE ledger.erasure IS 'Entries whose detail was destroyed, and the erasure entry that says on whose authority.';
CREATE INDEX erasure_of ON ledger.erasure (erasure_id, entry_id);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION ledger.refuse_change() IS 'Refuses whatever would change or remove a row.';

CREATE FUNCTION ledger.refuse_unrecorded_erasure() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.erasure AS e WHERE e.entry_id = OLD.entry_id) THEN
        RAISE EXCEPTION 'a detail is destroyed only under a recorded erasure' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END
$$;
COMMENT ON FUNCTION ledger.refuse_unrecorded_erasure() IS 'Lets a detail go only if an erasure names it.';

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['terms', 'era', 'entry', 'sequence', 'node', 'checkpoint', 'erasure'] LOOP
        EXECUTE format(
            'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.%I '
            'FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', kept);
    END LOOP;
END
$$;
CREATE TRIGGER never_edited BEFORE UPDATE OR TRUNCATE ON ledger.detail
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER erased_on_record_only BEFORE DELETE ON ledger.detail
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_unrecorded_erasure();

CREATE FUNCTION ledger.destroy_details(of_erasure uuid) RETURNS bigint
    LANGUAGE sql
    SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    -- ledger.destroy_details
    WITH gone AS (
        DELETE FROM ledger.detail AS d
        USING ledger.erasure AS e
        WHERE e.erasure_id = of_erasure AND d.entry_id = e.entry_id
        RETURNING d.entry_id
    )
    SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION ledger.destroy_details(uuid) IS
    'Destroys the details that a recorded erasure names: the only way a detail goes, and the only right to remove anything here.';

CREATE FUNCTION ledger.begin_era(began timestamptz, why text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
DECLARE
    next_era integer;
BEGIN
    -- Waits for every writer of the era that ends, so that all its entries are committed or gone.
    LOCK TABLE ledger.entry IN ACCESS EXCLUSIVE MODE;
    INSERT INTO ledger.era (era, began_at, reason)
    SELECT max(e.era) + 1, began, why FROM ledger.era AS e
    RETURNING era INTO next_era;
    EXECUTE format('ALTER TABLE ledger.entry ALTER COLUMN era SET DEFAULT %s', next_era);
    -- Entries recorded after the restore and before this call bear ids below those restored, and would never be
    -- reached. They have no position yet, and no commitment covers the era: they join the new one.
    ALTER TABLE ledger.entry DISABLE TRIGGER append_only;
    UPDATE ledger.entry AS e
    SET era = next_era
    FROM (SELECT s.era, s.xid, s.entry_id FROM ledger.sequence AS s ORDER BY s.leaf_index DESC LIMIT 1) AS last
    WHERE (e.era, e.xid, e.entry_id) < (last.era, last.xid, last.entry_id)
        AND NOT EXISTS (SELECT FROM ledger.sequence AS s WHERE s.entry_id = e.entry_id);
    ALTER TABLE ledger.entry ENABLE TRIGGER append_only;
    RETURN next_era;
END
$$;
COMMENT ON FUNCTION ledger.begin_era(timestamptz, text) IS
    'Called by the owner after a restore into another cluster, whose transaction ids begin anew. Without it the sequencer stops.';

REVOKE ALL ON FUNCTION ledger.refuse_change(), ledger.refuse_unrecorded_erasure(), ledger.destroy_details(uuid),
    ledger.begin_era(timestamptz, text) FROM PUBLIC;

-- Who records. Era and transaction id are nobody's to choose.
GRANT USAGE ON SCHEMA ledger TO throughline_ledger, throughline_disclosure, throughline_steward;
GRANT INSERT ON ledger.terms, ledger.detail TO throughline_ledger, throughline_disclosure, throughline_steward;
GRANT INSERT (
    entry_id, kind, terms_id, delivery, decided_at, run_id, counted, reason, salt,
    record_commitment, detail_commitment, content_commitment
) ON ledger.entry TO throughline_ledger, throughline_disclosure, throughline_steward;
-- Who reads. A disclosure records, and looks at no one's record of disclosures.
GRANT SELECT ON ledger.terms, ledger.entry TO throughline_disclosure;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO throughline_ledger, throughline_steward;
-- Who sequences and signs.
GRANT INSERT ON ledger.sequence, ledger.node, ledger.checkpoint TO throughline_ledger;
-- Who erases, by order or on schedule.
GRANT INSERT ON ledger.erasure TO throughline_steward;
GRANT EXECUTE ON FUNCTION ledger.destroy_details(uuid) TO throughline_steward;
