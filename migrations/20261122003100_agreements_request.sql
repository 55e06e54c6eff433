-- Agreements: requests for acts that two people must approve before they are done, and are done once.

SET ROLE throughline_owner;

ALTER TABLE agreements.approval DROP CONSTRAINT approval_act_check;
ALTER TABLE agreements.approval ADD CONSTRAINT approval_act_check
    CHECK (act IN ('agreement.activate', 'instrument.record', 'export.run'));

CREATE TABLE agreements.request (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    act text NOT NULL CHECK (act = 'export.run'),
    consumer text NOT NULL,
    statement text NOT NULL CONSTRAINT request_digest_of_statement CHECK (digest = sha256(convert_to(statement, 'UTF8'))),
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_for uuid,
    CHECK (requested_at < expires_at),
    CHECK (num_nulls(used_at, used_for) IN (0, 2)),
    CHECK (used_at < expires_at)
);
COMMENT ON TABLE agreements.request IS 'Requests for a file export outside the schedule: each needs two approvals, expires, and serves one run.';
COMMENT ON COLUMN agreements.request.digest IS 'SHA-256 of the statement: what stewards sign, and the name of the request.';
COMMENT ON COLUMN agreements.request.statement IS 'Who asks for what, why and until when, as canonical JSON.';
COMMENT ON COLUMN agreements.request.used_for IS 'The run it was used for.';

CREATE FUNCTION agreements.refuse_second_use() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.used_at IS NOT NULL THEN
        RAISE EXCEPTION 'a request serves one run' USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION agreements.refuse_second_use() IS 'An approved request is used once; the next export needs a request of its own.';
CREATE TRIGGER request_used_once BEFORE UPDATE ON agreements.request
    FOR EACH ROW EXECUTE FUNCTION agreements.refuse_second_use();

GRANT SELECT, INSERT ON agreements.request TO throughline_agreements;
GRANT UPDATE (used_at, used_for) ON agreements.request TO throughline_agreements;
GRANT SELECT ON agreements.request TO throughline_steward, throughline_disclosure;

RESET ROLE;
