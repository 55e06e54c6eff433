use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeZone as _;
use model::SeededEntropy;
use proptest::prelude::*;

use super::*;
use crate::terms::{Audience, Clause, OnwardParty, Showing, TermsParts};

pub(crate) fn terms() -> TermsParts {
    TermsParts {
        consumer: "dcf".parse().unwrap(),
        party: "Department of Children and Families".into(),
        purpose: Some("case planning".into()),
        legal_basis: Some("ferpa_uninterrupted_scholars".into()),
        clause: Some(Clause { agreement: "dcf".into(), version: 3, clause: "4.1".into() }),
        elements: ["attendance.days_attended", "enrollment.entry_date"].map(String::from).into(),
        withheld: BTreeSet::from(["discipline.incident_date".to_owned()]),
        onward: BTreeSet::from([OnwardParty {
            party: "Foster Care Review".into(),
            interest: "education needs".into(),
        }]),
        audiences: BTreeMap::from([(Audience::Parent, Showing::AfterReview)]),
    }
}

/// An invented disclosure; equal numbers give equal entries.
pub(crate) fn disclosure(number: u64) -> Entry {
    let entropy = SeededEntropy::new(number);
    Entry {
        id: model::disclosure_id(&entropy),
        kind: Kind::Disclosure,
        terms: Arc::new(Terms::new(terms()).unwrap()),
        delivery: Delivery::Unary,
        decided_at: Utc.with_ymd_and_hms(2026, 11, 21, 8, 30, 0).unwrap(),
        run: None,
        count: None,
        reason: None,
        detail: Detail {
            student: Some(StudentId(model::disclosure_id(&entropy).0)),
            person: Some(Masked::new("Worker Zero".into())),
            system: Some("dcf-regional".into()),
            digest: Some(Hash::of(&number.to_be_bytes())),
            ..Detail::default()
        },
        salts: Salts::draw(&entropy),
    }
}

#[test]
fn the_canonical_forms_stay_what_they_are() {
    let mut entry = disclosure(1);
    entry.run = Some(Uuid::from_u128(5));
    entry.reason = Some("said \"so\"\n".into());
    let form = RecordForm {
        count: Some(2),
        decided_at: &instant(entry.decided_at),
        delivery: "unary",
        kind: "disclosure",
        reason: entry.reason.as_deref(),
        run: entry.run,
        terms: TermsId(Hash([0xab; 32])),
    };
    assert_eq!(
        String::from_utf8(canonical(&form)).unwrap(),
        format!(
            "{{\"count\":2,\"decided_at\":\"2026-11-21T08:30:00.000000Z\",\"delivery\":\"unary\",\"kind\":\"disclosure\",\
             \"reason\":\"said \\\"so\\\"\\n\",\"run\":\"00000000-0000-0000-0000-000000000005\",\"terms\":\"{}\"}}",
            "ab".repeat(32)
        )
    );
    // Recorded leaves depend on these bytes for ever: a changed hash here is a broken ledger.
    assert_eq!(disclosure(1).terms.id().to_string(), TERMS_ID);
    assert_eq!(disclosure(1).leaf().hash().to_string(), LEAF_HASH);
}

const TERMS_ID: &str = "31044788bedea501bb646b0d921eeae04313e2aaa61bf788766506a292623ab1";
const LEAF_HASH: &str = "017f00883e79ca8c1896941789bc44274f4128fece0c4be221f16fc508e11803";

#[test]
fn a_leaf_comes_back_and_holds_nothing_personal() {
    let entry = disclosure(4);
    let bytes = entry.leaf().to_bytes();
    assert_eq!(bytes.len(), Leaf::LENGTH);
    assert_eq!(Leaf::from_bytes(&bytes), Some(entry.leaf()));
    assert_eq!(Leaf::from_bytes(&bytes[1..]), None);
    assert_eq!(Leaf::from_bytes(&[&bytes[..], b"x"].concat()), None);
    let student = entry.detail.student.unwrap();
    let digest = entry.detail.digest.unwrap();
    for hidden in [&student.0.as_bytes()[..], digest.as_bytes(), b"dcf", b"disclosure"] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden));
    }
    let printed = format!("{entry:?}");
    assert!(!printed.contains("Worker Zero") && printed.contains("***"));
}

#[test]
fn equal_entries_with_other_salts_share_no_commitment() {
    let one = disclosure(1);
    let mut other = one.clone();
    other.salts = Salts::draw(&SeededEntropy::new(99));
    let (one, other) = (one.leaf(), other.leaf());
    assert!(one.record != other.record && one.detail != other.detail && one.content != other.content);
}

