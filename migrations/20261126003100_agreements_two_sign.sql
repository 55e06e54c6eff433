-- Agreements: a certification goes on file, and disclosures go on after a restore, on the word of two stewards.
SET ROLE throughline_owner;
ALTER TABLE agreements.approval DROP CONSTRAINT approval_act_check;
ALTER TABLE agreements.approval ADD CONSTRAINT approval_act_check CHECK (act IN (
    'agreement.activate', 'instrument.record', 'export.run', 'record.erase', 'record.join', 'certification.record', 'exchange.unseal'
));
ALTER TABLE agreements.request DROP CONSTRAINT request_act_check;
ALTER TABLE agreements.request ADD CONSTRAINT request_act_check CHECK (act IN (
    'export.run', 'instrument.record', 'record.erase', 'record.join', 'certification.record', 'exchange.unseal'
));
COMMENT ON TABLE agreements.request IS
    'Requests for acts that two people approve (a file export outside the schedule, an order that opens records, an erasure, children joined into one, a certification, disclosures after a restore): each expires, and serves once.';
COMMENT ON COLUMN agreements.request.used_for IS 'The run, erasure, paper, joining, certification or unsealing it was used for.';
COMMENT ON TABLE agreements.certification IS
    'A recipient''s written certification that it will not disclose further (34 CFR 99.31(a)(5)(i)(B)). It counts while two approvals of exactly what it says verify.';
RESET ROLE;
