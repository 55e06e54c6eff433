-- Agreements: joining children whom the state reports as different is an act of two people.
SET ROLE throughline_owner;
ALTER TABLE agreements.approval DROP CONSTRAINT approval_act_check;
ALTER TABLE agreements.approval ADD CONSTRAINT approval_act_check
    CHECK (act IN ('agreement.activate', 'instrument.record', 'export.run', 'record.erase', 'record.join'));
ALTER TABLE agreements.request DROP CONSTRAINT request_act_check;
ALTER TABLE agreements.request ADD CONSTRAINT request_act_check
    CHECK (act IN ('export.run', 'instrument.record', 'record.erase', 'record.join'));
COMMENT ON TABLE agreements.request IS
    'Requests for acts that two people approve (a file export outside the schedule, an order that opens records, an erasure, children joined into one): each expires, and serves once.';
COMMENT ON COLUMN agreements.request.used_for IS 'The run, erasure, paper or joining it was used for.';
RESET ROLE;
