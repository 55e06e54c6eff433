-- Agreements: documents and their versions, approvals, activations; the papers that conditions ask for; and activated
-- terms as rows, published as the one view that disclosure joins.

SET ROLE throughline_owner;

CREATE SCHEMA agreements;
COMMENT ON SCHEMA agreements IS 'What the SEA may disclose to whom, on which ground, and until when.';

CREATE TABLE agreements.version (
    agreement_id text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    consumer text NOT NULL,
    document text NOT NULL,
    canonical text NOT NULL,
    digest bytea NOT NULL UNIQUE CONSTRAINT version_digest_of_canonical CHECK (digest = sha256(convert_to(canonical, 'UTF8'))),
    time_zone text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (agreement_id, version),
    UNIQUE (agreement_id, version, consumer, digest),
    CHECK (valid_from < valid_to)
);
COMMENT ON TABLE agreements.version IS 'Versions of agreements. Never changed: an amendment is a version of its own.';
COMMENT ON COLUMN agreements.version.document IS 'The document as it was handed in, for people.';
COMMENT ON COLUMN agreements.version.canonical IS 'What it says, every element by name, as canonical JSON: the form that stewards sign.';
COMMENT ON COLUMN agreements.version.digest IS 'SHA-256 of the canonical form: names the version in approvals and in the ledger.';
COMMENT ON COLUMN agreements.version.valid_to IS 'The instant after its last day in the consumer''s zone; NULL: perpetual.';

CREATE TABLE agreements.term (
    agreement_id text NOT NULL,
    version integer NOT NULL,
    clause text NOT NULL,
    domain smallint NOT NULL,
    legal_basis text NOT NULL,
    basis_rank smallint NOT NULL,
    purposes text[] NOT NULL CHECK (cardinality(purposes) > 0),
    deliveries text[] NOT NULL CHECK (cardinality(deliveries) > 0),
    elements text[] NOT NULL CHECK (cardinality(elements) > 0),
    school_year_from smallint,
    school_year_to smallint,
    max_age_years smallint CHECK (max_age_years > 0),
    exclude_kinds text[] NOT NULL,
    requires_authority boolean NOT NULL,
    requires_pre_adjudication boolean NOT NULL,
    requires_certification boolean NOT NULL,
    ends_at_majority boolean NOT NULL,
    evidence text CHECK (evidence IN ('release', 'court_order', 'emergency')),
    PRIMARY KEY (agreement_id, version, clause, domain, legal_basis),
    FOREIGN KEY (agreement_id, version) REFERENCES agreements.version,
    CHECK (requires_authority OR evidence IS NOT NULL)
);
COMMENT ON TABLE agreements.term IS 'The rules of a version: one row a clause, domain and basis. A function of the canonical form; loading computes them again and compares.';
COMMENT ON COLUMN agreements.term.basis_rank IS 'The place of the basis in the agreement: of those that hold, the lowest decides.';
COMMENT ON COLUMN agreements.term.evidence IS 'The paper about the client that the basis rests on; NULL: none.';

CREATE TABLE agreements.approval (
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    act text NOT NULL CHECK (act IN ('agreement.activate', 'instrument.record')),
    steward text NOT NULL,
    given_at timestamptz NOT NULL,
    signature bytea NOT NULL CHECK (octet_length(signature) = 64),
    sandbox boolean NOT NULL,
    PRIMARY KEY (digest, act, steward, given_at)
);
COMMENT ON TABLE agreements.approval IS 'Signed approvals of two-person acts. They count only if they verify under a key of the configuration, which is checked at each use.';
COMMENT ON COLUMN agreements.approval.sandbox IS 'The program itself held the key.';

CREATE TABLE agreements.activation (
    activation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agreement_id text NOT NULL,
    version integer NOT NULL,
    consumer text NOT NULL,
    digest bytea NOT NULL,
    act text NOT NULL DEFAULT 'agreement.activate' CHECK (act = 'agreement.activate'),
    first_steward text NOT NULL,
    first_given_at timestamptz NOT NULL,
    second_steward text NOT NULL,
    second_given_at timestamptz NOT NULL,
    activated_at timestamptz NOT NULL,
    ended_at timestamptz,
    ended_because text CHECK (ended_because IN ('superseded', 'suspended')),
    ended_by text,
    end_reason text,
    end_recorded_at timestamptz,
    FOREIGN KEY (agreement_id, version, consumer, digest)
        REFERENCES agreements.version (agreement_id, version, consumer, digest),
    FOREIGN KEY (digest, act, first_steward, first_given_at) REFERENCES agreements.approval,
    FOREIGN KEY (digest, act, second_steward, second_given_at) REFERENCES agreements.approval,
    CONSTRAINT activation_by_two CHECK (first_steward <> second_steward),
    CHECK (first_given_at <= activated_at AND second_given_at <= activated_at),
    CHECK (activated_at <= ended_at),
    CHECK (num_nulls(ended_at, ended_because, ended_by, end_reason, end_recorded_at) IN (0, 5))
);
CREATE UNIQUE INDEX activation_one_open_per_consumer ON agreements.activation (consumer) WHERE ended_at IS NULL;
CREATE INDEX activation_consumer ON agreements.activation (consumer, activated_at);
COMMENT ON COLUMN agreements.activation.end_recorded_at IS 'When it was superseded or suspended; ended_at may lie later, where a version was to begin later.';
COMMENT ON TABLE agreements.activation IS 'When a version was in force, and the two approvals it rests on. A consumer has one agreement in force at a time.';

