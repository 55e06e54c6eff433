//! What can be set, each with a safe default.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
};

use serde::Deserialize;

use crate::Error;

/// The API's part of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Folder with `server.pem`, `server.key`, `client-ca.pem` and, if the authorities publish lists of revoked certificates, `client-crl.pem`;
    /// absent: the program's own place for them. A change is noticed while the server runs.
    pub certificates: Option<PathBuf>,
    /// Whether callers may ask for the contract itself (server reflection): for development.
    pub reflection: bool,
    /// The limits.
    pub limits: Limits,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_051)),
            certificates: None,
            reflection: false,
            limits: Limits::default(),
        }
    }
}

/// How much of everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections.
    pub connections_max: usize,
    /// Open connections of one consumer, and of all whom no agreement names together.
    pub connections_per_consumer_max: usize,
    /// Handshakes under way at once.
    pub handshakes_max: usize,
    /// Handshakes under way at once from one address: who connects and keeps silent holds no more places than these.
    pub handshakes_per_address_max: usize,
    /// For a handshake.
    pub handshake_timeout_ms: u64,
    /// After which a connection is asked to come again, so that its certificate is looked at anew.
    pub connection_age_ms: u64,
    /// Between two signs of life on a connection.
    pub keepalive_ms: u64,
    /// Calls at once on a connection.
    pub calls_per_connection_max: u32,
    /// Calls a second of a consumer; after a pause as many at once.
    pub calls_per_second_max: NonZeroU32,
    /// Feeds at once for a consumer.
    pub feeds_per_consumer_max: usize,
    /// Rosters at once of a consumer: each is held in memory whole.
    pub rosters_per_consumer_max: usize,
    /// For an answer.
    pub request_timeout_ms: u64,
    /// For taking a roster.
    pub roster_timeout_ms: u64,
    /// The headers of a request.
    pub header_bytes_max: u32,
    /// A request, a roster apart.
    pub request_bytes_max: usize,
    /// A roster.
    pub roster_bytes_max: usize,
    /// A history, at most 256 MiB. A greater one is not disclosed: a call for it is refused, a feed says that it left it out.
    pub history_bytes_max: usize,
    /// Clients of a feed read from the population at once.
    pub page_clients: u32,
    /// Clients of a feed disclosed with one ledger commit, at most.
    pub chunk_clients: usize,
    /// What a chunk of a feed should measure: what was queued when authority ends may still arrive.
    pub chunk_bytes: usize,
    /// Between two signs of life of a feed that has nothing to send.
    pub heartbeat_ms: u64,
    /// For a receiver to take the next message.
    pub send_timeout_ms: u64,
    /// For calls under way to end when the server stops.
    pub drain_timeout_ms: u64,
    /// Between two looks at whether the exchange can serve and record.
    pub health_interval_ms: u64,
    /// Between two looks at whether certificates, authorities or revocations have changed.
    pub certificates_interval_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 256,
            connections_per_consumer_max: 64,
            handshakes_max: 256,
            handshakes_per_address_max: 32,
            handshake_timeout_ms: 5_000,
            connection_age_ms: 3_600_000,
            keepalive_ms: 60_000,
            calls_per_connection_max: 64,
            calls_per_second_max: NonZeroU32::new(1_000).unwrap_or(NonZeroU32::MIN),
            feeds_per_consumer_max: 4,
            rosters_per_consumer_max: 1,
            request_timeout_ms: 30_000,
            roster_timeout_ms: 600_000,
            header_bytes_max: 16 * 1024,
            request_bytes_max: 64 * 1024,
            roster_bytes_max: 128 * 1024 * 1024,
            history_bytes_max: 16 * 1024 * 1024,
            page_clients: 1_000,
            chunk_clients: 100,
            chunk_bytes: 64 * 1024,
            heartbeat_ms: 15_000,
            send_timeout_ms: 300_000,
            drain_timeout_ms: 10_000,
            health_interval_ms: 2_000,
            certificates_interval_ms: 30_000,
        }
    }
}

/// The greatest history that may be configured: each is held in memory whole.
const HISTORY_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The most clients that one ledger commit takes.
const CHUNK_CLIENTS_MAX: usize = 10_000;

impl Server {
    /// Says every mistake at once.
    pub fn check(&self) -> Result<(), Error> {
        let limits = &self.limits;
        let positive = [
            ("connections_max", limits.connections_max as u64),
            ("connections_per_consumer_max", limits.connections_per_consumer_max as u64),
            ("handshakes_max", limits.handshakes_max as u64),
            ("handshakes_per_address_max", limits.handshakes_per_address_max as u64),
            ("handshake_timeout_ms", limits.handshake_timeout_ms),
            ("connection_age_ms", limits.connection_age_ms),
            ("keepalive_ms", limits.keepalive_ms),
            ("calls_per_connection_max", u64::from(limits.calls_per_connection_max)),
            ("feeds_per_consumer_max", limits.feeds_per_consumer_max as u64),
            ("rosters_per_consumer_max", limits.rosters_per_consumer_max as u64),
            ("request_timeout_ms", limits.request_timeout_ms),
            ("roster_timeout_ms", limits.roster_timeout_ms),
            ("header_bytes_max", u64::from(limits.header_bytes_max)),
            ("request_bytes_max", limits.request_bytes_max as u64),
            ("roster_bytes_max", limits.roster_bytes_max as u64),
            ("history_bytes_max", limits.history_bytes_max as u64),
            ("page_clients", u64::from(limits.page_clients)),
            ("chunk_clients", limits.chunk_clients as u64),
            ("chunk_bytes", limits.chunk_bytes as u64),
            ("heartbeat_ms", limits.heartbeat_ms),
            ("send_timeout_ms", limits.send_timeout_ms),
            ("drain_timeout_ms", limits.drain_timeout_ms),
            ("health_interval_ms", limits.health_interval_ms),
            ("certificates_interval_ms", limits.certificates_interval_ms),
        ];
        let mut wrong: Vec<String> = positive
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(name, _)| format!("server.limits.{name} is greater than 0"))
            .collect();
        if limits.chunk_clients > CHUNK_CLIENTS_MAX {
            wrong.push(format!("server.limits.chunk_clients is at most {CHUNK_CLIENTS_MAX}"));
        }
        if limits.history_bytes_max > HISTORY_BYTES_MAX {
            wrong.push(format!("server.limits.history_bytes_max is at most {HISTORY_BYTES_MAX}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong.join("; "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_checked_and_the_defaults_pass() {
        Server::default().check().unwrap();
        let limits = Limits { chunk_clients: 0, heartbeat_ms: 0, ..Limits::default() };
        let error = Server { limits, ..Server::default() }.check().unwrap_err().to_string();
        assert!(error.contains("chunk_clients") && error.contains("heartbeat_ms"), "{error}");
        let limits = Limits { chunk_clients: CHUNK_CLIENTS_MAX + 1, ..Limits::default() };
        assert!(Server { limits, ..Server::default() }.check().is_err());
    }
}
