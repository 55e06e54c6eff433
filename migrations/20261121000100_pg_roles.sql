-- Roles, before anything else. Three kinds:
--
--   throughline_owner     owns every schema and object; migrations run as this role; nobody logs in as it.
--   throughline_<context> one per context; holds that context's privileges and nothing more; nobody logs in as it.
--   throughline_app       the only login of the running program. NOINHERIT: by itself it can connect and see which
--                         migrations were applied, nothing more. Each transaction names the one context role it acts
--                         as (SET LOCAL ROLE).
--
-- Roles belong to the whole server, not to one database, so every step asks first and tolerates a
-- second database being prepared on the same server at the same moment.

DO $$
DECLARE
    wanted text;
    context_roles CONSTANT text[] := ARRAY[
        'throughline_intake', 'throughline_identity', 'throughline_history', 'throughline_reference',
        'throughline_agreements', 'throughline_disclosure', 'throughline_ledger', 'throughline_scheduler',
        'throughline_steward'
    ];
BEGIN
    FOREACH wanted IN ARRAY context_roles || 'throughline_owner'::text LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT NOCREATEDB NOCREATEROLE', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;

    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'throughline_app') THEN
        BEGIN
            CREATE ROLE throughline_app LOGIN NOINHERIT NOCREATEDB NOCREATEROLE;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;

    -- The login may become each context, and never the owner.
    FOREACH wanted IN ARRAY context_roles LOOP
        IF NOT pg_has_role('throughline_app', wanted, 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO throughline_app', wanted);
            EXCEPTION WHEN unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;

    -- Whoever migrates must be able to act as the owner (a superuser already can).
    IF NOT pg_has_role(CURRENT_USER, 'throughline_owner', 'MEMBER') THEN
        EXECUTE format('GRANT throughline_owner TO %I', CURRENT_USER);
    END IF;

    IF EXISTS (
        SELECT FROM pg_catalog.pg_roles
        WHERE (rolname = ANY (context_roles) OR rolname IN ('throughline_app', 'throughline_owner'))
            AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)
    ) THEN
        RAISE EXCEPTION 'a throughline role holds SUPERUSER, BYPASSRLS, CREATEROLE or CREATEDB; take it away first';
    END IF;
END
$$;

-- The database itself: nothing for PUBLIC, a connection for the login, schemas for the owner, and
-- temporary tables only where a file is staged or two sets of people are compared.
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO throughline_app', current_database());
    EXECUTE format('GRANT CREATE, CONNECT, TEMPORARY ON DATABASE %I TO throughline_owner', current_database());
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO throughline_intake, throughline_identity', current_database());
END
$$;

-- Extensions live in public, so everybody may use what is there; nobody but the owner may add to it.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO throughline_owner;

COMMENT ON SCHEMA public IS 'Holds the list of applied migrations and extensions; every context has a schema of its own.';
