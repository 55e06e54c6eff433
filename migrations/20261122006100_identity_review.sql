-- Identity: moves of the crosswalk, clerical review, manual links that two people sign, and what matching remembers between nights.

SET ROLE throughline_owner;

CREATE TABLE identity.crosswalk_move (
    move_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('merge', 'unmerge', 'relink')),
    from_student uuid NOT NULL REFERENCES identity.student,
    to_student uuid NOT NULL REFERENCES identity.student,
    source_persons bigint[] NOT NULL CHECK (cardinality(source_persons) > 0),
    joined_since timestamptz NOT NULL,
    decided_by text NOT NULL CHECK (decided_by <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    moved_at timestamptz NOT NULL,
    undoes bigint UNIQUE REFERENCES identity.crosswalk_move,
    CHECK (from_student <> to_student)
);
COMMENT ON TABLE identity.crosswalk_move IS 'Each merge, unmerge and re-link of source persons: who, when, why. Undone by a move of its own; never edited.';
COMMENT ON COLUMN identity.crosswalk_move.joined_since IS 'Since when the first of the moved persons had been of the student they leave: what was disclosed of that student since may hold theirs.';
COMMENT ON COLUMN identity.crosswalk_move.undoes IS 'The move that this one takes back. Each is taken back once at most.';

CREATE TABLE identity.override (
    override_id uuid PRIMARY KEY,
    consumer text NOT NULL,
    client_id bigint NOT NULL REFERENCES identity.client,
    student_id uuid NOT NULL REFERENCES identity.student,
    details_hash bytea NOT NULL,
    statement text NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    requested_by text NOT NULL CHECK (requested_by <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    requested_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT override_digest_of_statement CHECK (digest = sha256(convert_to(statement, 'UTF8')))
);
COMMENT ON TABLE identity.override IS 'Manual links that the engine did not propose: each needs the signatures of two stewards over its statement, and serves once.';
COMMENT ON COLUMN identity.override.details_hash IS 'The client as the stewards saw it: a client whose details have changed since is not linked.';

CREATE TABLE identity.override_approval (
    override_id uuid NOT NULL REFERENCES identity.override,
    steward text NOT NULL,
    given_at timestamptz NOT NULL,
    signature bytea NOT NULL CHECK (octet_length(signature) = 64),
    sandbox boolean NOT NULL,
    PRIMARY KEY (override_id, steward)
);
COMMENT ON TABLE identity.override_approval IS 'Signatures of stewards over an override''s digest. They count only if they verify under a key of the configuration.';
COMMENT ON COLUMN identity.override_approval.sandbox IS 'The program itself held the key.';

ALTER TABLE identity.match_decision ADD COLUMN override_id uuid REFERENCES identity.override;
COMMENT ON COLUMN identity.match_decision.override_id IS 'The override that two stewards signed, for a link that the engine did not propose.';
COMMENT ON COLUMN identity.match_decision.student_id IS 'The student decided on. A non-match with a student speaks of that pair only, one without of the client.';
CREATE INDEX match_decision_review ON identity.match_decision (consumer, client_id) WHERE superseded_at IS NULL AND outcome = 'review';
CREATE INDEX match_decision_student ON identity.match_decision (student_id) WHERE superseded_at IS NULL;

ALTER TABLE identity.roster ADD COLUMN accepted_by text;
COMMENT ON COLUMN identity.roster.accepted_by IS 'The steward who took it although it was much smaller than the last; NULL: nobody had to.';

CREATE TABLE identity.match_model (
    consumer text NOT NULL,
    version integer NOT NULL,
    model jsonb NOT NULL,
    trained_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, version)
);
COMMENT ON TABLE identity.match_model IS 'The engine''s probabilities as learnt for a consumer''s roster; a night scores with the latest and learns anew after some weeks.';

CREATE TABLE identity.match_run (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    model_version integer NOT NULL,
    is_full boolean NOT NULL,
    batch_marks jsonb NOT NULL,
    move_mark bigint NOT NULL,
    clients integer NOT NULL,
    scored integer NOT NULL,
    threshold double precision NOT NULL,
    expected_wrong double precision NOT NULL,
    expected_missed double precision NOT NULL,
    coverage double precision NOT NULL,
    run_at timestamptz NOT NULL,
    FOREIGN KEY (consumer, model_version) REFERENCES identity.match_model
);
CREATE INDEX match_run_consumer ON identity.match_run (consumer, run_id);
COMMENT ON TABLE identity.match_run IS 'Each run of the engine over a roster: what it looked at, its threshold, and what it expects to be wrong and missed.';
COMMENT ON COLUMN identity.match_run.batch_marks IS 'By SEA, the latest batch whose reports it saw: students reported in later ones are changed. One SEA''s loads commit one after the other.';
COMMENT ON COLUMN identity.match_run.move_mark IS 'The latest move of the crosswalk it saw.';
COMMENT ON COLUMN identity.match_run.is_full IS 'Every client was scored; else only those whom a change could concern.';
COMMENT ON COLUMN identity.match_run.threshold IS 'The probability from which pairs were linked: the least at which the expected share of wrong links stays within the limit.';

-- A restriction on one source person holds for all source persons of the student: `released` has a row for each of them.
CREATE OR REPLACE VIEW identity.population WITH (security_invoker = true) AS
SELECT r.consumer, r.person_key, r.client_id, r.authority_id, r.student_id, r.source_person_id, r.legal_basis, r.phase,
    r.office, r.region, r.officer, r.released, r.birth_date
FROM identity.released AS r
WHERE r.released @> nullif(current_setting('throughline.at', true), '')::timestamptz
    AND NOT EXISTS (
        SELECT FROM identity.restriction AS x
        JOIN identity.released AS o ON o.source_person_id = x.source_person_id
        WHERE o.consumer = r.consumer AND o.student_id = r.student_id
            AND x.in_force @> nullif(current_setting('throughline.at', true), '')::timestamptz
    )
UNION ALL
SELECT 'sea'::text, c.student_id::text, NULL::bigint, NULL::bigint, c.student_id, c.source_person_id, 'school_official'::text, NULL::text,
    NULL::text, NULL::text, NULL::text, tstzrange(c.from_at, c.to_at), NULL::date
FROM identity.crosswalk AS c
WHERE c.to_at IS NULL;

GRANT SELECT, INSERT ON identity.crosswalk_move, identity.override, identity.override_approval, identity.match_model, identity.match_run
    TO throughline_identity;
GRANT UPDATE (used_at) ON identity.override TO throughline_identity;
GRANT SELECT ON identity.crosswalk_move, identity.override, identity.override_approval, identity.match_run TO throughline_steward;

RESET ROLE;
