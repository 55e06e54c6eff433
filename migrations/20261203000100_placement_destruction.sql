-- Placements: notices that whoever was told must destroy, what is taken back without a name, and the end of their time.
SET ROLE throughline_owner;

ALTER TABLE disclosure.placement_notice ADD COLUMN names_nobody boolean NOT NULL DEFAULT false;
ALTER TABLE disclosure.placement_notice ADD CHECK (event = 'retracted' OR NOT names_nobody);
COMMENT ON COLUMN disclosure.placement_notice.names_nobody IS 'It says which notice it takes back, and not of whom: perhaps that one has been destroyed by now.';

CREATE TABLE disclosure.placement_destruction (
    notice_id uuid PRIMARY KEY,
    destroys uuid NOT NULL UNIQUE,
    consumer text NOT NULL CHECK (consumer <> ''),
    office text NOT NULL CHECK (office <> ''),
    queued_at timestamptz NOT NULL,
    disclosed_at timestamptz
);
CREATE INDEX placement_destruction_due ON disclosure.placement_destruction (consumer, office, queued_at);
COMMENT ON TABLE disclosure.placement_destruction IS 'Notices about somebody who has been erased since: that the district must destroy them is still to be told. Nothing here leads to the person. Told and arrived, a row goes.';
COMMENT ON COLUMN disclosure.placement_destruction.notice_id IS 'Of the notice that tells it.';
COMMENT ON COLUMN disclosure.placement_destruction.destroys IS 'The notice as the district holds it. Here no other row knows it any more.';
COMMENT ON COLUMN disclosure.placement_destruction.office IS 'The district that was told, by its code.';
COMMENT ON COLUMN disclosure.placement_destruction.disclosed_at IS 'When it was last entered in the ledger; NULL: it has not left.';

GRANT SELECT, DELETE ON disclosure.placement_destruction TO throughline_disclosure;
GRANT UPDATE (disclosed_at) ON disclosure.placement_destruction TO throughline_disclosure;
GRANT INSERT ON disclosure.placement_destruction TO throughline_steward;
ALTER TABLE disclosure.placement_destruction ENABLE ROW LEVEL SECURITY;
ALTER TABLE disclosure.placement_destruction FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON disclosure.placement_destruction TO throughline_disclosure
    USING (consumer = current_setting('throughline.consumer', true)
        AND office = COALESCE(nullif(current_setting('throughline.office', true), ''), office))
    WITH CHECK (consumer = current_setting('throughline.consumer', true)
        AND office = COALESCE(nullif(current_setting('throughline.office', true), ''), office));
CREATE POLICY queues ON disclosure.placement_destruction FOR INSERT TO throughline_steward WITH CHECK (true);

-- Whoever erases keeps which notice is to be destroyed, and whose it is to destroy. By the placement they go at the end of their time.
GRANT SELECT (notice_id, consumer, office, placement_id, disclosed_at) ON disclosure.placement_notice TO throughline_steward;
-- At the end of their time stays go, all versions of one together; the policy of the role keeps it to its reporter's.
GRANT DELETE ON placement.stay TO throughline_placement;

RESET ROLE;