#[test]
fn an_entry_holds_what_its_kind_must_hold() {
    fn check(change: impl FnOnce(&mut Entry), expect: bool) {
        let mut entry = disclosure(1);
        change(&mut entry);
        assert_eq!(entry.check().is_ok(), expect, "{entry:?}");
    }
    fn with_terms(change: impl FnOnce(&mut TermsParts)) -> Arc<Terms> {
        let mut parts = terms();
        change(&mut parts);
        Arc::new(Terms::new(parts).unwrap())
    }
    check(|_| (), true);
    check(|e| e.detail.student = None, false);
    check(|e| e.detail.digest = None, false);
    check(|e| e.terms = with_terms(|t| t.purpose = None), false);
    check(|e| e.terms = with_terms(|t| t.legal_basis = None), false);
    check(|e| e.terms = with_terms(|t| t.elements.clear()), false);
    let emergency = || with_terms(|t| t.legal_basis = Some("health_safety_emergency".into()));
    check(|e| e.terms = emergency(), false);
    check(
        |e| {
            e.terms = emergency();
            e.detail.threat = Some(Masked::new("an invented threat".into()));
        },
        true,
    );
    check(|e| e.detail.person = Some(Masked::new("nul\0".into())), false);
    check(|e| e.reason = Some("x".repeat(5_000)), false);
    check(|e| e.count = Some(u64::MAX), false);
    for (kind, expect) in [
        (Kind::Refusal, false),
        (Kind::Withdrawal, true),
        (Kind::Notice, true),
        (Kind::Access, false),
        (Kind::Completion, false),
        (Kind::Gap, false),
        (Kind::Approval, false),
        (Kind::Erasure, false),
    ] {
        check(|e| e.kind = kind, expect);
    }
    check(
        |e| {
            e.kind = Kind::Refusal;
            e.reason = Some("not_in_population".into());
            e.detail = Detail::default();
        },
        true,
    );
}

#[test]
fn terms_are_refused_when_nobody_could_read_them() {
    let wrong = |change: fn(&mut TermsParts)| {
        let mut parts = terms();
        change(&mut parts);
        Terms::new(parts).is_err()
    };
    assert!(wrong(|t| t.party = "  ".into()));
    assert!(wrong(|t| t.purpose = Some("\0".into())));
    assert!(wrong(|t| t.elements = (0..3_000).map(|n| n.to_string()).collect()));
    let parts = Terms::new(terms()).unwrap();
    assert_eq!(parts.audiences(Showing::Open), ["auditor"]);
    assert_eq!(parts.audiences(Showing::AfterReview), ["parent"]);
}

proptest! {
    /// Any edit of any part changes the leaf.
    #[test]
    fn any_edit_is_seen_in_the_leaf(which in 0..14, text in "[a-z]{1,12}", number in 1_i64..1_000_000) {
        let good = disclosure(1);
        let mut bent = good.clone();
        let other = || Some(Masked::new(text.clone()));
        match which {
            0 => bent.kind = Kind::Notice,
            1 => bent.delivery = Delivery::Page,
            2 => bent.decided_at += chrono::TimeDelta::microseconds(number),
            3 => bent.run = Some(Uuid::from_u128(number as u128)),
            4 => bent.count = Some(number as u64),
            5 => bent.reason = Some(text.clone()),
            6 => bent.detail.student = Some(StudentId(Uuid::from_u128(number as u128))),
            7 => bent.detail.person = other(),
            8 => bent.detail.system = Some(text.clone()),
            9 => bent.detail.on_behalf_of = other(),
            10 => bent.detail.authority = other(),
            11 => bent.detail.threat = other(),
            12 => bent.detail.digest = Some(Hash::of(text.as_bytes())),
            _ => {
                let mut parts = terms();
                parts.elements.insert(text.clone());
                bent.terms = Arc::new(Terms::new(parts).unwrap());
            }
        }
        prop_assert_ne!(good.leaf(), bent.leaf());
        prop_assert_ne!(good.leaf().hash(), bent.leaf().hash());
    }

    /// What hides behind one text cannot be moved into another.
    #[test]
    fn parts_do_not_run_into_each_other(a in "[a-z\"]{0,6}", b in "[a-z\"]{0,6}") {
        prop_assume!(a != b);
        let with = |person: &str, on_behalf_of: &str| {
            let mut entry = disclosure(1);
            entry.detail.person = Some(Masked::new(person.to_owned()));
            entry.detail.on_behalf_of = Some(Masked::new(on_behalf_of.to_owned()));
            entry.leaf().detail
        };
        prop_assert_ne!(with(&a, &b), with(&b, &a));
    }
}
