//! What can be set, each with a safe default.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

/// The portal's part of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port; absent: there is no portal. Port 0 takes a free one.
    pub listen: Option<SocketAddr>,
    /// How browsers reach it (`https://portal.example.gov`), which the issuer sends them back to; absent: `https://localhost` with the port.
    pub public_url: Option<String>,
    /// Folder with `server.pem` and `server.key`; absent: those of the API.
    pub certificates: Option<PathBuf>,
    /// A reverse proxy on this machine speaks TLS, and plain HTTP is spoken to it: on a loopback address only.
    pub behind_proxy: bool,
    /// Who says who somebody is. Needed everywhere but in the sandbox, which has its own.
    pub issuer: Option<Issuer>,
    /// What the issuer's roles stand for here. Who has several is the first that is listed.
    pub role: Vec<RoleMapping>,
    /// Who watches the log from outside, and where what they cosigned arrives.
    pub witness: Vec<Witness>,
    /// The limits.
    pub limits: Limits,
}

/// A witness of the log. What it saw last is shown to auditors, held against the log as it stands in the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    /// Its public key, as the `witness-key.txt` that it handed out has it: `name+id+key`.
    pub key: String,
    /// The file with the checkpoint that it cosigned last (`ledger witness --out`), wherever it is fetched to. It is replaced whole.
    pub checkpoint_file: PathBuf,
    /// Hours after its last cosignature from which it asks for somebody.
    #[serde(default = "late_after_hours")]
    pub late_after_hours: u32,
}

/// Two missed nights.
const fn late_after_hours() -> u32 {
    48
}

impl Witness {
    /// Its key, if it is a witness's.
    pub(crate) fn key(&self) -> Option<ledger::VerifierKey> {
        self.key.parse().ok().filter(|key: &ledger::VerifierKey| key.used_for() == ledger::KeyUse::Witness)
    }
}

/// An issuer of OpenID Connect, and the portal as its client.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// Its address, exactly as its tokens name it.
    pub url: String,
    /// The portal's id there.
    pub client_id: String,
    /// File with the portal's secret there; absent: it is a public client.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// File with the authorities that vouch for the issuer's certificate, PEM; absent: those that browsers trust.
    #[serde(default)]
    pub authorities_file: Option<PathBuf>,
    /// Scopes asked for beside `openid`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What its claims are called.
    #[serde(default)]
    pub claims: ClaimNames,
}

/// What claims are called; a dot leads into an object (`realm_access.roles`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimNames {
    /// A role, or a list of them.
    pub role: String,
    /// The office, as rosters name it.
    pub office: String,
    /// The officer or worker, as rosters name them.
    pub officer: String,
    /// The day of the last training, YYYY-MM-DD.
    pub trained_on: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        let [role, office, officer, trained_on] = ["roles", "office", "officer", "trained_on"].map(str::to_owned);
        Self { role, office, officer, trained_on }
    }
}

/// What a role of the issuer's stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleMapping {
    /// The role, as the issuer names it.
    pub claim: String,
    /// The party.
    pub consumer: String,
    /// The role, as the party's agreement names it.
    pub role: String,
}

/// How much of everything.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections.
    pub connections_max: usize,
    /// For a handshake, and for the head of a request to come whole.
    pub head_timeout_ms: u64,
    /// For an answer.
    pub answer_timeout_ms: u64,
    /// After which a connection ends, whatever goes on.
    pub connection_age_ms: u64,
    /// The head of a request.
    pub head_bytes_max: usize,
    /// The body of a request: a form.
    pub body_bytes_max: usize,
    /// A page or document about a student.
    pub page_bytes_max: usize,
    /// Clients on a page of a list.
    pub page_clients: usize,
    /// Days that somebody's last look at a record, and a report that is answered, are remembered.
    pub notes_days: u16,
    /// Without a request, after which a session is over.
    pub session_idle_ms: u64,
    /// After which a session is over, whatever goes on.
    pub session_ms: u64,
    /// For signing in at the issuer.
    pub sign_in_ms: u64,
    /// After which the issuer is asked whether somebody still is who they were; 0: with each request.
    pub recheck_ms: u64,
    /// For an answer of the issuer.
    pub issuer_timeout_ms: u64,
    /// An answer of the issuer.
    pub issuer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 512,
            head_timeout_ms: 10_000,
            answer_timeout_ms: 20_000,
            connection_age_ms: 600_000,
            head_bytes_max: 32 * 1024,
            body_bytes_max: 16 * 1024,
            page_bytes_max: 16 * 1024 * 1024,
            page_clients: 50,
            notes_days: 400,
            session_idle_ms: 30 * 60 * 1000,
            session_ms: 8 * 60 * 60 * 1000,
            sign_in_ms: 10 * 60 * 1000,
            recheck_ms: 60_000,
            issuer_timeout_ms: 5_000,
            issuer_bytes_max: 1024 * 1024,
        }
    }
}

/// The least that a head may measure: what the HTTP library needs.
const HEAD_BYTES_MIN: usize = 8 * 1024;

