//! A superuser changes rows of a real exchange, one attack after the other: each is found and named, and ends with 3.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::Arc,
};

use agreements::{InstrumentKind, Interval, NewInstrument};
use ledger::{Audience, Delivery, Detail, Entry, Kind, Salts, Showing, Terms, TermsParts};

use crate::{
    erase::{DCF_HEADER, OTHER, Server, state},
    place::{Place, text},
};

const NIGHT: &str = "2026-11-20";

/// A state, a roster, a night, a request used and one unused, an agreement suspended and brought back, enough entries for a full tile.
fn prepare(place: &Place) {
    let files = state(place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    let roster = place.path("roster.csv");
    let row = |key: &str, name: &str, born: &str, id: &str, end: &str| {
        format!("{key},{name},,,{born},F,,Hartford,06103,{id},E{key},2026-01-01,{end},,Hartford,1,W1\n")
    };
    let rows = row("D7", "Qyzzleworth,Xanthwick", "2010-07-17", "9907070717", "2026-11-01")
        + &row("D8", "Quince,Ambrosia", "2011-03-04", OTHER, "");
    fs::write(&roster, format!("{DCF_HEADER}\n{rows}")).expect("a roster");
    place.run(&["roster", "load", text(&roster), "--consumer", "dcf", "--date", NIGHT], 0);
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", NIGHT], 0);
    let releases = place.path("releases.csv");
    let header = "Client_ID,Name_Last,Name_First,Name_Middle,Birth_Date,Sex,SASID,RELEASE_SIGNED_DATE,RELEASE_EXPIRES_DATE,RELEASE_SIGNED_BY";
    let row = format!("E5,Quince,Ambrosia,,2011-03-04,F,{OTHER},2026-01-05,2026-12-31,parent");
    fs::write(&releases, format!("{header}\n{row}\n")).expect("a roster");
    place.run(&["roster", "load", text(&releases), "--consumer", "education_unit", "--date", NIGHT], 0);
    let opened = open(place, "J-1");
    place.run(&["break-glass", "open", &opened], 0);
    place.run(&["break-glass", "close", &opened, "--reason", "the hearing was put off"], 0);
    let opened = open(place, "J-2");
    place.run(&["break-glass", "open", &opened], 0);
    let paper =
        ["--consumer", "education_unit", "--holder", "its head", "--reference", "paper 7", "--from", "2026-01-01"];
    let certified = place.run(&[&["agreement", "certify", "--by", "ann"][..], &paper].concat(), 0);
    let number = certified[0]["certification"].to_string();
    place.run(&["agreement", "revoke-certification", &number], 0);
    let order = place.path("orders.ndjson");
    let sealed = |domain: &str, number: &str| {
        format!(
            "{{\"sasid\":\"{OTHER}\",\"kind\":\"confidential_address\",\"domain\":{domain},\"order_number\":\"{number}\",\"ordered_on\":\"2036-01-05\"}}\n"
        )
    };
    fs::write(&order, sealed("null", "S-9") + &sealed("\"discipline\"", "S-10")).expect("a file");
    place.run(&["identity", "restrict", "--in", text(&order)], 0);
    let paper = ["--consumer", "dcf", "--client", "D7", "--destroyed-on", "2026-11-15", "--method", "shredded"];
    let signed = ["--attested-by", "its head", "--reference", "paper 9"];
    place.run(&[&["retention", "attest"][..], &paper, &signed].concat(), 0);
    place.run(&["agreement", "suspend", "cssd_agreement", "--by", "sandbox_steward_1", "--reason", "under review"], 0);
}

fn open(place: &Place, order: &str) -> String {
    let about = ["--consumer", "cssd", "--client", "C7", "--kind", "court_order", "--order", order];
    let asked = [&["break-glass", "request"][..], &about, &["--reason", "hearing", "--until", "2036-01-01T00:00:00Z"]];
    place.run(&asked.concat(), 0)[0]["request"].as_str().expect("a digest").to_owned()
}

/// Each attack, and words of the finding that it must give. `$` stands for the entry at position 20, `#` for the digest of [`forged_release`].
const ATTACKS: &[(&str, &str)] = &[
    ("UPDATE ledger.entry SET era = 2 WHERE entry_id = $", "(leaf 20) was altered: record"),
    ("UPDATE ledger.entry SET era = 99, xid = '9' WHERE entry_id = $", "(leaf 20) was altered: record"),
    ("UPDATE ledger.sequence SET era = 2 WHERE leaf_index >= 20", "era 2, in which leaf 20 stands, never began"),
    ("UPDATE ledger.entry SET kind = 'notice' WHERE entry_id = $", "(leaf 20) was altered: record"),
    ("UPDATE ledger.entry SET record_commitment = sha256('x') WHERE entry_id = $", "(leaf 20) was altered"),
    ("DELETE FROM ledger.entry WHERE entry_id = $", "(leaf 20) was deleted"),
    ("DELETE FROM ledger.detail WHERE entry_id = $", "(leaf 20) was deleted, and no erasure accounts for it"),
    ("UPDATE ledger.detail SET person = 'nobody' WHERE entry_id = $", "(leaf 20) was altered: detail"),
    ("UPDATE ledger.detail SET decided_at = '1999-01-01' WHERE entry_id = $", "(leaf 20) was altered: detail"),
    ("UPDATE ledger.detail SET terms_id = sha256('x') WHERE entry_id = $", "(leaf 20) was altered: detail"),
    ("UPDATE ledger.sequence SET leaf_hash = sha256('x') WHERE leaf_index = 20", "(leaf 20) was altered: commitments"),
    ("DELETE FROM ledger.sequence WHERE leaf_index = 20", "1 position(s) from leaf 20 on were deleted"),
    ("UPDATE ledger.node SET hash = sha256('x')", "leaves 0 to 255 do not give the stored hash over them"),
    ("DELETE FROM ledger.node", "leaves 0 to 255 do not give the stored hash over them"),
    (
        "DELETE FROM ledger.entry WHERE entry_id IN (SELECT entry_id FROM ledger.sequence WHERE leaf_index >= 200);
         DELETE FROM ledger.detail WHERE entry_id IN (SELECT entry_id FROM ledger.sequence WHERE leaf_index >= 200);
         DELETE FROM ledger.sequence WHERE leaf_index >= 200; DELETE FROM ledger.node",
        "and only 200 are here",
    ),
    ("UPDATE ledger.terms SET elements = array_append(elements, 'x.y')", "terms "),
    ("UPDATE ledger.checkpoint SET root = sha256('x')", "cannot be trusted"),
    ("DELETE FROM ledger.era", "era 1, in which leaf 0 stands, never began"),
    ("ALTER TABLE ledger.entry RENAME COLUMN reason TO because", "the ledger's tables are not as the program made them"),
    (
        "UPDATE agreements.term SET elements = array_append(elements, 'contact.street') WHERE agreement_id = 'dcf_mou'",
        "agreement dcf_mou version 1 was altered: its rules are not those of its terms",
    ),
    (
        "ALTER TABLE agreements.version DROP CONSTRAINT version_digest_of_canonical;
         UPDATE agreements.version SET canonical = replace(canonical, 'dcf', 'dcx') WHERE agreement_id = 'dcf_mou'",
        "agreement dcf_mou version 1 was altered: its terms are not those whose hash it bears",
    ),
    (
        "UPDATE agreements.version SET valid_from = valid_from - interval '1 year' WHERE agreement_id = 'dcf_mou'",
        "agreement dcf_mou version 1 was altered: its days of validity",
    ),
    ("UPDATE agreements.approval SET signature = sha256('x') || sha256('y')", "it does not bear two valid approvals"),
    (
        "UPDATE agreements.activation SET ended_at = NULL, ended_because = NULL, ended_by = NULL, end_reason = NULL,
         end_recorded_at = NULL WHERE agreement_id = 'cssd_agreement'",
        "agreement cssd_agreement was altered: entry",
    ),
    (
        "UPDATE agreements.instrument SET revoked_at = NULL",
        "was altered: entry",
    ),
    (
        "UPDATE agreements.instrument SET valid_to = valid_to + interval '1 year'",
        "(court_order) was altered: it says something else than was put on file",
    ),
    // A client more: a release needs no signature, and its digest anybody can compute.
    (
        "INSERT INTO agreements.instrument (consumer, person_key, kind, reference, reason, valid_from, digest, recorded_by, recorded_at)
         VALUES ('education_unit', 'E1', 'student_release', 'R-1', '', '2026-01-01T00:00:00Z', '\\x#', 'roster', '2026-01-01T00:00:00Z')",
        "(student_release) was altered: it is not as the program put it on file",
    ),
    (
        "UPDATE agreements.instrument SET recorded_by = 'somebody' WHERE kind = 'parent_release'",
        "(parent_release) was altered: it is not as the program put it on file",
    ),
    // A recipient's word that nobody took: what is overdue is overdue no longer.
    (
        "INSERT INTO disclosure.attestation VALUES
         (gen_random_uuid(), 'dcf', 'D8', '2026-11-20', 'shredded', 'its head', 'paper 9', 'ann', '2026-11-20T12:00:00Z')",
        "was altered: no entry of the ledger says that it was entered",
    ),
    ("UPDATE disclosure.attestation SET attestation_id = $", "was altered: no entry of the ledger says that it was entered"),
    ("UPDATE disclosure.attestation SET person_key = 'D8'", "was altered: it says something else than its entry"),
    ("UPDATE disclosure.attestation SET destroyed_on = 'infinity'", "was altered: its days are not those of its entry"),
    ("UPDATE disclosure.attestation SET destroyed_on = destroyed_on - 1", "was altered: its days are not those of its entry"),
    ("UPDATE disclosure.attestation SET method = 'burnt'", "was altered: it says something else than its entry"),
    ("UPDATE disclosure.attestation SET reference = 'paper 8'", "was altered: it says something else than its entry"),
    ("DELETE FROM disclosure.attestation", "was altered: it is not on file any more"),
    (
        "UPDATE agreements.request SET used_at = NULL, used_for = NULL",
        "was altered: it is on file as unused, and",
    ),
    (
        "UPDATE agreements.request SET expires_at = expires_at + interval '9 days'",
        "was altered: its consumer or the time until which it counts",
    ),
    (
        "UPDATE identity.released SET released = tstzrange(lower(released), NULL) WHERE person_key = 'D7'",
        "it is not in the population as match and authority give it",
    ),
    (
        "UPDATE identity.released SET student_id = (SELECT max(student_id::text)::uuid FROM identity.student) WHERE student_id <>
         (SELECT max(student_id::text)::uuid FROM identity.student)",
        "it is not in the population as match and authority give it",
    ),
    ("UPDATE identity.released SET birth_date = NULL", "it is not in the population as match and authority give it"),
    ("DELETE FROM identity.released", "it follows from match and authority, and is not in the population"),
    (
        "INSERT INTO identity.released SELECT client_id, authority_id, (SELECT max(source_person_id) FROM identity.source_person) + 1,
         student_id, consumer, person_key, legal_basis, phase, office, region, officer, released, birth_date FROM identity.released LIMIT 1",
        "it is in the population, and no match and authority give it",
    ),
    (
        "UPDATE identity.authority SET released = tstzrange(lower(released), NULL);
         UPDATE identity.released SET released = tstzrange(lower(released), NULL)",
        "it does not begin and end with the days that the roster stated",
    ),
    // A match that nobody decided, with all that follows from it: the two clients are each other's child.
    (
        "UPDATE identity.match_decision SET student_id = gen_random_uuid() WHERE superseded_at IS NULL;
         UPDATE identity.match_decision AS m SET student_id = x.student_id, source_person_id = x.source_person_id
         FROM identity.match_decision AS o, identity.crosswalk AS x
         WHERE m.superseded_at IS NULL AND o.superseded_at IS NULL AND o.client_id <> m.client_id AND x.source_person_id = o.source_person_id;
         UPDATE identity.released AS r SET student_id = m.student_id, source_person_id = m.source_person_id
         FROM identity.match_decision AS m WHERE m.client_id = r.client_id AND m.superseded_at IS NULL",
        "of dcf was altered: it is not as the program decided it",
    ),
    (
        "UPDATE identity.client SET person_key = 'D9' WHERE person_key = 'D8'; UPDATE identity.released SET person_key = 'D9' WHERE person_key = 'D8'",
        "of dcf was altered: it is not as the program decided it",
    ),
    (
        "UPDATE identity.match_decision SET found_again_hash = details_hash WHERE superseded_at IS NULL",
        "of dcf was altered: it is not as the program decided it",
    ),
    (
        "UPDATE identity.crosswalk SET student_id = (SELECT max(student_id::text)::uuid FROM identity.student)",
        "was altered: no load and no move brought them there",
    ),
    (
        "INSERT INTO identity.crosswalk_move (kind, from_student, to_student, source_persons, joined_since, decided_by, reason, moved_at)
         SELECT 'relink', min(student_id::text)::uuid, max(student_id::text)::uuid, ARRAY[min(source_person_id)], now(), 'somebody', 'a reason', now()
         FROM identity.crosswalk",
        "of the crosswalk was altered: it is not as the program made it",
    ),
    (
        "INSERT INTO agreements.certification (consumer, holder, reference, valid_from, recorded_by, recorded_at)
         VALUES ('cssd', 'nobody', 'no paper', '2020-01-01', 'somebody', now())",
        "of cssd was altered: it does not bear two valid approvals",
    ),
    (
        "UPDATE agreements.certification SET revoked_at = NULL",
        "a certification of education_unit was altered: the control journal has it revoked at",
    ),
    (
        "DELETE FROM identity.restriction",
        "1 order(s) that the control journal holds were removed",
    ),
    (
        "UPDATE identity.restriction SET in_force = tstzrange(lower(in_force), lower(in_force) + interval '1 day')",
        "1 order(s) that the control journal holds were removed or ended",
    ),
    (
        "UPDATE identity.restriction SET in_force = tstzrange(lower(in_force) + interval '30 years', NULL)",
        "1 order(s) that the control journal holds were removed or ended",
    ),
    (
        "UPDATE history.restriction SET in_force = tstzrange(lower(in_force), lower(in_force) + interval '1 day')",
        "1 order(s) that the control journal holds were removed or ended",
    ),
    (
        "UPDATE history.restriction SET in_force = tstzrange(lower(in_force) + interval '30 years', NULL)",
        "1 order(s) that the control journal holds were removed or ended",
    ),
];

/// What is put back after each attack.
const TABLES: &[&str] = &[
    "ledger.terms",
    "ledger.era",
    "ledger.entry",
    "ledger.detail",
    "ledger.sequence",
    "ledger.node",
    "ledger.checkpoint",
    "ledger.erasure",
    "agreements.version",
    "agreements.term",
    "agreements.approval",
    "agreements.activation",
    "agreements.instrument",
    "agreements.request",
    "agreements.opening",
    "identity.released",
    "identity.authority",
    "identity.client",
    "identity.match_decision",
    "identity.crosswalk",
    "identity.crosswalk_move",
    "identity.restriction",
    "history.restriction",
    "agreements.certification",
    "disclosure.attestation",
];

fn verify(place: &Place, more: &[&str], code: i32) -> Vec<String> {
    let said = place.run(&[&["ledger", "verify"], more].concat(), code);
    let findings = said[0]["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding.as_str().expect("words").to_owned()).collect()
}

#[test]
fn whatever_a_superuser_changes_is_found_and_named() {
    let place = Place::new();
    prepare(&place);
    let mut server = Server::start(&place);
    server.record(&refusals(300));
    assert_eq!(verify(&place, &[], 0), Vec::<String>::new());
    assert_eq!(server.query("SELECT count(*) FROM ledger.node"), ["1"], "a tile is full");
    let exported = place.path("exported");
    place.run(&["ledger", "export", "--out", text(&exported)], 0);
    let kept = exported.join("checkpoint");
    for table in TABLES {
        let copy = table.replace('.', "_");
        server.query(&format!("CREATE TABLE public.{copy} AS TABLE {table}"));
    }
    let entry = server.query("SELECT '''' || entry_id || '''' FROM ledger.sequence WHERE leaf_index = 20").remove(0);
    for (attack, expected) in ATTACKS {
        run(&mut server, &attack.replace('$', &entry).replace('#', &forged_release()));
        let found = verify(&place, &[], 3);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{attack}: {found:#?}");
        put_back(&mut server, attack);
    }
    assert_eq!(verify(&place, &["--checkpoint", text(&kept)], 0), Vec::<String>::new());
    // The tail cut so that nothing contradicts anything: only whoever kept the checkpoint can tell.
    let cut = "DELETE FROM ledger.entry WHERE entry_id IN (SELECT entry_id FROM ledger.sequence WHERE leaf_index >= 30);
        DELETE FROM ledger.detail WHERE entry_id IN (SELECT entry_id FROM ledger.sequence WHERE leaf_index >= 30);
        DELETE FROM ledger.sequence WHERE leaf_index >= 30; DELETE FROM ledger.node; DELETE FROM ledger.checkpoint WHERE tree_size > 30";
    run(&mut server, cut);
    let found = verify(&place, &["--checkpoint", text(&kept)], 3);
    assert!(found.iter().any(|finding| finding.contains("and only 3")), "{found:#?}");
    server.stop();
}

#[test]
fn releases_are_vouched_for_however_often_that_is_broken_off() {
    const UNVOUCH: &str = "UPDATE agreements.instrument SET vouched = NULL";
    let place = Place::new();
    prepare(&place);
    let (key, mark) = (place.path("data/keys/releases.hex"), place.path("data/keys/releases.unvouched"));
    let drawn = fs::read(&key).expect("a key");
    assert!(!mark.exists(), "all is vouched for");
    let mut server = Server::start(&place);
    // Killed behind the key and before the releases; behind the mark and before the key; behind the releases and before the mark went.
    for (has_key, has_releases) in [(true, false), (false, false), (true, true)] {
        fs::write(&mark, "").expect("a mark");
        let before = fs::read(&key).expect("a key");
        if !has_key {
            fs::remove_file(&key).expect("removed");
        }
        if !has_releases {
            run(&mut server, UNVOUCH);
        }
        assert_eq!(
            verify(&place, &[], 0),
            Vec::<String>::new(),
            "nothing is held against a key that is not in use yet"
        );
        place.run(&["retention", "due", "--consumer", "dcf"], 0);
        assert!(!mark.exists(), "it was gone on with");
        assert_eq!(fs::read(&key).expect("a key") == before, has_key, "by the key that was kept");
        assert_eq!(verify(&place, &[], 0), Vec::<String>::new());
        let vouched = "SELECT count(*) FROM agreements.instrument WHERE vouched IS NOT NULL";
        assert_eq!(server.query(vouched), ["1"]);
    }
    assert_ne!(fs::read(&key).expect("a key"), drawn);
    // Without the mark nothing is vouched for any more.
    run(&mut server, UNVOUCH);
    place.run(&["retention", "due", "--consumer", "dcf"], 0);
    let found = verify(&place, &[], 3);
    assert!(found.iter().any(|one| one.contains("it is not as the program put it on file")), "{found:#?}");
    server.stop();
}

/// The digest of a release that nobody filed.
fn forged_release() -> String {
    let release = NewInstrument {
        kind: InstrumentKind::StudentRelease,
        consumer: "education_unit".parse().expect("an id"),
        person_key: model::Masked::new("E1".to_owned()),
        reference: "R-1".to_owned(),
        reason: String::new(),
        in_force: Interval { from: "2026-01-01T00:00:00Z".parse().expect("an instant"), to: None },
    };
    release.digest().expect("a digest").to_string()
}

/// Entries that fill a tile.
fn refusals(count: u16) -> Vec<Entry> {
    let parts = TermsParts {
        consumer: "dcf".parse().expect("an id"),
        party: "an agency".to_owned(),
        purpose: None,
        legal_basis: None,
        clause: None,
        elements: BTreeSet::new(),
        withheld: BTreeSet::new(),
        onward: BTreeSet::new(),
        audiences: BTreeMap::from([(Audience::Auditor, Showing::Open)]),
    };
    let terms = Arc::new(Terms::new(parts).expect("terms"));
    let entropy = model::SeededEntropy::new(7);
    let one = |_| Entry {
        id: model::disclosure_id(&entropy),
        kind: Kind::Refusal,
        terms: Arc::clone(&terms),
        delivery: Delivery::Unary,
        decided_at: "2026-11-20T12:00:00Z".parse().expect("an instant"),
        run: None,
        count: None,
        reason: Some("not_a_client".to_owned()),
        detail: Detail::default(),
        salts: Salts::draw(&entropy),
    };
    (0..count).map(one).collect()
}

/// As a superuser does it, past triggers and foreign keys.
fn run(server: &mut Server, sql: &str) {
    server.query(&format!("SET session_replication_role = replica; {sql}; RESET session_replication_role"));
}

fn put_back(server: &mut Server, attack: &str) {
    if attack.contains("RENAME COLUMN") {
        run(server, "ALTER TABLE ledger.entry RENAME COLUMN because TO reason");
    }
    for table in TABLES {
        let copy = table.replace('.', "_");
        run(
            server,
            &format!("DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM public.{copy}"),
        );
    }
}
