-- Disclosure: how far each receiver of a feed has stored it durably.

SET ROLE throughline_owner;

CREATE TABLE disclosure.acknowledged (
    consumer text NOT NULL,
    run_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position >= 0),
    acknowledged_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, run_id)
);
COMMENT ON TABLE disclosure.acknowledged IS 'The greatest position of a run that its receiver has acknowledged: everything up to it is stored there.';
COMMENT ON COLUMN disclosure.acknowledged.acknowledged_at IS 'When the position was first acknowledged.';

GRANT SELECT, INSERT, UPDATE ON disclosure.acknowledged TO throughline_disclosure;
ALTER TABLE disclosure.acknowledged ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.acknowledged FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.acknowledged TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true))
    WITH CHECK (consumer = current_setting('throughline.consumer', true));

RESET ROLE;