CREATE FUNCTION agreements.refuse_longer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.ended_at IS NULL OR NEW.ended_at > OLD.ended_at THEN
        RAISE EXCEPTION 'an end may be set or made earlier, never taken back' USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION agreements.refuse_longer() IS 'What was suspended or superseded comes back only by a new activation.';
CREATE TRIGGER activation_ends_once BEFORE UPDATE ON agreements.activation
    FOR EACH ROW EXECUTE FUNCTION agreements.refuse_longer();

CREATE TABLE agreements.certification (
    certification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    holder text NOT NULL,
    reference text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    revoked_at timestamptz,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (consumer, reference, valid_from),
    CHECK (valid_from < valid_to)
);
COMMENT ON TABLE agreements.certification IS 'A recipient''s written certification that it will not disclose further (34 CFR 99.31(a)(5)(i)(B)).';
COMMENT ON COLUMN agreements.certification.holder IS 'Who signed for the recipient, by office.';
COMMENT ON COLUMN agreements.certification.reference IS 'Where the paper is.';

CREATE TABLE agreements.instrument (
    instrument_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    person_key text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('parent_release', 'student_release', 'court_order', 'emergency')),
    reference text NOT NULL,
    reason text NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to timestamptz,
    revoked_at timestamptz,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    act text NOT NULL DEFAULT 'instrument.record' CHECK (act = 'instrument.record'),
    first_steward text,
    first_given_at timestamptz,
    second_steward text,
    second_given_at timestamptz,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    UNIQUE (digest),
    FOREIGN KEY (digest, act, first_steward, first_given_at) REFERENCES agreements.approval,
    FOREIGN KEY (digest, act, second_steward, second_given_at) REFERENCES agreements.approval,
    CHECK (valid_from < valid_to),
    CHECK (first_steward <> second_steward),
    CHECK (
        kind IN ('parent_release', 'student_release')
        OR (valid_to IS NOT NULL AND num_nulls(first_steward, first_given_at, second_steward, second_given_at) = 0)
    )
);
CREATE INDEX instrument_person ON agreements.instrument (consumer, person_key);
COMMENT ON TABLE agreements.instrument IS 'Papers about one client: releases, court orders, declared emergencies. Orders and emergencies need two approvals.';
COMMENT ON COLUMN agreements.instrument.person_key IS 'The client by the consumer''s own person id, as in identity.client.';
COMMENT ON COLUMN agreements.instrument.reason IS 'For an emergency the articulable and significant threat (34 CFR 99.32(a)(5)).';
COMMENT ON COLUMN agreements.instrument.digest IS 'SHA-256 of what it says: what stewards sign, and what keeps the same paper from being filed twice.';

CREATE FUNCTION agreements.refuse_unrevoking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.revoked_at IS NULL OR NEW.revoked_at > OLD.revoked_at THEN
        RAISE EXCEPTION 'a revocation may be set or made earlier, never taken back' USING ERRCODE = '23514';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION agreements.refuse_unrevoking() IS 'What was revoked comes back only as a new paper.';
CREATE TRIGGER certification_revoked_once BEFORE UPDATE ON agreements.certification
    FOR EACH ROW EXECUTE FUNCTION agreements.refuse_unrevoking();
CREATE TRIGGER instrument_revoked_once BEFORE UPDATE ON agreements.instrument
    FOR EACH ROW EXECUTE FUNCTION agreements.refuse_unrevoking();

