//! Connections: their login, their limits, and the server behind them.

use std::{path::Path, str::FromStr as _, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};

use crate::{Config, Error, Problem, Role};

/// The application's login.
pub(crate) const APPLICATION: &str = "throughline_app";
/// Prepared statements a connection keeps: more than the program has.
const STATEMENTS_KEPT_MAX: usize = 512;
/// The oldest server this program is written for, as the server numbers itself.
const SERVER_VERSION_MIN: u32 = 150_000;

/// Opens a pool whose connections act as `throughline_app`, whatever they logged in as.
///
/// A connection that was not taken through [`crate::run_tx`] can therefore read no record: the login is NOINHERIT and
/// owns no object. `test_before_acquire` is off because a dead connection is found by the transaction's first statement,
/// at no cost to the others.
pub async fn connect(options: PgConnectOptions, config: &Config) -> Result<PgPool, Error> {
    let options = with_limits(options, config);
    let become_application = login_of(&options).await?.statement();
    let pool = PgPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if let Some(statement) = become_application {
                    connection.execute(statement).await?;
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// How a login becomes the application.
#[derive(Clone, Copy, Debug)]
enum Login {
    Application,
    Superuser,
    Member,
}

impl Login {
    fn statement(self) -> Option<&'static str> {
        match self {
            Self::Application => None,
            // For the session, so that membership and row-level security are judged as the application's too.
            Self::Superuser => Some("SET SESSION AUTHORIZATION throughline_app"),
            Self::Member => Some("SET ROLE throughline_app"),
        }
    }
}

async fn login_of(options: &PgConnectOptions) -> Result<Login, Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let login = sqlx::query!(
        r#"-- pg.login
        SELECT rolname::text AS "name!", rolsuper AS "is_super!"
        FROM pg_catalog.pg_roles
        WHERE rolname = CURRENT_USER"#
    )
    .fetch_one(&mut connection)
    .await?;
    let found = if login.name == APPLICATION {
        Login::Application
    } else if login.is_super {
        Login::Superuser
    } else if connection.execute("SET ROLE throughline_app").await.is_ok() {
        Login::Member
    } else {
        return Err(Problem::LoginNotMember { login: login.name }.into());
    };
    connection.close().await?;
    Ok(found)
}

fn with_limits(options: PgConnectOptions, config: &Config) -> PgConnectOptions {
    options
        .application_name("throughline")
        .statement_cache_capacity(STATEMENTS_KEPT_MAX)
        .options([
            ("statement_timeout", config.statement_timeout_ms),
            ("lock_timeout", config.lock_timeout_ms),
            ("idle_in_transaction_session_timeout", config.idle_in_transaction_timeout_ms),
            // Statements here answer for one student or a chunk: starting workers costs more than they give, even when the planner,
            // which must not look behind row-level security, takes a branch that gives no row for a scan of everybody.
            ("max_parallel_workers_per_gather", 0),
        ])
        // Transactions are named and timed in `run_tx`; a second log of statements adds cost and nothing else.
        .disable_statement_logging()
}

/// Refuses a server that is too old or stores anything but Unicode.
pub(crate) async fn check_server(options: &PgConnectOptions) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let version = connection.server_version_num().unwrap_or(0);
    if version < SERVER_VERSION_MIN {
        return Err(Problem::ServerTooOld { found: version / 10_000 }.into());
    }
    let encoding = sqlx::query_scalar!(
        r#"-- pg.encoding
        SELECT pg_encoding_to_char(encoding)::text AS "encoding!"
        FROM pg_catalog.pg_database
        WHERE datname = current_database()"#
    )
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    if encoding == "UTF8" { Ok(()) } else { Err(Problem::NotUnicode { found: encoding }.into()) }
}

/// Reads a connection string. It may name everything but the password, which comes from a file.
pub(crate) fn parse_url(key: &'static str, url: &str) -> Result<PgConnectOptions, Problem> {
    let bad = |what: &str| Problem::BadUrl { key, what: what.to_owned() };
    let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
        return Err(bad("it does not begin with postgres://"));
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.rsplit_once('@').is_some_and(|(login, _)| login.contains(':')) || rest.contains("password=") {
        return Err(bad("it holds a password; put that into a file and name the file in the password_file beside it"));
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| bad("it is not a connection string of the form postgres://login@host/database"))?;
    let host = options.get_host();
    let is_here =
        options.get_socket().is_some() || host.starts_with('/') || HERE.iter().any(|here| host.starts_with(here));
    if !is_here && matches!(options.get_ssl_mode(), PgSslMode::Prefer | PgSslMode::Allow) {
        return Err(bad(
            "the server is on another machine, and would be believed without TLS; add sslmode=verify-full (and \
                        sslrootcert=FILE), or another sslmode that you answer for",
        ));
    }
    Ok(options)
}

