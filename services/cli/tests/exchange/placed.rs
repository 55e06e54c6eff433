//! The night of whoever is told of placements: what waits is taken, the home district is told once, and a report that is refused is laid aside.

use std::fs;

use serde_json::Value as Json;

use crate::{
    erase::{OTHER, Server as Database, file, registration},
    leaves::HEADER,
    nights::set_time,
    place::{Place, files, json, text, word},
};

const STAYS: &str = "ClientPIN,StayId,DTNAdmissionPIN,JrsFacilityID,AdmissionTSP,ReleaseTSP,AdmissionRecordType";
const STAY: &str = "40018,800200800200,900300900300,1,2030-01-01 09:30:00,,ADM";
const DAY: &str = "2030-01-02";

/// Hartford's student is CSSD's client.
fn begin() -> Place {
    let place = Place::new();
    set_time(&place, &format!("{DAY}T11:00:00Z"));
    let mut child = registration(OTHER, "Quince", "Ambrosia", "03042011");
    child.insert("reporting_district_entry_date", "08282029");
    let register = file(&place, "register.txt", "sasid-2.1x", &[child]);
    place.run(&["intake", "load", text(&register)], 0);
    set_time(&place, &format!("{DAY}T12:00:00Z"));
    let row = format!(
        "40018,Quince,Ambrosia,,,2011-03-04,F,,Hartford,06103,{OTHER},Delinquency,2029-10-01,,O1,W1,,juvenile_justice,pre_adjudication"
    );
    let roster = place.path("roster.csv");
    fs::write(&roster, format!("{HEADER}\n{row}\n")).expect("a roster");
    place.run(&["roster", "load", text(&roster), "--consumer", "cssd", "--date", DAY], 0);
    place.run(&["exchange", "run", "--consumer", "cssd", "--date", DAY], 0);
    place
}

fn lay(place: &Place, name: &str, rows: &str) {
    let folder = place.path("in/cssd/placements");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join(name), format!("{STAYS}\n{rows}\n")).expect("a report");
}

fn night(place: &Place, day: &str, code: i32) -> Json {
    let report = place.run(&["exchange", "run", "--consumer", "reentry", "--date", day], code);
    report.last().expect("a report").clone()
}

#[test]
fn a_night_takes_what_waits_tells_the_home_district_once_and_says_whom() {
    let place = begin();
    lay(&place, "2030-01-02-stays.csv", STAY);
    lay(&place, "2030-01-03-stays.csv", &STAY.replace(",,ADM", ",2030-01-02 18:00:00,ADM"));
    let plan = place.run(&["exchange", "plan", "--consumer", "reentry"], 0);
    assert_eq!(plan[0]["reports_waiting"], 2, "{plan:?}");
    let report = night(&place, DAY, 0);
    let told = &report["placements"];
    assert_eq!((word(&report, "state"), &told["notices"]), ("delivered", &1.into()), "{report}");
    assert_eq!(told["districts"]["064"], 1);
    assert_eq!((&told["reports"][0]["new"], told["reports"].as_array().map(Vec::len)), (&1.into(), Some(1)));
    assert_eq!(json(&place.report("reentry", DAY))["placements"]["notices"], 1);
    let notices = files(&place.path("out/reentry").join(DAY).join("064"));
    let [notices] = notices.as_slice() else { panic!("{notices:?}") };
    let rows = fs::read_to_string(notices).expect("notices");
    assert!(rows.contains(OTHER) && rows.contains(",entered,2030-01-01,3480115,"), "{rows}");
    assert!(!place.path("out/reentry").join(DAY).join("report.json").exists(), "no district reads of another");
    let wait = files(&place.path("in/cssd/placements"));
    assert_eq!(wait.len(), 1, "a report is not kept; that of tomorrow waits");
    // Again: nobody is told twice.
    let again = night(&place, DAY, 0);
    assert_eq!((word(&again, "state"), &again["placements"]["notices"]), ("already_delivered", &0.into()), "{again}");
    assert_eq!(files(&place.path("out/reentry").join(DAY).join("064")).len(), 1);
    let kept = json(&place.report("reentry", DAY));
    assert_eq!((&kept["placements"]["notices"], kept["later_runs"].as_array().map(Vec::len)), (&1.into(), Some(1)));
    // The next night: the exit, and a report of which nothing can be used.
    set_time(&place, "2030-01-03T12:00:00Z");
    lay(&place, "2030-01-03-unreadable.csv", "40018,here,there,1,2030-01-01 09:30:00,,ADM");
    let report = night(&place, "2030-01-03", 3);
    assert_eq!((word(&report, "state"), &report["placements"]["notices"]), ("delivered", &1.into()), "{report}");
    assert!(
        files(&place.path("in/cssd/placements/refused")).len() == 1
            && report["placements"]["reports"][1]["refused"] == 1
    );
    assert!(!report.to_string().contains("40018") && !report.to_string().contains(OTHER), "a report names nobody");
    let unshown = word(&report["placements"]["unshown"][0], "file").to_owned();
    assert!(place.report("reentry", "x").with_file_name(unshown).exists());
    assert_eq!(night(&place, "2030-01-03", 0)["placements"]["notices"], 0);
    // A file that is refused as a whole needs a person, though no row of it was read.
    let empty = place.path("in/cssd/placements/2030-01-03-without-columns.csv");
    fs::write(empty, "ClientPIN\n").expect("a report");
    // What a killed night had begun to take comes first, by its own name.
    let begun = place.path("in/cssd/placements/.taking");
    fs::create_dir_all(&begun).expect("a folder");
    let rest = STAY.replace(",,ADM", ",2030-01-02 18:00:00,ADM");
    fs::write(begun.join("2030-01-03-without-columns.csv"), format!("{STAYS}\n{rest}\n")).expect("a report");
    let report = night(&place, "2030-01-03", 3);
    let (taken, refused) = (&report["placements"]["reports"][0], &report["placements"]["reports"][1]);
    assert_eq!((&taken["unchanged"], &taken["refused"]), (&1.into(), &0.into()), "{taken}");
    assert_eq!((&refused["refused"], refused["refused_reason"].is_string()), (&0.into(), true), "{refused}");
    assert_eq!((files(&place.path("in/cssd/placements/refused")).len(), begun.exists()), (2, false));
}