-- Terms of versions that two people approved, with the time they are in force. Where a condition asks for a paper there is
-- one row a paper, and the time is cut to the paper's: whoever joins needs to know of no other table. Times are columns,
-- not a filter: the moment is the reader's, once a transaction. NULL is no bound (LEAST and GREATEST pass over it).
CREATE VIEW agreements.rule WITH (security_invoker = true) AS
SELECT a.consumer, t.agreement_id, t.version, a.digest, t.clause, t.domain, t.legal_basis, t.basis_rank, t.purposes,
    t.deliveries, t.elements, t.school_year_from, t.school_year_to, t.max_age_years, t.exclude_kinds,
    t.requires_authority, t.requires_pre_adjudication, t.requires_certification,
    t.ends_at_majority, false AS begins_at_majority, NULL::text AS person_key, v.time_zone,
    GREATEST(v.valid_from, a.activated_at, c.valid_from) AS valid_from,
    LEAST(v.valid_to, a.ended_at, c.valid_to, c.revoked_at) AS valid_to,
    CASE WHEN a.ended_because = 'suspended' THEN a.ended_at END AS suspended_at
FROM agreements.activation AS a
JOIN agreements.version AS v ON v.agreement_id = a.agreement_id AND v.version = a.version
JOIN agreements.term AS t ON t.agreement_id = a.agreement_id AND t.version = a.version
LEFT JOIN agreements.certification AS c ON c.consumer = a.consumer AND t.requires_certification
WHERE t.evidence IS NULL
    AND (c.consumer IS NOT NULL OR NOT t.requires_certification)
UNION ALL
SELECT a.consumer, t.agreement_id, t.version, a.digest, t.clause, t.domain, t.legal_basis, t.basis_rank, t.purposes,
    t.deliveries, t.elements, t.school_year_from, t.school_year_to, t.max_age_years, t.exclude_kinds,
    t.requires_authority, t.requires_pre_adjudication, t.requires_certification,
    t.ends_at_majority OR i.kind = 'parent_release', i.kind = 'student_release', i.person_key, v.time_zone,
    GREATEST(v.valid_from, a.activated_at, c.valid_from, i.valid_from),
    LEAST(v.valid_to, a.ended_at, c.valid_to, c.revoked_at, i.valid_to, i.revoked_at),
    CASE WHEN a.ended_because = 'suspended' THEN a.ended_at END
FROM agreements.activation AS a
JOIN agreements.version AS v ON v.agreement_id = a.agreement_id AND v.version = a.version
JOIN agreements.term AS t ON t.agreement_id = a.agreement_id AND t.version = a.version
JOIN agreements.instrument AS i ON i.consumer = a.consumer
    AND t.evidence = CASE WHEN i.kind IN ('parent_release', 'student_release') THEN 'release' ELSE i.kind END
LEFT JOIN agreements.certification AS c ON c.consumer = a.consumer AND t.requires_certification
WHERE c.consumer IS NOT NULL OR NOT t.requires_certification;
COMMENT ON VIEW agreements.rule IS 'Activated terms, with the time they hold: the only view of agreements that disclosure joins.';
COMMENT ON COLUMN agreements.rule.person_key IS 'The one client the row is for; NULL: every client of the consumer.';
COMMENT ON COLUMN agreements.rule.requires_authority IS 'Holds only with an authority that names legal_basis itself.';
COMMENT ON COLUMN agreements.rule.begins_at_majority IS 'Holds only from the student''s 18th birthday: the student''s own release.';
COMMENT ON COLUMN agreements.rule.valid_to IS 'The first instant it no longer holds: end of validity, suspension, end or revocation of a paper, whichever comes first.';

GRANT USAGE ON SCHEMA agreements TO throughline_agreements, throughline_disclosure, throughline_steward;
GRANT SELECT ON ALL TABLES IN SCHEMA agreements TO throughline_agreements, throughline_disclosure, throughline_steward;
GRANT INSERT ON agreements.version, agreements.term, agreements.approval, agreements.activation, agreements.certification,
    agreements.instrument TO throughline_agreements;
GRANT UPDATE (ended_at, ended_because, ended_by, end_reason, end_recorded_at) ON agreements.activation TO throughline_agreements;
GRANT UPDATE (revoked_at) ON agreements.certification, agreements.instrument TO throughline_agreements;

-- Second fence: that a court or child welfare holds a paper about somebody is itself confidential. A consumer's
-- transaction sees its own.
ALTER TABLE agreements.instrument ENABLE ROW LEVEL SECURITY;
ALTER TABLE agreements.instrument FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON agreements.instrument TO throughline_agreements USING (true) WITH CHECK (true);
CREATE POLICY inspects ON agreements.instrument FOR SELECT TO throughline_steward USING (true);
CREATE POLICY discloses ON agreements.instrument FOR SELECT TO throughline_disclosure USING (
    consumer = current_setting('throughline.consumer', true)
);

RESET ROLE;
