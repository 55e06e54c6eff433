//! What a consumer's night brings and where it goes: `delivery.toml`, beside the agreement and the roster's layout.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;

use crate::{
    encrypt::Recipients,
    formats,
    sink::{Folder, S3, Sftp, Target},
};

/// A consumer's deliveries, as its document states them. Names that are not known are refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// The formats of each night, by name.
    pub formats: Vec<String>,
    /// The name of the one file that holds the whole night (data, a document for each client named by the recipient's own id, an index); absent:
    /// there is none, and data and documents are delivered as they are.
    pub bundle: Option<String>,
    /// The language of headings and wording of the night's documents; values stay as they were reported.
    pub language: summary::Language,
    /// Public keys (age) that everything delivered is encrypted to; none: it is delivered in clear.
    pub encrypt_to: Vec<String>,
    /// Where deliveries are taken; absent: they stay in the night's folder, where the recipient takes them from.
    pub to: Option<To>,
    /// How often it is tried to take them there.
    pub retry: Retry,
}

/// Where deliveries are taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum To {
    /// A folder, such as a mounted share.
    Folder(Folder),
    /// A server for SFTP, by the machine's own `ssh`.
    Sftp(Sftp),
    /// A store that speaks S3.
    S3(S3),
}

/// How often a file is tried to be delivered, and how long is waited between two attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts at one file.
    pub attempts: u32,
    /// Milliseconds before the second attempt; doubled before each further one, up to a minute.
    pub backoff_ms: u64,
    /// Milliseconds that one attempt may take.
    pub timeout_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 6, backoff_ms: 2_000, timeout_ms: 1_800_000 }
    }
}

/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

impl Retry {
    /// How long is waited behind so many failed attempts.
    pub(crate) fn backoff(self, failed: u32) -> Duration {
        let doubled = self.backoff_ms.saturating_mul(1_u64 << failed.saturating_sub(1).min(16));
        Duration::from_millis(doubled).min(BACKOFF_MAX)
    }
}

impl Default for Plan {
    fn default() -> Self {
        let formats = formats::NIGHTLY.iter().map(|name| (*name).to_owned()).collect();
        let language = summary::Language::English;
        Self { formats, bundle: None, language, encrypt_to: Vec::new(), to: None, retry: Retry::default() }
    }
}

impl Plan {
    /// Reads a document. All its mistakes are told at once, a line each.
    pub fn parse(document: &str) -> Result<Self, String> {
        let plan: Self = toml::from_str(document).map_err(|error| error.to_string())?;
        let mistakes = plan.mistakes();
        if mistakes.is_empty() { Ok(plan) } else { Err(mistakes.join("\n  ")) }
    }

    /// What cannot be meant.
    fn mistakes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut seen = BTreeSet::new();
        for format in &self.formats {
            if !formats::NAMES.contains(&format.as_str()) {
                wrong.push(format!("formats: there is no {format:?}; there are: {}", formats::NAMES.join(", ")));
            } else if !seen.insert(format) {
                wrong.push(format!("formats: {format} stands there twice"));
            }
        }
        if self.formats.is_empty() {
            wrong.push("formats: a night brings one at least".to_owned());
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if self.bundle.as_deref().is_some_and(|name| name.is_empty() || name.len() > 32 || !name.chars().all(is_plain))
        {
            wrong.push("bundle: a name has 1 to 32 letters, digits, - or _".to_owned());
        }
        if let Err(mistake) = Recipients::parse(&self.encrypt_to) {
            wrong.push(format!("encrypt_to: {mistake}"));
        }
        if !self.encrypt_to.is_empty() && self.to.is_none() {
            wrong.push("encrypt_to: what is encrypted is delivered elsewhere; `to` says where".to_owned());
        }
        if self.retry.attempts == 0 || self.retry.timeout_ms == 0 {
            wrong.push("retry: attempts and timeout_ms are greater than 0".to_owned());
        }
        wrong.extend(self.target().err().into_iter().flatten().map(|mistake| format!("to: {mistake}")));
        wrong
    }

    /// Where deliveries are taken, ready to be used; what is wrong with it.
    pub fn target(&self) -> Result<Option<&dyn Target>, Vec<String>> {
        let target: &dyn Target = match &self.to {
            None => return Ok(None),
            Some(To::Folder(folder)) => folder,
            Some(To::Sftp(sftp)) => sftp,
            Some(To::S3(s3)) => s3,
        };
        let mistakes = target.mistakes();
        if mistakes.is_empty() { Ok(Some(target)) } else { Err(mistakes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, expect: Result<&[&str], &str>) {
        match (Plan::parse(document), expect) {
            (Ok(plan), Ok(formats)) => assert_eq!(plan.formats, formats),
            (Err(said), Err(words)) => assert!(said.contains(words), "{said}"),
            (other, _) => panic!("{document}: {other:?}"),
        }
    }

    #[test]
    fn a_document_says_formats_and_every_mistake() {
        check("", Ok(&["ndjson", "csv"]));
        check("formats = [\"cmis\", \"parquet\"]\nbundle = \"CMIS\"", Ok(&["cmis", "parquet"]));
        check("formats = []", Err("one at least"));
        check("formats = [\"csv\", \"csv\"]", Err("twice"));
        check("formats = [\"pdf\"]\nbundle = \"a/b\"", Err("bundle: a name"));
        check("format = [\"csv\"]", Err("unknown field"));
        check("encrypt_to = [\"age1nobody\"]", Err("encrypt_to"));
        check("[to]\nkind = \"folder\"\npath = \"share\"", Err("absolute"));
        check("[to]\nkind = \"ftp\"", Err("unknown variant"));
        check(
            "[to]\nkind = \"sftp\"\nhost = \"-oProxyCommand=x\"\nuser = \"u\"\nkey_file = \"/k\"\nknown_hosts_file = \"/h\"\nfolder = \"in\"",
            Err("host"),
        );
        check(
            "[to]\nkind = \"s3\"\nendpoint = \"http://store.example.test\"\nregion = \"r\"\nbucket = \"b\"\ncredentials_file = \"/c\"",
            Err("https"),
        );
    }

    #[test]
    fn a_document_says_the_language_of_documents() {
        let language = |document: &str| Plan::parse(document).map(|plan| plan.language);
        assert_eq!(language(""), Ok(summary::Language::English));
        assert_eq!(language("language = \"spanish\""), Ok(summary::Language::Spanish));
        assert_eq!(language("language = \"portuguese\""), Ok(summary::Language::Portuguese));
        assert!(language("language = \"es\"").is_err_and(|said| said.contains("spanish")));
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let retry = Retry { attempts: 9, backoff_ms: 1_000, timeout_ms: 1 };
        let waits: Vec<u64> = (1..=8).map(|failed| retry.backoff(failed).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
