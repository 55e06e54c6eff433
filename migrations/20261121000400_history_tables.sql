-- History: one fact table, list-partitioned by domain, keyed by source person. The student domain's partition lives in
-- schema identity, so that names, birth dates and state ids stay there while supersession, as-of and restriction are
-- written once.

SET ROLE throughline_owner;

CREATE SCHEMA history;
COMMENT ON SCHEMA history IS 'Facts: what states reported, when we learned it, and where it stands in which file. No names, no state ids (contacts excepted).';

CREATE TABLE history.batch (
    batch_id bigint PRIMARY KEY,
    sea text NOT NULL,
    file_name text NOT NULL,
    layout text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX batch_recorded ON history.batch (recorded_at);
COMMENT ON TABLE history.batch IS 'When each batch was recorded: the transaction-time axis, and the file name that lineage leads to.';

CREATE TABLE history.fact (
    source_person_id bigint NOT NULL,
    recorded_batch bigint NOT NULL,
    superseded_batch bigint,
    line integer NOT NULL,
    valid_from date,
    valid_to date,
    domain smallint NOT NULL,
    school_year smallint,
    certification smallint NOT NULL CHECK (certification IN (0, 1)),
    restriction smallint NOT NULL CHECK (restriction IN (0, 1)),
    natural_key uuid NOT NULL,
    kind text NOT NULL,
    lea text,
    facility text,
    payload jsonb NOT NULL,
    PRIMARY KEY (source_person_id, domain, natural_key, recorded_batch, line),
    CHECK (superseded_batch IS NULL OR superseded_batch >= recorded_batch)
) PARTITION BY LIST (domain);
COMMENT ON TABLE history.fact IS 'One thing a state reported about one source person. Immutable but for the mark of what superseded it.';
COMMENT ON COLUMN history.fact.natural_key IS '128 bits that name what the fact is about within its person: the same key in a later batch supersedes.';
COMMENT ON COLUMN history.fact.superseded_batch IS 'The batch that replaced or retracted it; NULL while current. Equal to recorded_batch: replaced within its own file, or preliminary after certified.';
COMMENT ON COLUMN history.fact.restriction IS '1: the source says expunged; the mark goes back to every earlier version of the fact.';
COMMENT ON COLUMN history.fact.line IS 'The line or record of the file, from 1.';
COMMENT ON COLUMN history.fact.payload IS 'Element values by name: canonical JSON, checked against the domain''s definition before it is stored.';

CREATE TABLE identity.person_fact PARTITION OF history.fact FOR VALUES IN (1);
COMMENT ON TABLE identity.person_fact IS 'Facts of the student domain: names, birth date, demographics. Row security keeps it from every role but identity, intake and disclosure.';
GRANT SELECT ON identity.person_fact TO throughline_identity, throughline_intake, throughline_steward;

CREATE TABLE history.fact_enrollment PARTITION OF history.fact FOR VALUES IN (2);
CREATE TABLE history.fact_attendance PARTITION OF history.fact FOR VALUES IN (4);
CREATE TABLE history.fact_special_education PARTITION OF history.fact FOR VALUES IN (5);
CREATE TABLE history.fact_discipline PARTITION OF history.fact FOR VALUES IN (6);
CREATE TABLE history.fact_assessment PARTITION OF history.fact FOR VALUES IN (7);
CREATE TABLE history.fact_course PARTITION OF history.fact FOR VALUES IN (8);
CREATE TABLE history.fact_contact PARTITION OF history.fact FOR VALUES IN (9);
CREATE TABLE history.fact_program PARTITION OF history.fact FOR VALUES IN (10);
CREATE TABLE history.fact_literacy PARTITION OF history.fact FOR VALUES IN (11);
COMMENT ON TABLE history.fact_contact IS 'Holds names of parents: same erasure as identity.';

CREATE TABLE history.touched (
    source_person_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    PRIMARY KEY (source_person_id, batch_id)
);
COMMENT ON TABLE history.touched IS 'Source persons a batch changed: what a nightly run must look at.';

CREATE TABLE history.restriction (
    restriction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_person_id bigint NOT NULL,
    domain smallint NOT NULL,
    natural_key uuid,
    kind text NOT NULL CHECK (kind IN ('sealed', 'protective_order', 'confidential_address', 'legal_hold')),
    in_force tstzrange NOT NULL CHECK (NOT isempty(in_force)),
    order_number text NOT NULL,
    decided_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX restriction_person ON history.restriction (source_person_id, domain);
COMMENT ON TABLE history.restriction IS 'A domain or a single fact of a person under restriction: while in force, disclosed to nobody outside the SEA.';
COMMENT ON COLUMN history.restriction.natural_key IS 'The fact; NULL: the whole domain.';

CREATE TABLE history.tombstone (
    key_hash bytea PRIMARY KEY CHECK (octet_length(key_hash) = 32),
    order_number text NOT NULL,
    erased_at timestamptz NOT NULL
);
COMMENT ON TABLE history.tombstone IS 'Keyed hashes of erased facts'' persons and natural keys: the same row in a later load is refused.';

-- Facts that may be disclosed at the moment the transaction has set (throughline.at), as known at throughline.as_of:
-- not superseded then, not expunged, not under a restriction in force now. A missing setting gives no row.
CREATE VIEW history.disclosable WITH (security_invoker = true) AS
SELECT f.source_person_id, f.domain, f.natural_key, f.kind, f.school_year, f.valid_from, f.valid_to, f.lea, f.facility,
    f.certification, f.line, f.payload, f.recorded_batch, b.sea, b.file_name, b.recorded_at
FROM history.fact AS f
JOIN history.batch AS b ON b.batch_id = f.recorded_batch
LEFT JOIN history.batch AS s ON s.batch_id = f.superseded_batch
WHERE f.restriction = 0
    AND b.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
    AND (f.superseded_batch IS NULL
        OR (f.superseded_batch > f.recorded_batch AND s.recorded_at > nullif(current_setting('throughline.as_of', true), '')::timestamptz))
    AND NOT EXISTS (
        SELECT FROM history.restriction AS x
        WHERE x.source_person_id = f.source_person_id
            AND x.domain = f.domain
            AND (x.natural_key IS NULL OR x.natural_key = f.natural_key)
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
    );
COMMENT ON VIEW history.disclosable IS 'What disclosure may read of history: current as of throughline.as_of, never expunged.';

GRANT USAGE ON SCHEMA history TO throughline_history, throughline_intake, throughline_disclosure, throughline_steward;
GRANT SELECT, INSERT, UPDATE ON history.fact, history.batch, history.touched TO throughline_history, throughline_intake;
GRANT DELETE ON history.touched TO throughline_history;
GRANT SELECT, INSERT, UPDATE ON history.restriction, history.tombstone TO throughline_history;
GRANT SELECT ON history.tombstone TO throughline_intake;
GRANT SELECT ON history.disclosable TO throughline_disclosure, throughline_steward;
GRANT SELECT ON history.fact, history.batch, history.touched TO throughline_steward;

-- Second fence. The view runs with its reader's rights, so these policies hold through it too.
ALTER TABLE history.fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE history.fact FORCE ROW LEVEL SECURITY;
CREATE POLICY loads ON history.fact TO throughline_intake USING (true) WITH CHECK (true);
CREATE POLICY keeps ON history.fact TO throughline_history USING (domain <> 1) WITH CHECK (domain <> 1);
CREATE POLICY inspects ON history.fact FOR SELECT TO throughline_steward USING (true);
GRANT SELECT ON history.fact, history.batch, history.restriction TO throughline_disclosure, throughline_steward;
CREATE POLICY discloses ON history.fact FOR SELECT TO throughline_disclosure USING (
    restriction = 0
    AND EXISTS (
        SELECT FROM identity.released AS r
        WHERE r.source_person_id = fact.source_person_id
            AND r.consumer = current_setting('throughline.consumer', true)
            AND r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
    )
);

ALTER TABLE identity.person_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.person_fact FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON identity.person_fact FOR SELECT TO throughline_identity, throughline_intake USING (true);
CREATE POLICY inspects ON identity.person_fact FOR SELECT TO throughline_steward USING (true);

RESET ROLE;
