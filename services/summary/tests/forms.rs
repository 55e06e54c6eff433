//! The forms of one summary, held equal by what can be read back out of them; and records of every troublesome kind.

#[expect(dead_code, reason = "here it answers as it should")]
#[path = "stamping/authority.rs"]
mod authority;
#[path = "forms/brief.rs"]
mod brief;
#[path = "forms/examples.rs"]
mod examples;
#[path = "forms/font.rs"]
mod font;
#[path = "forms/heads.rs"]
mod heads;
#[path = "forms/languages.rs"]
mod languages;
#[path = "forms/message.rs"]
mod message;
#[path = "forms/order.rs"]
mod order;
#[path = "forms/outline.rs"]
mod outline;
#[path = "forms/paper.rs"]
mod paper;
#[path = "forms/piece.rs"]
mod piece;
#[path = "forms/places.rs"]
mod places;
#[path = "forms/records.rs"]
mod records;
#[path = "forms/scripts.rs"]
mod scripts;
#[path = "forms/web.rs"]
mod web;

use std::{collections::BTreeSet, fs, path::Path};

use authority::{Authority, Habit};
use chrono::{DateTime, Utc};
use piece::{Piece, plain};
use serde_json::Value;
use summary::{
    Form, Language, Origin, RenderOptions, Renderer, RendererOptions, Summary, from_json,
    sign::{Authorities, KeyFile, Question, Seal, Signer as _, add_token, imprint, sign, verify},
};

const SCHEMA: &str = include_str!("../../../proto/throughline/summary/v1/school-records-summary-1.schema.json");

fn options(form: Form, language: Language) -> RenderOptions {
    RenderOptions { origin: Origin::Exchange, form, language }
}

fn renderer() -> Renderer {
    Renderer::new(&RendererOptions::default()).expect("fonts")
}

/// The fixtures and 50 generated records, by name.
fn all() -> Vec<(String, Summary)> {
    let fixtures = ["full", "sparse"].map(|name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).with_extension("json");
        let mut json: Value = serde_json::from_slice(&fs::read(path).expect("a fixture")).expect("JSON");
        json["code"] = "00000000-0000-4000-8000-000000000001".into();
        (name.to_owned(), read(&json))
    });
    let generated = records::all().into_iter().map(|(name, json)| (name, read(&json)));
    fixtures.into_iter().chain(generated).collect()
}

fn read(json: &Value) -> Summary {
    from_json(json.to_string().as_bytes()).expect("a summary")
}

/// What a form says where characters of it were replaced. Paper replaces what none of its fonts has; the web has the fonts of whoever reads it.
const REPLACED: &str = "The mark \u{fffd} stands for a character that cannot be printed here.";

/// Everything that can be said of a difference without printing the documents whole.
fn hold_equal(name: &str, paper: &[Piece], web: &[Piece]) {
    let replaced = Piece::Paragraph(plain(REPLACED));
    let paper: Vec<&Piece> = paper.iter().filter(|piece| **piece != replaced || web.contains(&replaced)).collect();
    for (at, (one, other)) in paper.iter().zip(web).enumerate() {
        assert_eq!(*one, other, "{name}, piece {at}: paper and web differ");
    }
    assert_eq!(paper.len(), web.len(), "{name}: one form says more");
}

#[test]
fn paper_web_and_record_say_the_same_block_by_block() {
    let renderer = renderer();
    for (name, summary) in all() {
        let pdf = renderer.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF");
        let html = renderer.render(&summary, options(Form::Html, Language::English)).expect("a page");
        let (paper, web) = (paper::read(&pdf), web::read(&html));
        hold_equal(&name, &paper, &web);
        let has_replaced = !paper::replaced(&pdf).is_empty() || format!("{web:?}").contains('\u{fffd}');
        assert_eq!(paper.contains(&Piece::Paragraph(plain(REPLACED))), has_replaced, "{name}");
        let record = serde_json::to_value(&summary).expect("JSON");
        assert_eq!(read(&record), summary, "{name}: the record reads the same");
        records::hold_against_record(&name, &paper, &record);
    }
}

