//! The canonical form: one sequence of bytes for one meaning.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Error;

/// The SHA-256 of a canonical form. Of an agreement it names the version: what is signed and what a disclosure records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The canonical JSON of a value: no white space, the keys of every object in byte order, lists as they are, absent values
/// as `null`. Whether `serde_json` keeps or sorts keys by itself does not matter.
pub fn canonical<T: Serialize>(value: &T) -> Result<String, Error> {
    let json = serde_json::to_value(value).map_err(|_| Error::Corrupt("a value has no JSON form"))?;
    let mut out = String::new();
    write(&json, &mut out)?;
    Ok(out)
}

/// Reads a canonical form. Anything unknown in it is refused.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::Corrupt("a canonical form says something this program does not know"))
}

fn write(value: &Value, out: &mut String) -> Result<(), Error> {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(&Value::String(key.clone()), out)?;
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        scalar => out.push_str(&serde_json::to_string(scalar).map_err(|_| Error::Corrupt("a value has no JSON form"))?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_meaning_has_one_form() {
        let one: Value = serde_json::from_str(r#"{"b": [1, {"z": null, "a": "é\n"}], "a": true}"#).expect("JSON");
        let other: Value = serde_json::from_str(r#"{"a":true,"b":[1,{"a":"é\n","z":null}]}"#).expect("JSON");
        let form = canonical(&one).expect("a form");
        assert_eq!(form, r#"{"a":true,"b":[1,{"a":"é\n","z":null}]}"#);
        assert_eq!(form, canonical(&other).expect("a form"));
        assert_eq!(Digest::of(b"").to_string().get(..8), Some("e3b0c442"));
    }
}
