//! Identifiers. None of them carries a part of a person's data.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One student as the exchange knows them: a set of source persons, held together by the crosswalk. Random, ours alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StudentId(pub Uuid);

/// One person as one state reports them (SEA and state id). A surrogate that `identity` assigns; facts hang on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourcePersonId(pub i64);

/// One received file. Batches of one SEA are recorded one after the other, so a later batch has a greater id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub i64);

/// One disclosure: random, drawn before anything is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DisclosureId(pub Uuid);

macro_rules! display_inner {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}
display_inner!(StudentId, SourcePersonId, BatchId, DisclosureId, Sea, ConsumerId);

/// A text is not an identifier of the wanted kind: 1 to 32 of `a-z`, `0-9` and `_`, beginning with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an identifier has 1 to 32 characters out of a-z, 0-9 and _, and begins with a letter")]
pub struct ParseIdError;

fn check_slug(text: &str) -> Result<String, ParseIdError> {
    let first = text.bytes().next().ok_or(ParseIdError)?;
    let legal = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if text.len() > 32 || !first.is_ascii_lowercase() || !legal {
        return Err(ParseIdError);
    }
    Ok(text.to_owned())
}

/// A state education agency by its short code, such as `ct` or `la`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sea(String);

/// A party that receives disclosures, such as `dcf`, `cssd`, `education_unit` or `sea`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConsumerId(String);

macro_rules! slug {
    ($($name:ident),*) => {$(
        impl $name {
            /// The code as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                check_slug(text).map(Self)
            }
        }
        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, ParseIdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}
slug!(Sea, ConsumerId);