/// What a record seldom holds.
fn rare() -> Summary {
    let mut rare = serde_json::to_value(&all().swap_remove(0).1).expect("JSON");
    rare["client"]["dob"] = serde_json::json!({ "suppressed": true });
    rare["history"]["schools"] = serde_json::json!([{ "school": "Tallis High", "exit_date": "2026-06-12", "exit_date_inferred": "last sighting" },
        { "entry_date": "2013-08-26", "exit_date_missing": "exit date not reported" }]);
    rare["history"]["tests"] = serde_json::json!([{ "year": "2012-13", "writing": 251, "writing_level": "Goal" }]);
    rare["history"]["tests_left_out"] =
        serde_json::json!({ "other_subjects": [{ "subject": "Speaking", "count": 3 }], "earlier_attempts": 2 });
    rare["recent"]["tests_left_out"] = rare["history"]["tests_left_out"].clone();
    read(&rare)
}

#[test]
fn the_message_says_what_the_record_says_field_by_field() {
    let (renderer, mut filled) = (renderer(), BTreeSet::new());
    for (name, summary) in all().into_iter().chain([("what is rare".to_owned(), rare())]) {
        let encoded = renderer.render(&summary, options(Form::Message, Language::English)).expect("a message");
        let record = serde_json::to_value(&summary).expect("JSON");
        assert_eq!(message::read(&encoded, &mut filled), message::of_record(&record), "{name}");
    }
    assert_eq!(filled, message::fields(), "each field of the message was filled by some record");
}

