-- Reference data: organizations as each state names them, bitemporal.

SET ROLE throughline_owner;

CREATE SCHEMA reference;
COMMENT ON SCHEMA reference IS 'Organizations and collection windows, per SEA; bitemporal; each row verified or provisional.';

CREATE TABLE reference.organization (
    sea text NOT NULL,
    code text NOT NULL,
    valid_from date NOT NULL,
    recorded_at timestamptz NOT NULL,
    superseded_at timestamptz,
    valid_to date,
    name text NOT NULL,
    organization_type text NOT NULL,
    parent_code text,
    town text,
    agency text CHECK (agency IN ('justice', 'child_welfare')),
    status text NOT NULL CHECK (status IN ('verified', 'provisional')),
    PRIMARY KEY (sea, code, valid_from, recorded_at),
    CHECK (valid_to IS NULL OR valid_from <= valid_to)
);
CREATE INDEX organization_current ON reference.organization (sea, code) WHERE superseded_at IS NULL;
COMMENT ON TABLE reference.organization IS 'A district, school or facility under the name it bore in a period.';
COMMENT ON COLUMN reference.organization.valid_from IS 'First day of this name; -infinity is written as 0001-01-01.';
COMMENT ON COLUMN reference.organization.superseded_at IS 'When a later row replaced what this one says about the same days.';
COMMENT ON COLUMN reference.organization.agency IS 'The other agency whose involvement the organization reveals, if any.';

GRANT USAGE ON SCHEMA reference TO throughline_reference, throughline_intake, throughline_disclosure, throughline_steward;
GRANT SELECT, INSERT, UPDATE ON reference.organization TO throughline_reference, throughline_intake;
GRANT SELECT ON reference.organization TO throughline_disclosure, throughline_steward;

RESET ROLE;