/// Stays of a client in the database.
fn stays(place: &Place, client: &str) -> String {
    let mut database = Database::start(place);
    let counted =
        database.query(&format!("SELECT count(*) FROM placement.stay WHERE person_key = '{client}'")).remove(0);
    database.stop();
    counted
}

#[test]
fn a_client_who_matches_no_student_is_erased_by_the_agencys_own_id() {
    let place = begin();
    let nobody = "700100700199";
    let report = place.path("stays.csv");
    let rows = [STAY.to_owned(), STAY.replace("40018", nobody).replace("800200", "800201")];
    fs::write(&report, format!("{STAYS}\n{}\n", rows.join("\n"))).expect("a report");
    place.run(&["placement", "load", text(&report), "--date", DAY], 0);
    assert_eq!((stays(&place, nobody), stays(&place, "40018")), ("1".to_owned(), "1".to_owned()));
    let named = place.path("client.id");
    let request = ["erase", "request", "--ground", "court_order", "--order", "FA-1", "--client-file", text(&named)];
    // Who is a student is erased as one; who is not known is not asked for.
    for other in ["cssd:40018", "cssd:700100700100", "dcf:700100700199"] {
        fs::write(&named, other).expect("a file");
        assert!(!place.command(&request).output().expect("the program runs").status.success(), "{other}");
    }
    fs::write(&named, format!("cssd:{nobody}\n")).expect("a file");
    let asked = place.run(&request, 0);
    let asked = asked.iter().find(|line| line["request"].is_string()).expect("a request");
    assert!(!asked.to_string().contains(nobody));
    let done = place.run(&["erase", "run", word(asked, "request")], 0);
    let status = done.iter().rfind(|line| line["erasure"].is_string()).expect("a status");
    assert_eq!((word(status, "step"), word(status, "client_of")), ("done", "cssd"), "{status}");
    assert_eq!((stays(&place, nobody), stays(&place, "40018")), ("0".to_owned(), "1".to_owned()));
    // What comes of them again is taken and not kept, which the sender is not told; the other's is as it was.
    let again = place.run(&["placement", "load", text(&report), "--date", DAY], 0);
    assert_eq!((&again[0]["refused"], &again[0]["unchanged"]), (&0.into(), &2.into()), "{again:?}");
    assert_eq!(stays(&place, nobody), "0");
}
