//! From a field's text to a value.

use model::Value;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Text in NFC, as it is stored.
pub(super) fn nfc(text: &str) -> String {
    if text.is_ascii() || is_nfc(text) {
        text.to_owned()
    } else {
        text.nfc().collect()
    }
}

/// A text value.
pub(super) fn text(text: &str) -> Value {
    Value::Text(nfc(text))
}
