use super::address::Street;
use super::{
    BirthDate, Suffix, fold, parse_birth_date, parse_given, parse_sasid, parse_sex, parse_street, parse_surname,
    parse_town, parse_zip,
};

#[test]
fn texts_fold_to_plain_words() {
    for (raw, expect) in [
        ("  José  María ", "JOSE MARIA"),
        ("O'Brien", "OBRIEN"),
        ("O’Brien-Núñez", "OBRIEN NUNEZ"),
        ("Łukasz Strauß", "LUKASZ STRAUSS"),
        ("e\u{301}lodie", "ELODIE"),
        ("J.", "J"),
        ("Þór Æsa", "THOR AESA"),
        ("\u{feff}Ann", "ANN"),
        ("Иван", "ИВАН"),
        ("--", ""),
        ("", ""),
    ] {
        assert_eq!(fold(raw), expect, "{raw}");
    }
}

#[test]
fn surnames_come_apart() {
    for (raw, joined, words, suffix) in [
        ("Garcia-Lopez", "GARCIALOPEZ", &["GARCIA", "LOPEZ"][..], Suffix::None),
        ("GARCIA LOPEZ JR", "GARCIALOPEZ", &["GARCIA", "LOPEZ"], Suffix::Junior),
        ("Garcia y Lopez", "GARCIALOPEZ", &["GARCIA", "LOPEZ"], Suffix::None),
        ("de la Cruz", "DELACRUZ", &["DELACRUZ", "CRUZ"], Suffix::None),
        ("Mc Donald", "MCDONALD", &["MCDONALD"], Suffix::None),
        ("O Brien III", "OBRIEN", &["OBRIEN"], Suffix::Third),
        ("Van", "VAN", &["VAN"], Suffix::None),
        ("Le", "LE", &["LE"], Suffix::None),
        ("St. John", "STJOHN", &["STJOHN"], Suffix::None),
        ("Smith 2nd", "SMITH", &["SMITH"], Suffix::Second),
        ("Sm1th", "SMTH", &["SMTH"], Suffix::None),
        ("unknown", "", &[], Suffix::None),
        ("Jr", "JR", &["JR"], Suffix::None),
    ] {
        let name = parse_surname(raw);
        assert_eq!(
            (name.joined.as_str(), name.words.as_slice(), name.suffix),
            (joined, words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice(), suffix),
            "{raw}"
        );
    }
}

#[test]
fn given_names_come_apart() {
    for (raw, joined, words, suffix) in [
        ("Mary-Ann", "MARYANN", &["MARY", "ANN"][..], Suffix::None),
        ("John Jr.", "JOHN", &["JOHN"], Suffix::Junior),
        ("Dr. Ada", "ADA", &["ADA"], Suffix::None),
        ("J", "J", &["J"], Suffix::None),
        ("Baby Boy", "", &[], Suffix::None),
        ("NMN", "", &[], Suffix::None),
    ] {
        let name = parse_given(raw);
        assert_eq!((name.joined.as_str(), name.words.len(), name.suffix), (joined, words.len(), suffix), "{raw}");
    }
}

#[test]
fn a_very_long_name_is_cut_not_refused() {
    let name = parse_surname(&"É".repeat(500));
    assert_eq!(name.joined.len(), 64);
}

#[test]
fn addresses_come_apart() {
    for (raw, house, name) in [
        ("12 Main St", "12", "MAIN"),
        ("12B North Main Street, Apt 4", "12B", "NMAIN"),
        ("12 Main Street # 4", "12", "MAIN"),
        ("PO Box 77", "77", "POBOX"),
        ("P.O. Box 77", "77", "POBOX"),
        ("Second Ave", "", "2ND"),
        ("2nd Ave", "", "2ND"),
        ("5 Second Ave", "5", "2ND"),
        ("5 St James Pl", "5", "STJAMES"),
        ("Street", "", "STREET"),
        ("", "", ""),
    ] {
        assert_eq!(parse_street(raw), Street { house: house.to_owned(), name: name.to_owned() }, "{raw}");
    }
    assert_eq!(parse_town("West  Hartford"), parse_town("W. Hartford"));
    for (raw, expect) in [
        ("06103", Some(6103)),
        ("6103", Some(6103)),
        ("06103-1234", Some(6103)),
        ("061031234", Some(6103)),
        ("", None),
        ("00000", None),
        ("K1A", None),
    ] {
        assert_eq!(parse_zip(raw), expect, "{raw}");
    }
}

#[test]
fn dates_ids_and_sex_are_read_strictly() {
    for (raw, expect) in [
        ("2008-02-29", BirthDate::Known(20_080_229)),
        ("2009-02-29", BirthDate::Invalid),
        ("02/03/2009", BirthDate::Invalid),
        ("2009-2-3", BirthDate::Invalid),
        ("1900-01-01", BirthDate::Placeholder),
        ("0000-00-00", BirthDate::Placeholder),
        ("9999-12-31", BirthDate::Placeholder),
        ("", BirthDate::Missing),
        ("  ", BirthDate::Missing),
        ("20O9-01-01", BirthDate::Invalid),
    ] {
        assert_eq!(parse_birth_date(raw), expect, "{raw}");
    }
    for (raw, expect) in [
        ("0012345", Some(12_345)),
        ("12345", Some(12_345)),
        ("0", None),
        ("", None),
        ("9999999999", None),
        ("N/A", None),
    ] {
        assert_eq!(parse_sasid(raw), expect, "{raw}");
    }
    assert_eq!(parse_sasid("AB12"), parse_sasid("ab-12"));
    for (raw, expect) in [("m", Some(b'M')), ("Female", Some(b'F')), ("X", Some(b'X')), ("U", None), ("", None)] {
        assert_eq!(parse_sex(raw), expect, "{raw}");
    }
}
