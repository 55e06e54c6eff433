-- Identity: bulk decisions on pairs alike, each after a drawn sample was looked at one by one.

SET ROLE throughline_owner;

CREATE TABLE identity.bulk (
    bulk_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    kind text NOT NULL CHECK (kind <> ''),
    outcome text NOT NULL CHECK (outcome IN ('match', 'non_match')),
    drawn_by text NOT NULL CHECK (drawn_by <> ''),
    reason text NOT NULL CHECK (reason <> ''),
    drawn_at timestamptz NOT NULL,
    refused_at timestamptz,
    applied_by text,
    applied_at timestamptz,
    undone_by text,
    undone_reason text CHECK (undone_reason <> ''),
    undone_at timestamptz,
    CHECK (refused_at IS NULL OR applied_at IS NULL),
    CHECK ((applied_by IS NULL) = (applied_at IS NULL)),
    CHECK ((undone_by IS NULL) = (undone_at IS NULL) AND (undone_reason IS NULL) = (undone_at IS NULL)),
    CHECK (undone_at IS NULL OR applied_at IS NOT NULL)
);
CREATE UNIQUE INDEX bulk_open ON identity.bulk (consumer, kind) WHERE refused_at IS NULL AND applied_at IS NULL;
COMMENT ON TABLE identity.bulk IS 'Decisions on many pairs at once that wait for the same reason and agree in the same way: carried out only when a drawn sample, looked at one by one, was decided alike.';
COMMENT ON COLUMN identity.bulk.kind IS 'What the pairs have in common: why they wait, the range of their probability, and the levels of the names'' and birth dates'' comparisons. No value of a record.';
COMMENT ON COLUMN identity.bulk.outcome IS 'What is decided of every pair.';
COMMENT ON COLUMN identity.bulk.refused_at IS 'When a pair of it had been decided otherwise: its pairs are decided one by one, and come into no other bulk.';

CREATE TABLE identity.bulk_member (
    bulk_id bigint NOT NULL REFERENCES identity.bulk,
    client_id bigint NOT NULL REFERENCES identity.client,
    student_id uuid NOT NULL REFERENCES identity.student,
    decision_id bigint NOT NULL REFERENCES identity.match_decision,
    sampled_at timestamptz,
    looked_at timestamptz,
    PRIMARY KEY (bulk_id, client_id),
    CHECK (looked_at IS NULL OR sampled_at IS NOT NULL)
);
CREATE INDEX bulk_member_client ON identity.bulk_member (client_id);
COMMENT ON TABLE identity.bulk_member IS 'The pairs of a bulk as they stood when it was drawn.';
COMMENT ON COLUMN identity.bulk_member.decision_id IS 'The engine''s row by which the pair waits: a pair that has moved on since is not decided with the bulk.';
COMMENT ON COLUMN identity.bulk_member.sampled_at IS 'When chance drew it into the sample; NULL: it is not of the sample.';
COMMENT ON COLUMN identity.bulk_member.looked_at IS 'When a steward last looked at the case: only a decision made after a look counts as the sample''s.';

ALTER TABLE identity.match_decision ADD COLUMN bulk_id bigint REFERENCES identity.bulk;
COMMENT ON COLUMN identity.match_decision.bulk_id IS 'The bulk with which it was decided, without a look at this pair.';
CREATE INDEX match_decision_bulk ON identity.match_decision (bulk_id) WHERE bulk_id IS NOT NULL;

GRANT SELECT, INSERT ON identity.bulk, identity.bulk_member TO throughline_identity;
GRANT UPDATE (refused_at, applied_by, applied_at, undone_by, undone_reason, undone_at) ON identity.bulk TO throughline_identity;
GRANT UPDATE (sampled_at, looked_at) ON identity.bulk_member TO throughline_identity;
GRANT SELECT ON identity.bulk, identity.bulk_member TO throughline_steward;

RESET ROLE;
