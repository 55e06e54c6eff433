//! Folders as nights of agencies leave them, and what is left in them of a client.

use identity::erase::Client;
use model::{ConsumerId, DisclosureId, Masked};

use super::*;

const NIGHT: &str = "out/cssd/2026-11-20";
/// The client's number at the court's probation service, and whoever has it elsewhere or had it before.
const PIN: &str = "52829772";
/// The number under which the student was matched wrongly, and another's since.
const FORMER: &str = "777";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).expect("a text")
    }

    fn has(&self, name: &str) -> bool {
        self.dir.path().join(name).exists()
    }

    /// The case system's file of a night, with its manifest.
    fn cmis(&self, date: &str, run: &str, rows: &str) {
        let folder = format!("out/cssd/{date}/cmis");
        self.put(&format!("{folder}/cmis.csv"), format!("SnapshotDate,ClientPIN,Word\r\n{rows}").as_bytes());
        let manifest = json!({ "consumer": "cssd", "created_at": format!("{date}T12:00:00Z"), "run": run });
        self.put(&format!("{folder}/manifest.json"), manifest.to_string().as_bytes());
    }

    fn clear(&self, is_whole: bool) -> Cleared {
        let data = self.dir.path().join("data");
        fs::create_dir_all(&data).expect("a folder");
        note_delivery(&data, &self.dir.path().join(NIGHT).join("summaries")).expect("noted");
        let cssd: ConsumerId = "cssd".parse().expect("an id");
        let client = |key: &str, is_current, since: &str| Client {
            id: 1,
            consumer: cssd.clone(),
            person_key: Masked::new(key.to_owned()),
            is_current,
            since: since.parse().expect("an instant"),
        };
        let clients = vec![client(FORMER, false, "2026-01-15T00:00:00Z"), client(PIN, true, "2026-03-01T00:00:00Z")];
        let held = |run: &str, at: &str| Held {
            disclosure: DisclosureId(uuid::Uuid::from_u128(7)),
            consumer: cssd.clone(),
            decided_at: at.parse().expect("an instant"),
            run: Some(run.to_owned()),
        };
        let held = [held("r2", "2026-02-01T12:00:00Z"), held("r3", "2026-11-20T12:00:00Z")];
        clear(&data, &held, &Subject { persons: Vec::new(), students: Vec::new(), clients }, is_whole).expect("cleared")
    }
}

fn place() -> Place {
    Place { dir: tempfile::tempdir().expect("a folder") }
}

