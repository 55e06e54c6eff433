-- Intake: what was received, what was wrong with it, and the raw bytes.

SET ROLE throughline_owner;

CREATE SCHEMA intake;
COMMENT ON SCHEMA intake IS 'Received files, findings and quarantine. Raw files and quarantine hold names: same erasure as identity.';

CREATE TABLE intake.batch (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sea text NOT NULL,
    file_name text NOT NULL,
    layout text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    size_bytes bigint NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz,
    state text NOT NULL CHECK (state IN ('received', 'loaded', 'refused')),
    rows_in bigint NOT NULL DEFAULT 0,
    loaded bigint NOT NULL DEFAULT 0,
    unchanged bigint NOT NULL DEFAULT 0,
    superseded bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    passed bigint NOT NULL DEFAULT 0,
    refused_reason text,
    CHECK ((state = 'refused') = (refused_reason IS NOT NULL)),
    CHECK (state <> 'loaded' OR rows_in = loaded + unchanged + superseded + quarantined)
);
CREATE UNIQUE INDEX batch_same_bytes ON intake.batch (sea, sha256, layout) WHERE state = 'loaded';
COMMENT ON TABLE intake.batch IS 'One received file. The counts of its rows add up, by constraint.';
COMMENT ON COLUMN intake.batch.loaded IS 'Rows that made at least one new fact and superseded none.';
COMMENT ON COLUMN intake.batch.superseded IS 'Rows that corrected at least one earlier fact.';
COMMENT ON COLUMN intake.batch.unchanged IS 'Rows that say only what was known.';
COMMENT ON COLUMN intake.batch.passed IS 'Records of kinds the exchange does not keep (calendars, staff): not among rows_in.';

CREATE TABLE intake.raw_block (
    batch_id bigint NOT NULL REFERENCES intake.batch,
    block integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (batch_id, block)
);
ALTER TABLE intake.raw_block ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE intake.raw_block IS 'The file as received, in compressed blocks (gzip members), so that a line can be blanked.';

CREATE TABLE intake.finding (
    batch_id bigint NOT NULL REFERENCES intake.batch,
    finding integer NOT NULL,
    line integer NOT NULL,
    column_number integer,
    field text,
    rule text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('information', 'warning', 'error', 'fatal')),
    message text NOT NULL,
    PRIMARY KEY (batch_id, finding)
);
COMMENT ON TABLE intake.finding IS 'What was wrong, by line, column, field and rule. Never the whole row.';

CREATE TABLE intake.quarantine (
    batch_id bigint NOT NULL REFERENCES intake.batch,
    row_number integer NOT NULL,
    line integer NOT NULL,
    raw bytea NOT NULL,
    PRIMARY KEY (batch_id, row_number)
);
COMMENT ON TABLE intake.quarantine IS 'Rows that were not loaded, as received.';
COMMENT ON COLUMN intake.quarantine.row_number IS 'From 1 within the batch: several records may begin on one line.';

GRANT USAGE ON SCHEMA intake TO throughline_intake, throughline_steward;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA intake TO throughline_intake;
GRANT SELECT ON intake.batch, intake.finding, intake.quarantine TO throughline_steward;

RESET ROLE;
