//! What can be set.

use std::path::PathBuf;

use serde::Deserialize;

use crate::RendererOptions;

/// Fonts, and the key that signs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A folder of further TrueType or OpenType fonts, for scripts that the embedded ones lack (Chinese, Japanese, Korean).
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
        match &self.signature {
            Some(Signature { key_file, token, .. }) if key_file.is_some() == token.is_some() => {
                vec!["summary.signature names either a key_file or a token".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    /// What a renderer is made with.
    pub fn renderer(&self) -> RendererOptions {
        RendererOptions { extra_fonts: self.fonts.clone() }
    }
}
