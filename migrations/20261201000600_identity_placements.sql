-- Placements: which of an agency's clients entered or left a facility, as that agency reports it. Nothing of a case is here, and nothing of this is a fact.

-- Roles belong to the server: whoever migrates makes this one, not the owner.
RESET ROLE;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'throughline_placement') THEN
        BEGIN
            CREATE ROLE throughline_placement NOLOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    IF NOT pg_has_role('throughline_app', 'throughline_placement', 'MEMBER') THEN
        BEGIN
            GRANT throughline_placement TO throughline_app;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END IF;
    IF EXISTS (
        SELECT FROM pg_catalog.pg_roles
        WHERE rolname = 'throughline_placement' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)
    ) THEN
        RAISE EXCEPTION 'throughline_placement holds SUPERUSER, BYPASSRLS, CREATEROLE or CREATEDB; take it away first';
    END IF;
END
$$;

SET ROLE throughline_owner;
CREATE SCHEMA placement;
COMMENT ON SCHEMA placement IS 'Stays in facilities as a court''s service reports them (C.G.S. 46b-124). Apart from all that histories are made of: no role that loads or reads facts has any right here.';

CREATE TABLE placement.file (
    file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reporter text NOT NULL CHECK (reporter <> ''),
    file_name text NOT NULL,
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    reported_on date NOT NULL,
    received_at timestamptz NOT NULL,
    rows_in integer NOT NULL CHECK (rows_in >= 0),
    refused integer NOT NULL CHECK (refused BETWEEN 0 AND rows_in)
);
CREATE INDEX file_reporter ON placement.file (reporter, reported_on);
COMMENT ON TABLE placement.file IS 'Files of placements that were taken, by digest and counts: the bytes are not kept.';
COMMENT ON COLUMN placement.file.reporter IS 'The agency that sent it.';
COMMENT ON COLUMN placement.file.reported_on IS 'The day it speaks of: an older file than the last changes nothing.';

CREATE TABLE placement.stay (
    version_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    placement_id uuid NOT NULL,
    reporter text NOT NULL CHECK (reporter <> ''),
    person_key text NOT NULL CHECK (person_key ~ '^[0-9]{1,18}$'),
    stay_key text NOT NULL CHECK (stay_key ~ '^[0-9][0-9/-]{0,62}$'),
    facility text NOT NULL CHECK (facility ~ '^[0-9A-Z]{1,12}$'),
    admitted_at timestamptz NOT NULL CHECK (isfinite(admitted_at)),
    released_at timestamptz CHECK (admitted_at < released_at),
    is_withdrawn boolean NOT NULL,
    file_id bigint NOT NULL REFERENCES placement.file,
    recorded_at timestamptz NOT NULL,
    superseded_at timestamptz CHECK (recorded_at <= superseded_at)
);
CREATE UNIQUE INDEX stay_current ON placement.stay (reporter, stay_key) WHERE superseded_at IS NULL;
CREATE INDEX stay_person ON placement.stay (reporter, person_key);
COMMENT ON TABLE placement.stay IS 'A stay at a facility, from admission to release. A correction or withdrawal is a new row that supersedes the old one. It has no place for why: no offense, no docket, no court.';
COMMENT ON COLUMN placement.stay.placement_id IS 'Random, ours alone; the same for all versions of a stay.';
COMMENT ON COLUMN placement.stay.person_key IS 'The client, by the reporter''s own id. No foreign key: a stay may be reported before a roster names the client.';
COMMENT ON COLUMN placement.stay.stay_key IS 'The reporter''s own ids of stay and admission, digits only.';
COMMENT ON COLUMN placement.stay.facility IS 'The facility by the state''s code, as the layout translates the reporter''s.';
COMMENT ON COLUMN placement.stay.is_withdrawn IS 'The reporter has taken the report back: there was no such stay.';

GRANT USAGE ON SCHEMA placement TO throughline_placement, throughline_identity;
GRANT SELECT, INSERT ON placement.file, placement.stay TO throughline_placement;
GRANT UPDATE (superseded_at) ON placement.stay TO throughline_placement;
-- An erasure takes a client's stays along; it can find them, and no more.
GRANT SELECT (reporter, person_key), DELETE ON placement.stay TO throughline_identity;

ALTER TABLE placement.file ENABLE ROW LEVEL SECURITY;
ALTER TABLE placement.file FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON placement.file TO throughline_placement
    USING (reporter = current_setting('throughline.reporter', true))
    WITH CHECK (reporter = current_setting('throughline.reporter', true));
ALTER TABLE placement.stay ENABLE ROW LEVEL SECURITY;
ALTER TABLE placement.stay FORCE ROW LEVEL SECURITY;
CREATE POLICY keeps ON placement.stay TO throughline_placement
    USING (reporter = current_setting('throughline.reporter', true))
    WITH CHECK (reporter = current_setting('throughline.reporter', true));
CREATE POLICY erases ON placement.stay TO throughline_identity USING (true) WITH CHECK (false);

RESET ROLE;
