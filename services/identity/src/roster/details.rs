//! Who a client is, as the agency says it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::normalise::{parse_given, parse_sasid, parse_surname};

/// What the agency knows of a client: what matching compares.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientDetails {
    /// Surname.
    pub last_name: String,
    /// First name.
    pub first_name: String,
    /// Middle name.
    pub middle_name: String,
    /// Suffix.
    pub suffix: String,
    /// Birth date.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: String,
    /// Race.
    pub race: String,
    /// Town.
    pub town: String,
    /// ZIP code.
    pub zip: String,
    /// State-assigned student id.
    pub sasid: String,
}

impl std::fmt::Debug for ClientDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientDetails(***)")
    }
}

/// Two values that were both given: alike, or not.
fn compared<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<bool> {
    Some(a? == b?)
}

/// Two names, folded: an initial is like what begins with it. None where one is missing.
fn names_alike(a: &str, b: &str) -> Option<bool> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let is_initial = |a: &str, b: &str| a.chars().nth(1).is_none() && b.starts_with(a);
    Some(a == b || is_initial(a, b) || is_initial(b, a))
}

impl ClientDetails {
    /// A digest by which a change is noticed.
    pub fn digest(&self) -> [u8; 32] {
        // Cannot fail: a struct of texts and a day is always JSON.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }

    /// Whether there is a first name; what stands for none ("unknown", a dash) is none.
    pub(crate) fn has_first_name(&self) -> bool {
        !parse_given(&self.first_name).joined.is_empty()
    }

    /// Whether there is a surname.
    pub(crate) fn has_last_name(&self) -> bool {
        !parse_surname(&self.last_name).joined.is_empty()
    }

    /// Whether a name or the birth date is missing.
    pub(crate) fn is_incomplete(&self) -> bool {
        !self.has_first_name() || !self.has_last_name() || self.birth_date.is_none()
    }

    fn first_names(&self, other: &Self) -> Option<bool> {
        names_alike(&parse_given(&self.first_name).joined, &parse_given(&other.first_name).joined)
    }

    fn last_names(&self, other: &Self) -> Option<bool> {
        names_alike(&parse_surname(&self.last_name).joined, &parse_surname(&other.last_name).joined)
    }

    fn sasids(&self, other: &Self) -> Option<bool> {
        compared(parse_sasid(&self.sasid), parse_sasid(&other.sasid))
    }

    /// Whether these cannot be the same child: another first name, birth date or state id. A surname changes, and what is left out says nothing.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        let compared = [self.first_names(other), self.sasids(other), compared(self.birth_date, other.birth_date)];
        compared.contains(&Some(false))
    }

    /// Whether these most likely speak of another child: more speaks against it than for it, or another first name stands without the same state id. One
    /// corrected date, name or identifier makes nobody another child.
    pub(crate) fn is_another_child(&self, other: &Self) -> bool {
        let compared = [
            self.first_names(other),
            self.last_names(other),
            self.sasids(other),
            compared(self.birth_date, other.birth_date),
        ];
        let count = |expect: bool| compared.iter().flatten().filter(|same| **same == expect).count();
        self.contradicts(other)
            && (count(false) >= count(true)
                || (self.first_names(other) == Some(false) && self.sasids(other) != Some(true)))
    }

    /// Whether these speak of one child although one leaves something out: two of names, birth date and state id are the same, and none is another.
    pub(crate) fn bears_out(&self, other: &Self) -> bool {
        let compared = [
            self.first_names(other),
            self.last_names(other),
            self.sasids(other),
            compared(self.birth_date, other.birth_date),
        ];
        !compared.contains(&Some(false)) && compared.iter().flatten().count() >= 2
    }

    /// Takes over what these leave out of name and birth date: a row that leaves something out does not take it back.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        if !self.has_first_name() && other.has_first_name() {
            self.first_name.clone_from(&other.first_name);
        }
        if !self.has_last_name() && other.has_last_name() {
            self.last_name.clone_from(&other.last_name);
        }
        self.birth_date = self.birth_date.or(other.birth_date);
    }
}

#[cfg(test)]
mod tests {
    use super::ClientDetails;

    fn client(first: &str, last: &str, birth: &str, sasid: &str) -> ClientDetails {
        ClientDetails {
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            birth_date: birth.parse().ok(),
            sasid: sasid.to_owned(),
            ..ClientDetails::default()
        }
    }

    #[test]
    fn what_is_left_out_or_shortened_contradicts_nothing() {
        let roe = client("José", "Roe", "2010-03-04", "0099001234");
        for (first, birth, sasid, expect) in [
            ("JOSE", "", "99001234", false),
            ("J", "2010-03-04", "", false),
            ("unknown", "2010-03-04", "", false),
            ("", "", "", false),
            ("Pat", "", "", true),
            ("P", "", "", true),
            ("José", "2010-03-05", "", true),
            ("José", "2010-03-04", "99001235", true),
        ] {
            let other = client(first, "Medlar", birth, sasid);
            assert_eq!((roe.contradicts(&other), other.contradicts(&roe)), (expect, expect), "{first} {birth} {sasid}");
        }
    }

    #[test]
    fn a_correction_makes_nobody_another_child() {
        let roe = client("José", "Roe", "2010-03-04", "99001234");
        for (first, last, birth, sasid, expect) in [
            ("José", "Roe", "2010-03-05", "99001234", false),
            ("José", "Roe", "2010-03-04", "99001235", false),
            ("José", "Medlar", "2010-03-04", "", false),
            ("Pat", "Roe", "2010-03-04", "99001234", false),
            ("Pat", "Roe", "2010-03-04", "", true),
            ("Pat", "Roe", "2010-03-04", "99001235", true),
            ("Pat", "Medlar", "2012-01-01", "99001235", true),
            ("José", "Medlar", "2012-01-01", "99001235", true),
        ] {
            assert_eq!(
                client(first, last, birth, sasid).is_another_child(&roe),
                expect,
                "{first} {last} {birth} {sasid}"
            );
        }
    }

    #[test]
    fn a_gap_is_filled_from_what_two_details_bear_out() {
        let roe = client("José", "Roe", "2010-03-04", "99001234");
        for (mut row, expect) in [
            (client("", "Roe", "2010-03-04", ""), true),
            (client("FNU", "LNU", "2010-03-04", "99001234"), true),
            (client("José", "Roe", "", ""), true),
            (client("", "Roe", "", ""), false),
            (client("", "Roe", "2010-03-05", "99001234"), false),
            (client("", "Medlar", "2010-03-04", "99001234"), false),
        ] {
            assert_eq!(row.bears_out(&roe), expect, "{}", row.last_name);
            row.fill_from(&roe);
            assert!(!row.is_incomplete());
        }
    }
}
