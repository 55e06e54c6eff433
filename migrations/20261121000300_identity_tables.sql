-- Identity: the only place where names, birth dates and state identifiers live; the crosswalk; rosters, authorities,
-- matches and the population that follows from them.

SET ROLE throughline_owner;

CREATE SCHEMA identity;
COMMENT ON SCHEMA identity IS 'Who is who: source persons, students, clients, matches, authority. The only schema with names, birth dates and state ids.';

CREATE TABLE identity.source_person (
    source_person_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sea text NOT NULL,
    state_id text NOT NULL,
    created_batch bigint NOT NULL,
    UNIQUE (sea, state_id)
);
COMMENT ON TABLE identity.source_person IS 'One person as one state reports them. The surrogate is what every other schema knows.';

CREATE TABLE identity.student (
    student_id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE identity.student IS 'A student: the set of source persons that the crosswalk joins under one random id.';

CREATE TABLE identity.crosswalk (
    crosswalk_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    student_id uuid NOT NULL REFERENCES identity.student,
    source_person_id bigint NOT NULL REFERENCES identity.source_person,
    from_at timestamptz NOT NULL,
    to_at timestamptz,
    decided_by text NOT NULL,
    reason text NOT NULL,
    CHECK (to_at IS NULL OR from_at <= to_at)
);
CREATE UNIQUE INDEX crosswalk_current ON identity.crosswalk (source_person_id) WHERE to_at IS NULL;
CREATE INDEX crosswalk_student ON identity.crosswalk (student_id) WHERE to_at IS NULL;
COMMENT ON TABLE identity.crosswalk IS 'Which source persons are one student, with interval, author and reason. Merge and unmerge move rows here and touch no fact.';

CREATE TABLE identity.restriction (
    restriction_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_person_id bigint NOT NULL REFERENCES identity.source_person,
    kind text NOT NULL CHECK (kind IN ('sealed', 'protective_order', 'confidential_address', 'legal_hold')),
    in_force tstzrange NOT NULL CHECK (NOT isempty(in_force)),
    order_number text NOT NULL,
    decided_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX restriction_person ON identity.restriction (source_person_id);
COMMENT ON TABLE identity.restriction IS 'A whole person under a sealed record, protective order or hold: while in force, nothing of the person is disclosed outside the SEA.';

CREATE TABLE identity.roster (
    roster_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    file_name text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    kind text NOT NULL CHECK (kind IN ('snapshot', 'delta')),
    roster_date date NOT NULL,
    received_at timestamptz NOT NULL,
    rows_in integer NOT NULL,
    accepted integer NOT NULL,
    refused integer NOT NULL
);
CREATE INDEX roster_consumer ON identity.roster (consumer, roster_date);
COMMENT ON TABLE identity.roster IS 'A roster an agency sent. Two of different days may be byte for byte the same.';

CREATE TABLE identity.client (
    client_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    person_key text NOT NULL,
    first_roster bigint NOT NULL REFERENCES identity.roster,
    last_roster bigint NOT NULL REFERENCES identity.roster,
    details jsonb NOT NULL,
    details_hash bytea NOT NULL,
    UNIQUE (consumer, person_key)
);
COMMENT ON TABLE identity.client IS 'A person on an agency''s roster, before and apart from a match.';
COMMENT ON COLUMN identity.client.person_key IS 'The agency''s own person id: the only name by which the agency addresses a student.';
COMMENT ON COLUMN identity.client.details IS 'Names, birth date, sex, race, town, ZIP, SASID as the agency last sent them.';

CREATE TABLE identity.authority (
    authority_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL REFERENCES identity.client,
    roster_id bigint NOT NULL REFERENCES identity.roster,
    source_key text NOT NULL,
    kind text NOT NULL,
    legal_basis text NOT NULL,
    phase text CHECK (phase IN ('pre_adjudication', 'adjudicated')),
    office text,
    region text,
    officer text,
    order_number text,
    start_date date NOT NULL,
    end_date date,
    end_reason text,
    released tstzrange NOT NULL CHECK (NOT isempty(released)),
    recorded_at timestamptz NOT NULL,
    superseded_at timestamptz
);
CREATE INDEX authority_client ON identity.authority (client_id) WHERE superseded_at IS NULL;
COMMENT ON TABLE identity.authority IS 'Why an agency may ask about a client and when: custody episode, supervision, release. Days as sent, and the half-open instants they mean.';
COMMENT ON COLUMN identity.authority.source_key IS 'The agency''s own id of the episode or case, or a digest of what tells it apart.';
COMMENT ON COLUMN identity.authority.released IS 'Half-open instants in the consumer''s zone: from the start day''s beginning to the beginning of the day after the end day, cut where roster presence ends.';

CREATE TABLE identity.match_decision (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL REFERENCES identity.client,
    source_person_id bigint REFERENCES identity.source_person,
    student_id uuid REFERENCES identity.student,
    consumer text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('match', 'review', 'non_match')),
    probability double precision,
    score_bits double precision,
    explanation jsonb NOT NULL,
    details_hash bytea NOT NULL,
    decided_by text NOT NULL,
    reason text NOT NULL,
    decided_at timestamptz NOT NULL,
    superseded_at timestamptz,
    CHECK (outcome <> 'match' OR (source_person_id IS NOT NULL AND student_id IS NOT NULL))
);
CREATE UNIQUE INDEX match_decision_one_current_match_per_client ON identity.match_decision (client_id)
    WHERE superseded_at IS NULL AND outcome = 'match';
CREATE UNIQUE INDEX match_decision_one_client_per_student ON identity.match_decision (consumer, student_id)
    WHERE superseded_at IS NULL AND outcome = 'match';
CREATE INDEX match_decision_client ON identity.match_decision (client_id) WHERE superseded_at IS NULL;
COMMENT ON TABLE identity.match_decision IS 'Every decision on a client: who, when, why, with the explanation of the score. Undone by superseding, never by editing. Rows of outcome review are the clerical review queue.';
COMMENT ON COLUMN identity.match_decision.decided_by IS '''engine <model version>'', or a steward. A person''s decision outranks the engine.';

CREATE TABLE identity.released (
    client_id bigint NOT NULL REFERENCES identity.client,
    authority_id bigint NOT NULL REFERENCES identity.authority,
    source_person_id bigint NOT NULL REFERENCES identity.source_person,
    student_id uuid NOT NULL,
    consumer text NOT NULL,
    person_key text NOT NULL,
    legal_basis text NOT NULL,
    phase text,
    office text,
    region text,
    officer text,
    released tstzrange NOT NULL,
    birth_date date,
    PRIMARY KEY (consumer, source_person_id, authority_id)
);
CREATE INDEX released_person_key ON identity.released (consumer, person_key);
CREATE INDEX released_student ON identity.released (student_id);
COMMENT ON COLUMN identity.released.birth_date IS 'The earliest the state reports of the student, else the roster''s: rights pass at 18.';
COMMENT ON TABLE identity.released IS 'The population intervals that follow from current matches and authorities: rebuilt for a client in the transaction that changes either.';


-- What disclosure may read, at the moment the transaction has set (throughline.at); a missing setting gives no row.
-- The view runs with its reader's rights: a consumer's transaction sees its own population, the steward role the SEA's.
CREATE VIEW identity.population WITH (security_invoker = true) AS
SELECT r.consumer, r.person_key, r.client_id, r.authority_id, r.student_id, r.source_person_id, r.legal_basis, r.phase,
    r.office, r.region, r.officer, r.released, r.birth_date
FROM identity.released AS r
WHERE r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
    AND NOT EXISTS (
        SELECT FROM identity.restriction AS x
        WHERE x.source_person_id = r.source_person_id
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
    )
UNION ALL
SELECT 'sea'::text, c.student_id::text, NULL::bigint, NULL::bigint, c.student_id, c.source_person_id, 'school_official'::text, NULL::text,
    NULL::text, NULL::text, NULL::text, tstzrange(c.from_at, c.to_at), NULL::date
FROM identity.crosswalk AS c
WHERE c.to_at IS NULL;
COMMENT ON VIEW identity.population IS 'Who is whose client at throughline.at, restrictions applied: the only view of identity that disclosure joins.';

GRANT USAGE ON SCHEMA identity TO throughline_identity, throughline_intake, throughline_disclosure, throughline_steward;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA identity TO throughline_identity;
GRANT SELECT, INSERT ON identity.source_person, identity.student, identity.crosswalk TO throughline_intake;
GRANT SELECT ON identity.population, identity.released, identity.restriction, identity.crosswalk
    TO throughline_disclosure, throughline_steward;
GRANT SELECT ON identity.client, identity.match_decision, identity.authority, identity.source_person TO throughline_steward;

-- Second fence. The owner is not exempt (FORCE); each role gets what its policy says, and a role without one gets no row.
ALTER TABLE identity.released ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.released FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON identity.released TO throughline_identity USING (true) WITH CHECK (true);
CREATE POLICY inspects ON identity.released FOR SELECT TO throughline_steward USING (true);
CREATE POLICY discloses ON identity.released FOR SELECT TO throughline_disclosure USING (
    consumer = current_setting('throughline.consumer', true)
);

ALTER TABLE identity.crosswalk ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.crosswalk FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON identity.crosswalk TO throughline_identity, throughline_intake USING (true) WITH CHECK (true);
CREATE POLICY inspects ON identity.crosswalk FOR SELECT TO throughline_steward USING (true);

RESET ROLE;
