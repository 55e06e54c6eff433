//! Nicknames: which given names may be forms of one name.
//!
//! Each everyday form points at the formal names it stands for (its roots), and two words are related when they share
//! a root: BILL and WILL both stand for WILLIAM. The relation is symmetric and deliberately not transitive, so that
//! ALEX does not make ALEXANDER of ALEXANDRA, nor of a chain of forms one huge family.

mod table;

use crate::hash::{FoldMap, FoldSet};

/// Formal names that one word may stand for; 0 fills unused places.
pub(crate) type Roots = [u16; 6];

/// The table, ready for look-up.
pub(crate) struct Nicknames {
    roots: FoldMap<&'static str, Roots>,
    formal: FoldSet<&'static str>,
}

impl Nicknames {
    pub(crate) fn new() -> Self {
        let mut roots: FoldMap<&'static str, Roots> = FoldMap::default();
        for (index, (formal, forms)) in table::FORMS.iter().enumerate() {
            let root = index as u16 + 1;
            for form in std::iter::once(*formal).chain(forms.split(' ')) {
                let entry = roots.entry(form).or_insert([0; 6]);
                if entry.contains(&root) {
                    continue;
                }
                // A form of more than six names says too little to be kept for the rest.
                if let Some(free) = entry.iter_mut().find(|place| **place == 0) {
                    *free = root;
                }
            }
        }
        Self { roots, formal: table::FORMS.iter().map(|(formal, _)| *formal).collect() }
    }

    /// Whether a word is only ever a form of other names.
    pub(crate) fn is_short_form(&self, word: &str) -> bool {
        self.roots.contains_key(word) && !self.formal.contains(word)
    }

    pub(crate) fn roots(&self, word: &str) -> Roots {
        self.roots.get(word).copied().unwrap_or([0; 6])
    }
}

/// Whether two words may be forms of the same given name.
pub(crate) fn related(a: &Roots, b: &Roots) -> bool {
    a[0] != 0 && b[0] != 0 && a.iter().any(|root| *root != 0 && b.contains(root))
}

#[cfg(test)]
mod tests {
    use super::{Nicknames, related, table};

    #[test]
    fn forms_of_one_name_are_related() {
        let names = Nicknames::new();
        for (a, b, expect) in [
            ("WILLIAM", "BILL", true),
            ("BILLY", "WILL", true),
            ("TED", "EDWARD", true),
            ("TED", "THEODORE", true),
            ("EDWARD", "THEODORE", false),
            ("PEPE", "JOSE", true),
            ("CHUY", "JESUS", true),
            ("PACO", "FRANCISCO", true),
            ("ROBERT", "RICHARD", false),
            ("NOBODY", "NOBODY", false),
        ] {
            assert_eq!(related(&names.roots(a), &names.roots(b)), expect, "{a} {b}");
            assert_eq!(related(&names.roots(b), &names.roots(a)), expect, "{b} {a}");
        }
    }

    #[test]
    fn the_table_is_folded_and_names_each_root_once() {
        let mut seen = std::collections::BTreeSet::new();
        for (formal, forms) in table::FORMS {
            assert!(seen.insert(formal), "{formal} twice");
            for form in std::iter::once(formal).chain(forms.split(' ').collect::<Vec<_>>().iter()) {
                assert!(!form.is_empty() && form.bytes().all(|byte| byte.is_ascii_uppercase()), "{formal}: {form}");
            }
        }
        assert!(seen.len() > 300);
    }
}
