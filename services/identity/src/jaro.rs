//! String likeness: Jaro-Winkler for words of up to 64 ASCII letters, and single edits. Symmetric in its arguments.

/// Jaro-Winkler similarity with the usual prefix bonus (0.1 for each of the first four letters).
pub(crate) fn jaro_winkler(a: &str, b: &str) -> f64 {
    // The greedy matching of Jaro may depend on the order of its arguments; a fixed order makes it symmetric.
    let (a, b) = if (a.len(), a) <= (b.len(), b) { (a, b) } else { (b, a) };
    if b.len() > 64 || !a.is_ascii() || !b.is_ascii() {
        return strsim::jaro_winkler(a, b);
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let jaro = jaro_ascii(a, b);
    let prefix = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
    jaro + 0.1 * prefix as f64 * (1.0 - jaro)
}

fn jaro_ascii(a: &[u8], b: &[u8]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return f64::from(u8::from(a.len() == b.len()));
    }
    let window = (b.len() / 2).saturating_sub(1);
    let (mut taken_a, mut taken_b, mut matching) = (0_u64, 0_u64, 0_u32);
    for (i, letter) in a.iter().enumerate() {
        let from = i.saturating_sub(window).min(b.len());
        let to = (i + window + 1).min(b.len());
        for (j, other) in b.iter().enumerate().take(to).skip(from) {
            if letter == other && taken_b & (1 << j) == 0 {
                taken_a |= 1 << i;
                taken_b |= 1 << j;
                matching += 1;
                break;
            }
        }
    }
    if matching == 0 {
        return 0.0;
    }
    let mut out_of_order = 0_u32;
    let (mut rest_a, mut rest_b) = (taken_a, taken_b);
    while rest_a != 0 {
        let (i, j) = (rest_a.trailing_zeros() as usize, rest_b.trailing_zeros() as usize);
        out_of_order += u32::from(a[i] != b[j]);
        rest_a &= rest_a - 1;
        rest_b &= rest_b - 1;
    }
    let matching = f64::from(matching);
    let transpositions = f64::from(out_of_order / 2);
    (matching / a.len() as f64 + matching / b.len() as f64 + (matching - transpositions) / matching) / 3.0
}

/// From this Jaro-Winkler similarity on two names are alike.
pub(crate) const SIMILAR_MIN: f64 = 0.84;

/// Whether two words can be alike at all, seen from their lengths, letter sets and initials alone. Used to skip the comparison
/// itself for the great majority of pairs, so it is reckoned in whole numbers.
pub(crate) fn may_be_similar(a: (usize, u32), b: (usize, u32), same_initial: bool) -> bool {
    let ((len_a, letters_a), (len_b, letters_b)) = (a, b);
    let shared_a = len_a.saturating_sub((letters_a & !letters_b).count_ones() as usize);
    let shared_b = len_b.saturating_sub((letters_b & !letters_a).count_ones() as usize);
    let shared = shared_a.min(shared_b);
    // At most (shared/a + shared/b + 1) / 3, and four tenths of what is missing to 1 for four first letters in common: the least with
    // which 0.84 is reached, as hundredths.
    let needed = if same_initial { 120 } else { 152 };
    shared > 0 && 100 * shared * (len_a + len_b) >= needed * len_a * len_b
}

/// Whether one substitution, insertion, deletion or neighbouring transposition turns one text into the other.
pub(crate) fn one_edit(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let prefix = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    if long.len() > short.len() {
        return short[prefix..] == long[prefix + 1..];
    }
    if prefix == short.len() {
        return false;
    }
    let swapped = prefix + 1 < short.len()
        && short[prefix] == long[prefix + 1]
        && short[prefix + 1] == long[prefix]
        && short[prefix + 2..] == long[prefix + 2..];
    swapped || short[prefix + 1..] == long[prefix + 1..]
}

#[cfg(test)]
mod tests {
    use super::{SIMILAR_MIN, jaro_winkler, may_be_similar, one_edit};
    use proptest::prelude::*;

    fn mask(word: &str) -> (usize, u32) {
        (word.len(), word.bytes().fold(0, |mask, byte| mask | 1 << (byte - b'A')))
    }

    #[test]
    fn agrees_with_the_published_examples() {
        for (a, b, expect) in [
            ("MARTHA", "MARHTA", 0.961),
            ("DIXON", "DICKSONX", 0.813),
            ("JELLYFISH", "SMELLYFISH", 0.896),
            ("SAME", "SAME", 1.0),
            ("ABC", "XYZ", 0.0),
            ("", "", 1.0),
            ("", "A", 0.0),
        ] {
            assert!((jaro_winkler(a, b) - expect).abs() < 0.001, "{a} {b} {}", jaro_winkler(a, b));
        }
    }

    #[test]
    fn single_edits_are_recognised() {
        for (a, b, expect) in [
            ("SMITH", "SMYTH", true),
            ("SMITH", "SMIHT", true),
            ("SMITH", "SMITHE", true),
            ("SMITH", "MITH", true),
            ("SMITH", "SMITH", false),
            ("SMITH", "SMYTHE", false),
            ("AB", "BA", true),
            ("A", "", true),
        ] {
            assert_eq!(one_edit(a.as_bytes(), b.as_bytes()), expect, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn likeness_is_symmetric_and_bounded(a in "[A-F]{0,12}", b in "[A-F]{0,12}") {
            let likeness = jaro_winkler(&a, &b);
            prop_assert_eq!(likeness.to_bits(), jaro_winkler(&b, &a).to_bits());
            prop_assert_eq!(one_edit(a.as_bytes(), b.as_bytes()), one_edit(b.as_bytes(), a.as_bytes()));
            if !a.is_empty() && !b.is_empty() {
                let may_be = may_be_similar(mask(&a), mask(&b), a.as_bytes()[0] == b.as_bytes()[0]);
                prop_assert!(may_be || likeness < SIMILAR_MIN, "{} {} {}", a, b, likeness);
            }
        }
    }
}