#[test]
fn what_bears_the_agencys_own_id_alone_goes_and_nobody_elses_does() {
    let place = place();
    place.cmis("2026-11-20", "r3", &format!("2026-11-20,{PIN},Enrolled\r\n2026-11-20,40018,{PIN}\r\n"));
    let at_night = |name: &str| format!("{NIGHT}/{name}");
    place.put(
        &at_night("cmis/withdrawals.csv"),
        format!("person_id,reason\r\n\"{PIN}\",authority_ended\r\n").as_bytes(),
    );
    place.put(&at_night("summaries/index.csv"), format!("person_id,file\r\n{PIN},x.pdf\r\n40018,y.pdf\r\n").as_bytes());
    let gone = ["cmis/cmis.csv.part", "bundle/CMIS.zip.part", "documents/52829772.pdf"];
    place.put(&at_night(gone[0]), format!("2026-11-20,{PIN},En").as_bytes());
    place.put(&at_night(gone[1]), &[0x50, 0x4b, 0xff]);
    place.put(&at_night(gone[2]), b"%PDF");
    let kept = ["cmis/more.csv.part", "bundle/CMIS.zip.age", "documents/40018.pdf"];
    place.put(&at_night(kept[0]), format!("2026-11-20,{PIN}1,En").as_bytes());
    place.put(&at_night(kept[1]), b"age-encryption.org/v1");
    place.put(&at_night(kept[2]), b"%PDF");
    // The same number at another agency, and in a night before the client was this student. And the student under a number that is another's since.
    place.put("out/dcf/2026-11-20/csv/student.csv", format!("\u{feff}person_id\r\n{PIN}\r\n").as_bytes());
    place.put("out/dcf/2026-11-20/csv/manifest.json", br#"{"consumer":"dcf","created_at":"2026-11-20T12:00:00Z"}"#);
    place.cmis("2026-01-01", "r0", &format!("2026-01-01,{PIN},Enrolled\r\n"));
    place.cmis("2026-02-01", "r2", &format!("2026-02-01,{FORMER},Enrolled\r\n"));
    place.cmis("2026-12-01", "r4", &format!("2026-12-01,{FORMER},Enrolled\r\n"));

    assert_eq!(place.clear(true).unopened, 1);
    let left = place.text(&at_night("cmis/cmis.csv"));
    assert_eq!(left, format!("SnapshotDate,ClientPIN,Word\r\n2026-11-20,40018,{PIN}\r\n"), "only its own column names");
    assert!(!place.text(&at_night("cmis/withdrawals.csv")).contains(PIN));
    assert_eq!(place.text(&at_night("summaries/index.csv")), "person_id,file\r\n40018,y.pdf\r\n");
    assert_eq!(gone.map(|name| place.has(&at_night(name))), [false; 3]);
    assert_eq!(kept.map(|name| place.has(&at_night(name))), [true; 3]);
    assert!(!place.text(&at_night("documents/redacted.ndjson")).contains(PIN), "what was taken out is not named by it");
    assert!(place.text("out/dcf/2026-11-20/csv/student.csv").contains(PIN));
    assert!(place.text("out/cssd/2026-01-01/cmis/cmis.csv").contains(PIN));
    assert!(!place.text("out/cssd/2026-02-01/cmis/cmis.csv").contains(FORMER), "the run told of the student");
    assert!(place.text("out/cssd/2026-12-01/cmis/cmis.csv").contains(FORMER), "by then it was another");
}

#[test]
fn of_one_fact_the_rows_of_runs_that_told_it_go() {
    let place = place();
    place.cmis("2026-10-01", "r1", &format!("2026-10-01,{PIN},Enrolled\r\n"));
    place.cmis("2026-11-20", "r3", &format!("2026-11-20,{PIN},Enrolled\r\n2026-11-20,40018,Enrolled\r\n"));
    assert_eq!(place.clear(false).files, 1);
    assert!(place.text("out/cssd/2026-10-01/cmis/cmis.csv").contains(PIN));
    let left = place.text("out/cssd/2026-11-20/cmis/cmis.csv");
    assert!(!left.contains(PIN) && left.contains("40018"));
}

#[test]
fn notices_of_placements_that_name_the_student_go() {
    let place = place();
    let (data, state_id) = (place.dir.path().join("data"), "9907070717");
    fs::create_dir_all(&data).expect("a folder");
    let csv = format!("notice_id,state_id,event\r\nn1,{state_id},entered\r\nn2,9907070725,entered\r\n");
    place.put("told/064/notices-r1-001.csv", csv.as_bytes());
    let lines = format!("{{\"state_id\":\"9907070725\"}}\n{{\"state_id\":\"{state_id}\"}}\n");
    place.put("told/064/notices-r2-001.ndjson", lines.as_bytes());
    note_delivery(&data, &place.dir.path().join("told")).expect("noted");
    // A file that was written by itself: of the folder around it nothing else is ours.
    place.put("desk/unshown.csv", csv.as_bytes());
    place.put("desk/mine.csv", csv.as_bytes());
    note_delivery(&data, &place.dir.path().join("desk/unshown.csv")).expect("noted");
    let person = identity::erase::Person {
        id: model::SourcePersonId(1),
        sea: "ct".parse().expect("a state"),
        state_id: Masked::new(state_id.to_owned()),
    };
    let subject = Subject { persons: vec![person], students: Vec::new(), clients: Vec::new() };
    assert_eq!(clear(&data, &[], &subject, true).expect("cleared").files, 3);
    assert_eq!(place.text("desk/unshown.csv"), "notice_id,state_id,event\r\nn2,9907070725,entered\r\n");
    assert_eq!(place.text("desk/mine.csv"), csv);
    assert!(!place.text("desk/redacted.ndjson").contains(state_id));
    assert!(is_searched(Path::new("desk/unshown.csv")) && is_searched(Path::new("unshown")));
    assert!(!is_searched(Path::new("unshown.pdf")) && !is_searched(Path::new("report.json")));
    let left = place.text("told/064/notices-r1-001.csv");
    assert_eq!(left, "notice_id,state_id,event\r\nn2,9907070725,entered\r\n");
    assert_eq!(place.text("told/064/notices-r2-001.ndjson"), "{\"state_id\":\"9907070725\"}\n");
}