#[test]
fn headings_in_spanish_and_portuguese_stand_above_the_same_values() {
    let renderer = renderer();
    let (name, summary) = all().swap_remove(2);
    let english = paper::read(&renderer.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF"));
    for language in [Language::Spanish, Language::Portuguese] {
        let paper = paper::read(&renderer.render(&summary, options(Form::Pdf, language)).expect("a PDF"));
        let html = renderer.render(&summary, options(Form::Html, language)).expect("a page");
        hold_equal(&name, &paper, &web::read(&html));
        for (one, other) in english.iter().zip(&paper) {
            if let (Piece::Table { head, rows }, Piece::Table { head: heads, rows: same }) = (one, other) {
                assert_eq!(rows, same);
                assert_eq!(head.len(), heads.len());
            }
        }
        assert!(!String::from_utf8(html).expect("text").contains("Most Recent"));
    }
}

#[test]
fn the_one_page_is_one_page_whatever_the_record_holds() {
    let renderer = renderer();
    let hostile = records::hostile();
    for (name, summary) in all().into_iter().chain([("hostile".to_owned(), read(&hostile))]) {
        for language in [Language::English, Language::Portuguese] {
            let pdf = renderer.render(&summary, options(Form::OnePage, language)).expect("a page");
            assert_eq!(paper::page_count(&pdf), 1, "{name}");
            let pieces = paper::read(&pdf);
            let code = summary.code.as_deref().expect("a code");
            assert!(paper::artifacts(&pdf).contains(&plain(code)), "{name}: the code is in the foot");
            assert!(pieces.iter().any(|piece| matches!(piece, Piece::Heading(1, _))));
            // Whatever else is cut, the notice begins as in the agreement, and so far is whole.
            let notice: String = summary.notice.as_deref().unwrap_or_default().chars().take(300).collect();
            let holds =
                |piece: &Piece| matches!(piece, Piece::Paragraph(text) if plain(text).contains(&plain(&notice)));
            assert!(pieces.iter().any(holds), "{name}: {notice}");
        }
    }
}

#[test]
fn the_one_page_of_an_ordinary_client_shows_the_trend_and_the_timeline() {
    let renderer = renderer();
    for (name, summary) in all().into_iter().filter(|(name, _)| !name.starts_with("long-names")) {
        for language in [Language::English, Language::Spanish, Language::Portuguese] {
            let pdf = renderer.render(&summary, options(Form::OnePage, language)).expect("a page");
            assert_eq!(paper::page_count(&pdf), 1, "{name}");
            let charts = |pdf: &[u8]| paper::read(pdf).iter().filter(|piece| matches!(piece, Piece::Figure(_))).count();
            let whole = renderer.render(&summary, options(Form::Pdf, language)).expect("a PDF");
            assert_eq!(
                charts(&pdf),
                charts(&whole),
                "{name}, {language:?}: the charts of the report are on the one page"
            );
        }
    }
}

#[test]
fn names_that_only_a_configured_font_has_are_set_in_it() {
    const NAMES: &str = "王小明例花子예시김지민";
    let hebrew =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fonts/NotoSansHebrew-Regular.ttf")).expect("a font");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("further-fonts");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("ours.ttf"), font::under_other_characters(&hebrew, NAMES)).expect("a file");
    fs::write(folder.join("readme.txt"), "no font").expect("a file");
    let (plain, further) =
        (renderer(), Renderer::new(&RendererOptions { extra_fonts: Some(folder.clone()) }).expect("fonts"));
    let mut replaced = 0;
    for (name, summary) in all().into_iter().filter(|(name, _)| name.starts_with("scripts")) {
        let read = |renderer: &Renderer| {
            let pdf = renderer.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF");
            (paper::read(&pdf), paper::replaced(&pdf))
        };
        let ((without, stood_for), (with, left)) = (read(&plain), read(&further));
        hold_equal(&name, &without, &with);
        let of_the_font = |text: &String| text.chars().any(|c| NAMES.contains(c));
        replaced += stood_for.iter().filter(|text| of_the_font(text)).count();
        assert!(!left.iter().any(of_the_font), "{name}: {left:?} were replaced although a font has them");
    }
    assert!(replaced > 0, "without the font some were replaced, and the report was made");
    fs::write(folder.join("broken.ttf"), [0; 40]).expect("a file");
    assert!(Renderer::new(&RendererOptions { extra_fonts: Some(folder.clone()) }).is_err(), "said when it starts");
    fs::remove_file(folder.join("broken.ttf")).expect("it goes");
}

#[test]
fn the_record_inside_a_document_is_the_record() {
    let (_, summary) = all().swap_remove(0);
    let renderer = renderer();
    let issued = renderer.render(&summary, options(Form::PdfWithRecord, Language::English)).expect("a PDF");
    assert_eq!(from_json(&paper::attachment(&issued)).expect("a summary"), summary);
    let file = RenderOptions { origin: Origin::File, ..options(Form::PdfWithRecord, Language::English) };
    let not_issued = renderer.render(&summary, file).expect("a PDF");
    assert_eq!(from_json(&paper::attachment(&not_issued)).expect("a summary"), Summary { code: None, ..summary });
}

#[test]
fn two_runs_and_two_threads_give_the_same_bytes() {
    let records = all();
    let work = |renderer: &Renderer, forwards: bool| -> Vec<Vec<u8>> {
        let mut worker = renderer.worker();
        let mut order: Vec<usize> = (0..records.len()).collect();
        if !forwards {
            order.reverse();
        }
        let mut out = vec![Vec::new(); records.len()];
        for at in order {
            out[at] = worker.render(&records[at].1, options(Form::Pdf, Language::English)).expect("a PDF");
        }
        out
    };
    let (one, other) = (renderer(), renderer());
    let first = work(&one, true);
    let (second, third) = std::thread::scope(|scope| {
        let second = scope.spawn(|| work(&other, true));
        let third = scope.spawn(|| work(&other, false));
        (second.join().expect("no panic"), third.join().expect("no panic"))
    });
    assert!(first == second && second == third);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("summaries");
    fs::create_dir_all(&folder).expect("a folder");
    for ((name, summary), pdf) in records.iter().zip(first) {
        // For validators that are no part of the build: see deploy/check-summaries.
        fs::write(folder.join(name).with_extension("json"), serde_json::to_vec(summary).expect("JSON"))
            .expect("a file");
        fs::write(folder.join(name).with_extension("pdf"), pdf).expect("a file");
    }
}

#[test]
fn every_kind_of_document_can_be_signed_and_stamped() {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name.push(rcgen::DnType::CommonName, "State Department of Education (test)");
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature, rcgen::KeyUsagePurpose::ContentCommitment];
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    let key = KeyFile::from_pem(key.serialize_pem().as_bytes(), certificate.as_bytes()).expect("a signing key");
    let stamps = Authority::new(rcgen::ExtendedKeyUsagePurpose::TimeStamping);
    let trusted = Authorities::from_pem(stamps.root.as_bytes()).expect("a root");
    let at: DateTime<Utc> = "2026-11-20T22:15:00Z".parse().expect("a time");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("summaries-sealed");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("certificate.pem"), certificate).expect("a file");
    fs::write(folder.join("root-of-stamps.pem"), &stamps.root).expect("a file");
    let renderer = renderer();
    for (name, summary) in all() {
        let pdf = renderer.render(&summary, options(Form::Pdf, Language::English)).expect("a PDF");
        let signed = sign(&pdf, Seal { signer: &key, at, token_bytes_max: Some(2_000) }).expect("signed");
        let question = Question::new(imprint(&signed).expect("a signature"), [3; 16]);
        let answer = stamps.answer(&question.to_der().expect("DER"), at, Habit::Honest);
        let stamped = add_token(&signed, &question.accept(&answer, &trusted, at).expect("a token")).expect("room");
        let verified = verify(&stamped, &[key.identity().clone()], &trusted).expect("it holds");
        assert!(verified.is_trusted && verified.stamp.is_some_and(|stamp| stamp.is_ok_and(|stamp| stamp.is_trusted)));
        // For validators that are no part of the build: see deploy/check-summaries.
        fs::write(folder.join(&name).with_extension("pdf"), stamped).expect("a file");
    }
}

