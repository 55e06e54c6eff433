//! PostgreSQL's binary representation of the types we store.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

/// The day from which PostgreSQL counts, in days from the common era: 2000-01-01.
const EPOCH_DAYS: i32 = 730_120;
/// The instant from which it counts, in microseconds of Unix time.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A value that can be a column's in a binary COPY.
pub trait Encode {
    /// Whether there is no value.
    fn is_null(&self) -> bool {
        false
    }

    /// Whether PostgreSQL can hold it at all.
    fn is_storable(&self) -> bool {
        true
    }

    /// Appends its bytes, without their length. Not called when it is null.
    fn encode(&self, out: &mut Vec<u8>);
}

/// Text that is JSON already, for a `jsonb` column.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(pub &'a str);

impl Encode for Json<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        // The version of jsonb's wire format.
        out.push(1);
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl Encode for str {
    fn is_storable(&self) -> bool {
        !self.as_bytes().contains(&0)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Encode for String {
    fn is_storable(&self) -> bool {
        self.as_str().is_storable()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.as_str().encode(out);
    }
}

impl Encode for [u8] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Encode for Vec<u8> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

macro_rules! encode_number {
    ($($number:ty),+) => {
        $(impl Encode for $number {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        })+
    };
}

encode_number!(i16, i32, i64, f64);

impl Encode for NaiveDate {
    fn encode(&self, out: &mut Vec<u8>) {
        use chrono::Datelike as _;

        (self.num_days_from_ce() - EPOCH_DAYS).encode(out);
    }
}

impl Encode for DateTime<Utc> {
    fn encode(&self, out: &mut Vec<u8>) {
        (self.timestamp_micros() - EPOCH_MICROS).encode(out);
    }
}

impl Encode for Uuid {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl<T: Encode> Encode for Option<T> {
    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(Encode::is_null)
    }

    fn is_storable(&self) -> bool {
        self.as_ref().is_none_or(Encode::is_storable)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.encode(out);
        }
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn is_null(&self) -> bool {
        (**self).is_null()
    }

    fn is_storable(&self) -> bool {
        (**self).is_storable()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}

/// An element type of an array column, with PostgreSQL's number for it.
trait Element: Encode {
    const OID: i32;
}

impl Element for String {
    const OID: i32 = 25;
}

impl Element for i32 {
    const OID: i32 = 23;
}

impl Element for i64 {
    const OID: i32 = 20;
}

impl Element for Uuid {
    const OID: i32 = 2950;
}

macro_rules! encode_array {
    ($($element:ty),+) => {
        $(impl Encode for [$element] {
            fn is_storable(&self) -> bool {
                self.iter().all(Encode::is_storable)
            }

            fn encode(&self, out: &mut Vec<u8>) {
                encode_array(self, out);
            }
        }

        impl Encode for Vec<$element> {
            fn is_storable(&self) -> bool {
                self.as_slice().is_storable()
            }

            fn encode(&self, out: &mut Vec<u8>) {
                encode_array(self, out);
            }
        })+
    };
}

encode_array!(String, i32, i64, Uuid);

/// Dimensions, a flag for nulls (none), the element type; then length and lower bound of the one dimension; then the
/// elements, each with its length.
fn encode_array<T: Element>(elements: &[T], out: &mut Vec<u8>) {
    let dimensions = i32::from(!elements.is_empty());
    for number in [dimensions, 0, T::OID] {
        number.encode(out);
    }
    if elements.is_empty() {
        return;
    }
    for number in [elements.len() as i32, 1] {
        number.encode(out);
    }
    for element in elements {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        element.encode(out);
        let length = (out.len() - at - 4) as i32;
        if let Some(place) = out.get_mut(at..at + 4) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }
}