/// How hosts begin that are this machine.
const HERE: [&str; 3] = ["localhost", "127.", "::1"];

/// [`parse_url`], and the password from its file.
pub(crate) fn options_of(
    key: &'static str,
    url: &str,
    password_file: Option<&Path>,
) -> Result<PgConnectOptions, Problem> {
    let options = parse_url(key, url)?;
    let Some(file) = password_file else {
        return Ok(options);
    };
    let password = std::fs::read_to_string(file)
        .map_err(|error| Problem::NotPermitted { path: file.to_owned(), why: error.to_string() })?;
    Ok(options.password(password.trim_end_matches(['\r', '\n'])))
}

/// Creates a database if there is none of that name: from `template` when given (an exact copy of it), else empty.
pub async fn create_database(admin: &PgConnectOptions, name: &str, template: Option<&str>) -> Result<(), Error> {
    check_name(name)?;
    template.map_or(Ok(()), check_name)?;
    let mut connection = PgConnection::connect_with(admin).await?;
    let exists = sqlx::query_scalar!(
        r#"-- pg.database_exists
        SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1) AS "exists!""#,
        name
    )
    .fetch_one(&mut connection)
    .await?;
    if !exists {
        let statement = match template {
            Some(template) => format!("CREATE DATABASE {name} TEMPLATE {template}"),
            None => format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"),
        };
        // Safe: both names were checked to be plain identifiers.
        match connection.execute(AssertSqlSafe(statement)).await.map_err(Error::from) {
            Err(error) if !is_duplicate(&error) => return Err(error),
            // Made, now or by somebody who was quicker.
            _ => {}
        }
    }
    connection.close().await?;
    Ok(())
}

/// Removes a database, and whoever is connected to it.
pub async fn drop_database(admin: &PgConnectOptions, name: &str) -> Result<(), Error> {
    check_name(name)?;
    let mut connection = PgConnection::connect_with(admin).await?;
    // Safe: the name was checked to be a plain identifier.
    connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).await?;
    connection.close().await?;
    Ok(())
}

fn is_duplicate(error: &Error) -> bool {
    match error {
        Error::Conflict { .. } => true,
        Error::Corrupt(cause) => cause.sqlstate() == Some("42P04"),
        _ => false,
    }
}

fn check_name(name: &str) -> Result<(), Problem> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    // `user`, `table` and other words of SQL are not worth a list: the server refuses them by itself.
    if plain { Ok(()) } else { Err(Problem::BadDatabaseName { name: name.to_owned() }) }
}

/// Whether the login of `connection` may act as the owner of the objects, or make that role in the first place.
pub(crate) async fn may_migrate(connection: &mut PgConnection) -> Result<bool, Error> {
    let may = sqlx::query_scalar!(
        r#"-- pg.may_migrate
        SELECT (rolsuper OR rolcreaterole OR EXISTS (
            SELECT FROM pg_catalog.pg_roles AS owner
            WHERE owner.rolname = $1 AND pg_has_role(CURRENT_USER, owner.oid, 'MEMBER')
        )) AS "may!"
        FROM pg_catalog.pg_roles
        WHERE rolname = CURRENT_USER"#,
        Role::Owner.name()
    )
    .fetch_one(connection)
    .await?;
    Ok(may)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_identifiers() {
        for (name, good) in
            [("throughline", true), ("t_1", true), ("", false), ("1t", false), ("t; DROP", false), ("Ä", false)]
        {
            assert_eq!(check_name(name).is_ok(), good, "{name:?}");
        }
    }

    #[test]
    fn a_url_names_no_password_and_says_how_a_server_elsewhere_is_known() {
        for (url, good) in [
            ("postgres://app@localhost/db", true),
            ("postgres://app@127.0.0.1:5433/db", true),
            ("postgresql://app@host:5433/db?sslmode=verify-full", true),
            ("postgres://app@host/db?sslmode=disable", true),
            ("postgres:///db?host=/var/run/postgresql", true),
            ("postgres://app@host/db", false),
            ("postgres://app@host/db?sslmode=prefer", false),
            ("postgres://app:x@host/db", false),
            ("postgres://host/db?user=a&password=x", false),
            ("https://host/db", false),
        ] {
            assert_eq!(parse_url("database.url", url).is_ok(), good, "{url}");
        }
    }
}