#[test]
fn every_record_fits_the_schema_and_the_schema_refuses_what_the_reader_refuses() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for (name, summary) in all() {
        let json = serde_json::to_value(&summary).expect("JSON");
        let wrong: Vec<String> = validator.iter_errors(&json).map(|error| error.instance_path().to_string()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
    let base = serde_json::json!({
        "format": "school-records-summary/1", "report_date": "2026-11-20", "client": {"name": "Sample, One"}, "summary": {},
        "recent": {}, "history": {"attendance": [{"pct": 90.5}]}
    });
    let with = |path: &str, value: Value| {
        let mut json = base.clone();
        let (parent, key) = path.rsplit_once('/').expect("a path");
        json.pointer_mut(parent).expect("a parent").as_object_mut().expect("an object").insert(key.to_owned(), value);
        json
    };
    let check = |json: &Value, good: bool| {
        assert_eq!(validator.is_valid(json), good, "the schema on {json}");
        assert_eq!(from_json(json.to_string().as_bytes()).is_ok(), good, "the reader on {json}");
    };
    check(&base, true);
    check(&with("/format", "school-records-summary/2".into()), false);
    check(&with("/report_date", "11/20/2026".into()), false);
    check(&with("/client/dob", 7.into()), false);
    check(&with("/client/nam", "x".into()), false);
    check(&with("/client/state", "suppressed".into()), false);
    check(&with("/client/not_permitted", serde_json::json!(["name"])), false);
    check(&with("/client/not_permitted", serde_json::json!(["dob"])), true);
    check(&with("/client/not_permitted", serde_json::json!(["school"])), false);
    check(&with("/client/sasid", serde_json::json!({"suppressed": true})), true);
    check(&with("/client/sasid", serde_json::json!({"suppressed": false})), false);
    check(&with("/client/sasid", "9".repeat(2_001).into()), false);
    check(&with("/history/tests", serde_json::json!({"state": "not_permitted"})), true);
    check(&with("/history/tests", serde_json::json!({"state": "not_permitted", "rows": [{}]})), false);
    check(&with("/history/tests", serde_json::json!({"not_permitted": ["math"], "rows": [{"math": 1}]})), false);
    check(&with("/history/schools", serde_json::json!([{"entry_date_inferred": "first sighting"}])), true);
    check(&with("/history/attendance", serde_json::json!([{"pct": "90"}])), false);
    let other =
        |subject: &str, count: i64| serde_json::json!({"other_subjects": [{"subject": subject, "count": count}]});
    check(&with("/history/tests_left_out", other("Speaking", 3)), true);
    check(&with("/history/tests_left_out", other("Speaking", -3)), false);
    check(&with("/recent/tests_left_out", other(&"x".repeat(201), 3)), false);
    check(&with("/recent/tests_left_out", serde_json::json!({"earlier": 3})), false);
    check(&with("/code", "".into()), false);
    check(&with("/withheld", serde_json::json!(["x".repeat(201)])), false);
    check(&with("/surprise", 1.into()), false);
}