impl Config {
    /// Every mistake, in words. `sandbox`: whether the whole configuration is a sandbox's.
    pub fn mistakes(&self, sandbox: bool) -> Vec<String> {
        let Some(listen) = self.listen else { return Vec::new() };
        let mut wrong = self.limits.mistakes();
        if self.behind_proxy && !listen.ip().is_loopback() {
            wrong.push("portal.behind_proxy: plain HTTP is spoken on a loopback address only".to_owned());
        }
        if let Some(url) = &self.public_url
            && !(url.starts_with("https://") && url.matches('/').count() == 2)
        {
            wrong.push("portal.public_url is https:// and a host, without a path or a slash behind it".to_owned());
        }
        if !sandbox && self.public_url.is_none() {
            wrong.push("portal.public_url is needed: the issuer sends browsers back to it".to_owned());
        }
        match (&self.issuer, sandbox) {
            (None, false) => wrong.push("portal.issuer is needed: nobody can sign in without one".to_owned()),
            (Some(_), true) => wrong.push("portal.issuer: the sandbox has its own".to_owned()),
            (Some(issuer), false) => {
                if !issuer.url.starts_with("https://") {
                    wrong.push("portal.issuer.url is https://".to_owned());
                }
                if issuer.client_id.is_empty() {
                    wrong.push("portal.issuer.client_id is empty".to_owned());
                }
                if self.role.is_empty() {
                    wrong.push("portal.role is needed: nobody has a role without one".to_owned());
                }
            }
            (None, true) => {}
        }
        for witness in self.witness.iter().filter(|witness| witness.key().is_none()) {
            wrong.push(format!("portal.witness: {:?} is no witness's key", witness.key));
        }
        for mapping in &self.role {
            if mapping.consumer.parse::<model::ConsumerId>().is_err() || mapping.claim.is_empty() {
                wrong.push(format!("portal.role: {:?} of {:?} cannot be meant", mapping.claim, mapping.consumer));
            }
        }
        wrong
    }
}

impl Limits {
    fn mistakes(&self) -> Vec<String> {
        let positive = [
            ("connections_max", self.connections_max as u64),
            ("head_timeout_ms", self.head_timeout_ms),
            ("answer_timeout_ms", self.answer_timeout_ms),
            ("connection_age_ms", self.connection_age_ms),
            ("body_bytes_max", self.body_bytes_max as u64),
            ("page_bytes_max", self.page_bytes_max as u64),
            ("page_clients", self.page_clients as u64),
            ("notes_days", u64::from(self.notes_days)),
            ("session_idle_ms", self.session_idle_ms),
            ("session_ms", self.session_ms),
            ("sign_in_ms", self.sign_in_ms),
            ("issuer_timeout_ms", self.issuer_timeout_ms),
            ("issuer_bytes_max", self.issuer_bytes_max as u64),
        ];
        let mut wrong: Vec<String> = positive
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(name, _)| format!("portal.limits.{name} is greater than 0"))
            .collect();
        if self.head_bytes_max < HEAD_BYTES_MIN {
            wrong.push(format!("portal.limits.head_bytes_max is at least {HEAD_BYTES_MIN}"));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, sandbox: bool, expect: &[&str]) {
        let config: Config = toml::from_str(text).unwrap();
        let wrong = config.mistakes(sandbox);
        assert_eq!(wrong.len(), expect.len(), "{wrong:?}");
        for (said, part) in wrong.iter().zip(expect) {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_portal_without_an_issuer_is_for_the_sandbox_only() {
        check("", false, &[]);
        check("listen = '127.0.0.1:0'", true, &[]);
        check("listen = '127.0.0.1:0'", false, &["public_url is needed", "issuer is needed"]);
        let issuer = "[issuer]\nurl = 'https://id.example.test'\nclient_id = 'portal'\n";
        check(&format!("listen = '127.0.0.1:0'\n{issuer}"), true, &["the sandbox has its own"]);
        let role = "[[role]]\nclaim = 'po'\nconsumer = 'cssd'\nrole = 'probation_officer'\n";
        let whole = format!("listen = '127.0.0.1:0'\npublic_url = 'https://portal.example.test'\n{role}{issuer}");
        check(&whole, false, &[]);
        check(&whole.replace("https://id", "http://id"), false, &["issuer.url is https"]);
        check(
            &whole.replace("'https://portal.example.test'", "'https://portal.example.test/x'"),
            false,
            &["public_url"],
        );
    }

    #[test]
    fn a_witness_is_named_by_its_own_kind_of_key() {
        let key = |used_for| ledger::Signer::from_seed("witness.example.test/dcf", used_for, &[5; 32]).unwrap();
        for (used_for, expect) in
            [(ledger::KeyUse::Witness, &[][..]), (ledger::KeyUse::Log, &["is no witness's key"][..])]
        {
            let key = key(used_for).public().to_string();
            let witness = format!("[[witness]]\nkey = '{key}'\ncheckpoint_file = '/var/seen'\n");
            check(&format!("listen = '127.0.0.1:0'\n{witness}"), true, expect);
        }
        check("listen = '127.0.0.1:0'\n[[witness]]\nkey = 'x'\ncheckpoint_file = '/x'", true, &["is no witness's key"]);
    }

    #[test]
    fn plain_http_stays_on_the_machine() {
        check("listen = '0.0.0.0:80'\nbehind_proxy = true", true, &["loopback"]);
        check("listen = '127.0.0.1:80'\nbehind_proxy = true\n[limits]\nsession_ms = 0", true, &["session_ms"]);
    }
}
