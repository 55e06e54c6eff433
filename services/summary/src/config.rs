//! What can be set.

use std::path::PathBuf;

use serde::Deserialize;

use crate::RendererOptions;

/// Fonts, and the key that signs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A TrueType or OpenType font, or a folder of such, for scripts that the embedded ones lack (Chinese, Japanese, Korean).
    pub fonts: Option<PathBuf>,
    /// The key that signs summaries; absent: they are not signed.
    pub signature: Option<Signature>,
}

/// The key that signs: a file, or a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The key's certificate and those that lead to a root, PEM.
    pub certificate_file: PathBuf,
    /// The key, PKCS#8 PEM: P-256, or RSA of 2048 bits or more.
    pub key_file: Option<PathBuf>,
    /// A token that keeps the key.
    pub token: Option<Token>,
    /// An authority that stamps each signature with the time; absent: nobody is asked.
    pub time_stamp: Option<TimeStamp>,
}

/// A time-stamp authority (RFC 3161 over HTTP).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeStamp {
    /// Its address, `http://` or `https://`. What is sent is no secret, and what comes back is signed.
    pub url: String,
    /// Certificates that vouch for it, PEM: its root, or its own. A token of anybody else counts as none.
    pub authority_file: PathBuf,
    /// For `https://`: the authorities, PEM, that vouch for the server; absent: those of the web.
    pub server_authority_file: Option<PathBuf>,
    /// For each answer, in milliseconds.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// How often it is asked before it counts as unavailable.
    #[serde(default = "attempts_max")]
    pub attempts_max: u32,
    /// Questions under way at once.
    #[serde(default = "questions_max")]
    pub questions_max: usize,
    /// What becomes of a document that cannot be stamped.
    #[serde(default)]
    pub when_unavailable: WhenUnavailable,
}

/// What becomes of a document that cannot be stamped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenUnavailable {
    /// It is not disclosed, and is made when the authority answers again: of documents that a court may ask about none is weaker than the others.
    #[default]
    Withhold,
    /// It is disclosed with its signature alone.
    Unstamped,
}

const fn timeout_ms() -> u64 {
    10_000
}

const fn attempts_max() -> u32 {
    3
}

const fn questions_max() -> usize {
    8
}

/// A key on a token (PKCS#11).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The maker's module, a shared library.
    pub module_file: PathBuf,
    /// The token's label.
    pub label: String,
    /// The label of the private key on it.
    pub key: String,
    /// A file with the user's PIN.
    pub pin_file: PathBuf,
}

impl Config {
    /// Every mistake.
    pub fn mistakes(&self) -> Vec<String> {
        let Some(signature) = &self.signature else { return Vec::new() };
        let mut wrong = Vec::new();
        if signature.key_file.is_some() == signature.token.is_some() {
            wrong.push("summary.signature names either a key_file or a token".to_owned());
        }
        if let Some(stamp) = &signature.time_stamp {
            if !["http://", "https://"].iter().any(|scheme| stamp.url.starts_with(scheme)) {
                wrong.push("summary.signature.time_stamp.url begins with http:// or https://".to_owned());
            }
            if stamp.timeout_ms == 0 || stamp.attempts_max == 0 || stamp.questions_max == 0 {
                wrong.push(
                    "summary.signature.time_stamp: timeout_ms, attempts_max and questions_max are at least 1"
                        .to_owned(),
                );
            }
        }
        wrong
    }

    /// What a renderer is made with.
    pub fn renderer(&self) -> RendererOptions {
        RendererOptions { extra_fonts: self.fonts.clone() }
    }
}
