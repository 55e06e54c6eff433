-- Portal: who is signed in, and which sign-ins were used up. It names staff, never a student.

-- Roles belong to the server: whoever migrates makes this one, not the owner.
RESET ROLE;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'throughline_portal') THEN
        BEGIN
            CREATE ROLE throughline_portal NOLOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    IF NOT pg_has_role('throughline_app', 'throughline_portal', 'MEMBER') THEN
        BEGIN
            GRANT throughline_portal TO throughline_app;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END IF;
    IF EXISTS (
        SELECT FROM pg_catalog.pg_roles
        WHERE rolname = 'throughline_portal' AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)
    ) THEN
        RAISE EXCEPTION 'throughline_portal holds SUPERUSER, BYPASSRLS, CREATEROLE or CREATEDB; take it away first';
    END IF;
END
$$;

SET ROLE throughline_owner;
CREATE SCHEMA portal;

CREATE TABLE portal.session (
    session_hash bytea PRIMARY KEY CHECK (octet_length(session_hash) = 32),
    issuer text NOT NULL CHECK (issuer <> ''),
    subject text NOT NULL CHECK (subject <> ''),
    person_name text NOT NULL,
    consumer text NOT NULL,
    role text NOT NULL,
    office text,
    officer text,
    trained_on date,
    access_token bytea NOT NULL,
    begun_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    checked_at timestamptz NOT NULL
);
CREATE INDEX session_person ON portal.session (issuer, subject);
CREATE INDEX session_begun ON portal.session (begun_at);
COMMENT ON TABLE portal.session IS 'People signed in to the portal. A row goes at sign-out; one that is idle or too old counts for nothing and is swept.';
COMMENT ON COLUMN portal.session.session_hash IS 'SHA-256 of what the browser holds: nobody who reads this table can pass for anybody.';
COMMENT ON COLUMN portal.session.subject IS 'Who it is, as the issuer names them.';
COMMENT ON COLUMN portal.session.consumer IS 'The party whose agreement says what they may see.';
COMMENT ON COLUMN portal.session.role IS 'Their role, as the agreement names it.';
COMMENT ON COLUMN portal.session.officer IS 'Their id as rosters name the officer.';
COMMENT ON COLUMN portal.session.access_token IS 'For asking the issuer what it says of them now; sealed under a key that only the browser''s cookie gives.';
COMMENT ON COLUMN portal.session.checked_at IS 'When the issuer was asked last.';

CREATE TABLE portal.used_sign_in (
    state_hash bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
    used_at timestamptz NOT NULL
);
CREATE INDEX used_sign_in_used ON portal.used_sign_in (used_at);
COMMENT ON TABLE portal.used_sign_in IS 'Sign-ins that were answered, so that an answer counts once; swept when their time is over.';

GRANT USAGE ON SCHEMA portal TO throughline_portal;
GRANT SELECT, INSERT, UPDATE, DELETE ON portal.session, portal.used_sign_in TO throughline_portal;
RESET ROLE;
