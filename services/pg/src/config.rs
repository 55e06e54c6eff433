//! The `[database]` part of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

/// How to reach the database. Everything has a default; without `url` the embedded server is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A running PostgreSQL 15 or newer, as `postgres://login@host/database`. No password in it: see `password_file`.
    pub url: Option<String>,
    /// File that holds the password of the login in `url`.
    pub password_file: Option<PathBuf>,
    /// A login that may apply migrations, when the one in `url` may not.
    pub admin_url: Option<String>,
    /// File that holds the password of the login in `admin_url`.
    pub admin_password_file: Option<PathBuf>,
    /// Whether opening the database applies missing migrations.
    pub migrate: Migrate,
    /// Most connections this process opens.
    pub connections_max: u32,
    /// How long work waits for a free connection.
    pub acquire_timeout_ms: u64,
    /// Longest single statement.
    pub statement_timeout_ms: u64,
    /// Longest wait for a lock.
    pub lock_timeout_ms: u64,
    /// Longest pause inside an open transaction.
    pub idle_in_transaction_timeout_ms: u64,
    /// The server that is brought along.
    pub embedded: Embedded,
}

/// What happens to migrations that the database lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrate {
    /// They are applied when the database is opened.
    #[default]
    Auto,
    /// Opening fails and says so; an operator applies them.
    Never,
}

/// The embedded server.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Embedded {
    /// Folder of PostgreSQL's programs; searched for when absent.
    pub bin_dir: Option<PathBuf>,
    /// The account the server runs as when we are root.
    pub server_user: String,
    /// Longest wait for the server to become ready, crash recovery included.
    pub start_timeout_ms: u64,
    /// Longest wait for an orderly stop before an immediate one.
    pub stop_timeout_ms: u64,
    /// Memory for the server's page cache; an eighth of the machine's when absent.
    pub shared_buffers_mib: Option<u64>,
    /// Connections the server accepts, over all processes that use the folder.
    pub connections_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            password_file: None,
            admin_url: None,
            admin_password_file: None,
            migrate: Migrate::Auto,
            connections_max: 16,
            acquire_timeout_ms: 30_000,
            statement_timeout_ms: 300_000,
            lock_timeout_ms: 60_000,
            idle_in_transaction_timeout_ms: 300_000,
            embedded: Embedded::default(),
        }
    }
}

impl Default for Embedded {
    fn default() -> Self {
        Self {
            bin_dir: None,
            server_user: "postgres".to_owned(),
            start_timeout_ms: 120_000,
            stop_timeout_ms: 60_000,
            shared_buffers_mib: None,
            connections_max: 100,
        }
    }
}

impl Config {
    /// Every mistake that can be seen without connecting, as `key: what is wrong`.
    pub fn mistakes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (key, url) in [("database.url", &self.url), ("database.admin_url", &self.admin_url)] {
            if let Some(Err(error)) = url.as_deref().map(|url| crate::pool::parse_url(key, url)) {
                found.push(error.to_string());
            }
        }
        if self.admin_url.is_some() && self.url.is_none() {
            found.push("database.admin_url: is set without database.url; the embedded server needs neither".to_owned());
        }
        if self.connections_max < 2 {
            found.push("database.connections_max: at least 2 are needed".to_owned());
        }
        if self.url.is_none() && self.connections_max + 10 > self.embedded.connections_max {
            found.push(
                "database.embedded.connections_max: must exceed database.connections_max by at least 10, for other commands"
                    .to_owned(),
            );
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let config: Config = toml::from_str(text).unwrap();
        let found = config.mistakes();
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (found, expect) in found.iter().zip(expect) {
            assert!(found.contains(expect), "{found} lacks {expect}");
        }
    }

    #[test]
    fn mistakes_are_all_reported_at_once() {
        check("", &[]);
        check("url = 'postgres://app@db.invalid/throughline?sslmode=verify-full'", &[]);
        check("url = 'postgres://app:secret@db.invalid/throughline'", &["password_file"]);
        check("url = 'mysql://x'\nconnections_max = 1", &["database.url", "connections_max"]);
        check("admin_url = 'postgres://a@localhost/c'", &["admin_url"]);
        check("connections_max = 95", &["embedded.connections_max"]);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("statement_timeout = 5").is_err());
        assert!(toml::from_str::<Config>("[embedded]\nport = 5").is_err());
    }

    #[test]
    fn a_password_is_never_repeated() {
        let config = Config { url: Some("postgres://app:secret@db.invalid/t".to_owned()), ..Config::default() };
        assert!(!config.mistakes().concat().contains("secret"));
    }
}
