//! What the matcher is told about a person. Several names, birth dates and addresses may be known; the best counts.

use chrono::NaiveDate;

/// One person of one side, with everything ever reported about them. `Debug` prints no value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The caller's own id, given back with each pair.
    pub id: String,
    /// State-assigned student ids; a merged student has several.
    pub sasids: Vec<String>,
    /// All names, in the file's own spelling.
    pub names: Vec<PersonName>,
    /// All birth dates.
    pub birth_dates: Vec<NaiveDate>,
    /// Sex as reported; anything but M, F or X is missing.
    pub sex: Option<String>,
    /// Race as reported, several values separated by `;` or `|`. Both sides must use one code list.
    pub race: Option<String>,
    /// All addresses.
    pub addresses: Vec<Address>,
}

/// One name of a person. Empty text is missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PersonName {
    /// First name or names.
    pub first: String,
    /// Middle name, names or initial.
    pub middle: String,
    /// Surname or surnames.
    pub last: String,
    /// Generation suffix, if it has its own column.
    pub suffix: String,
}

/// One address of a person. Empty text is missing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// House number and street.
    pub street: String,
    /// Town.
    pub town: String,
    /// ZIP code; only the first five digits count.
    pub zip: String,
}

macro_rules! masked_debug {
    ($($type:ident),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(***)"))
            }
        }
    )*};
}
masked_debug!(Person, PersonName, Address);

#[cfg(test)]
mod tests {
    use super::Person;

    #[test]
    fn debug_output_names_nobody() {
        let person = Person { id: "MARKER".to_owned(), sasids: vec!["MARKER".to_owned()], ..Person::default() };
        assert!(!format!("{person:?}").contains("MARKER"));
    }
}
