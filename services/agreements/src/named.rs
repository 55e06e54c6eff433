//! Closed lists whose members have one spelling in documents, rows, messages and snapshots.

/// Defines an enum whose members have one name each, with `ALL`, `as_str`, `FromStr`, `Display` and serde by that name.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $what:literal {
        $($(#[$member_meta:meta])* $member:ident = $text:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$member_meta])* #[serde(rename = $text)] $member),+
        }

        impl $name {
            /// Every one, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// Its name in documents, rows and messages.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$member => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::named::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.as_str() == text)
                    .ok_or_else(|| crate::named::UnknownName {
                        what: $what,
                        known: Self::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", "),
                    })
            }
        }
    };
}
pub(crate) use named;

/// A text names no member of a closed list. It does not repeat the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is one of: {known}")]
pub struct UnknownName {
    pub(crate) what: &'static str,
    pub(crate) known: String,
}
