//! Who calls: from a verified certificate to the one consumer whose agreement names it.

use std::sync::Arc;

use agreements::{Actor, System};
use disclosure::Asker;
use model::{ConsumerId, Masked};

use crate::{Consumer, tls::Peer};

/// A consumer, calling.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    consumer: Arc<Consumer>,
    peer: Arc<Peer>,
    system: String,
}

impl Caller {
    /// The consumer for which a certificate speaks. One that speaks for several speaks for none.
    pub(crate) fn resolve(consumers: &[Arc<Consumer>], peer: &Arc<Peer>) -> Option<Self> {
        let mut found = None;
        for consumer in consumers {
            let Some(system) = consumer.systems.iter().find(|system| bears(peer, system)) else { continue };
            if found.is_some() {
                return None;
            }
            let system = system.san.clone().unwrap_or_else(|| format!("sha256 {}", peer.fingerprint));
            found = Some(Self { consumer: Arc::clone(consumer), peer: Arc::clone(peer), system });
        }
        found
    }

    /// The consumer.
    pub(crate) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// Its id.
    pub(crate) fn id(&self) -> &ConsumerId {
        &self.consumer.id
    }

    /// Whether the caller is a system as an agreement in force names it.
    pub(crate) fn is_system(&self, system: &System) -> bool {
        bears(&self.peer, system)
    }

    /// The caller as the agreement judges it.
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor::System { names: &self.peer.names, fingerprint: &self.peer.fingerprint }
    }

    /// The caller as the record of disclosures names it.
    pub(crate) fn asker(&self, on_behalf_of: Option<Masked<String>>) -> Asker {
        Asker { person: None, system: Some(self.system.clone()), on_behalf_of }
    }
}

/// Whether a certificate is a system's: everything that the agreement says of it holds.
fn bears(peer: &Peer, system: &System) -> bool {
    let named = system.san.as_ref().is_none_or(|san| peer.names.contains(san));
    let pinned = system.fingerprint.as_ref().is_none_or(|fingerprint| *fingerprint == peer.fingerprint);
    named && pinned && (system.san.is_some() || system.fingerprint.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(id: &str, san: Option<&str>, fingerprint: Option<&str>) -> Arc<Consumer> {
        let system = System {
            name: "a system".to_owned(),
            san: san.map(str::to_owned),
            fingerprint: fingerprint.map(str::to_owned),
        };
        Arc::new(Consumer { id: id.parse().unwrap(), systems: vec![system], roster: None })
    }

    #[test]
    fn a_certificate_speaks_for_exactly_one_consumer_or_for_none() {
        let consumers = [
            consumer("one", Some("one.example.test"), None),
            consumer("two", Some("two.example.test"), Some("22")),
            consumer("three", None, Some("33")),
            consumer("nobody", None, None),
        ];
        let check = |names: &[&str], fingerprint: &str, expected: Option<&str>| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let peer = Arc::new(Peer { names, fingerprint: fingerprint.to_owned() });
            let caller = Caller::resolve(&consumers, &peer);
            assert_eq!(caller.as_ref().map(|caller| caller.id().as_str()), expected);
        };
        check(&["one.example.test"], "11", Some("one"));
        check(&["other.example.test", "one.example.test"], "11", Some("one"));
        check(&["two.example.test"], "22", Some("two"));
        check(&["two.example.test"], "11", None);
        check(&[], "33", Some("three"));
        check(&["one.example.test"], "33", None);
        check(&["one.example.test", "two.example.test"], "22", None);
        check(&["stranger.example.test"], "44", None);
        check(&[], "", None);
    }
}
