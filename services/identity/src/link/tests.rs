use std::path::PathBuf;

use super::{LinkReport, Rule, link_files};
use crate::{Config, Error};

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new(left: &[u8], right: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("left.csv"), left).expect("written");
        std::fs::write(folder.path().join("right.csv"), right).expect("written");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn link(&self) -> Result<LinkReport, Error> {
        self.link_with(None, None, &Config::default())
    }

    fn link_with(&self, model: Option<&str>, save: Option<&str>, config: &Config) -> Result<LinkReport, Error> {
        let (model, save) = (model.map(|name| self.path(name)), save.map(|name| self.path(name)));
        let [left, right, out] = ["left.csv", "right.csv", "pairs.csv"].map(|name| self.path(name));
        link_files(&left, &right, &out, model.as_deref(), save.as_deref(), config, &|_, _, _| {})
    }

    fn pairs(&self) -> String {
        std::fs::read_to_string(self.path("pairs.csv")).expect("pairs")
    }

    fn refusal(&self) -> String {
        self.link().expect_err("refused").to_string()
    }
}

const RIGHT: &[u8] = b"id,first_name,last_name,birth_date\nR1,Testa,Probe,2010-03-04\n";

#[test]
fn columns_come_in_any_order_and_some_may_be_missing() {
    let files = Files::new(
        b"\xef\xbb\xbfBIRTH_DATE, zip ,last_name,ID,first_name\r\n2010-03-04,06103,Probe,L1,TESTA\r\n2011-01-09,06103,Anders,L2,Mira\r\n",
        RIGHT,
    );
    let report = files.link().expect("linked");
    assert_eq!((report.rows, report.findings_total), ([2, 1], 0));
    let pairs = files.pairs();
    assert!(pairs.starts_with("left_id,right_id,score,outcome\nL1,R1,0."), "{pairs}");
    assert_eq!(pairs.lines().count(), 2, "{pairs}");
}

#[test]
fn wrong_headers_are_refused_by_file_and_column() {
    for (left, words) in [
        (&b"id,first_nam,last_name\n"[..], &["left.csv", "unknown column \"first_nam\""][..]),
        (b"first_name,last_name\n", &["left.csv", "column id is missing"]),
        (b"id,first_name,first_name\n", &["left.csv", "first_name occurs twice"]),
        (b"id,first_name,\n", &["left.csv", "unknown column \"\""]),
        (b"", &["left.csv", "empty"]),
    ] {
        let text = Files::new(left, RIGHT).refusal();
        for word in words {
            assert!(text.contains(word), "{text}");
        }
    }
}

#[test]
fn a_file_without_header_is_refused_without_repeating_its_first_row() {
    let text = Files::new(b"4711,Marker,Secretname,2010-03-04\n", RIGHT).refusal();
    assert!(text.contains("left.csv") && !text.contains("Marker") && !text.contains("4711"), "{text}");
}

#[test]
fn bad_rows_become_findings_with_line_and_the_rest_is_linked() {
    let files = Files::new(
        b"id,first_name,last_name,birth_date\nL1,Testa,Probe,04/03/2010\n,Nobody,Noname,2010-01-01\nL3,Mira,Anders,1900-01-01\nL4,Too,Few\nL1,Testa,Probe,2010-03-04\n",
        RIGHT,
    );
    let report = files.link().expect("linked");
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.line, finding.column, finding.rule)).collect();
    assert_eq!(
        found,
        [
            (2, "birth_date", Rule::BirthDateInvalid),
            (3, "id", Rule::IdMissing),
            (4, "birth_date", Rule::BirthDatePlaceholder),
            (5, "id", Rule::ColumnCount),
            (6, "id", Rule::IdRepeated),
        ]
    );
    assert_eq!((report.rows[0], report.rows_refused[0]), (5, 2));
    assert!(!format!("{report:?}").contains("Testa"));
}

#[test]
fn findings_are_kept_up_to_a_limit_and_counted_beyond() {
    let rows = "L,A,B,x\n".repeat(50);
    let left = format!("id,first_name,last_name,birth_date\n{rows}");
    let files = Files::new(left.as_bytes(), RIGHT);
    let report = files.link_with(None, None, &Config { findings_max: 7, ..Config::default() }).expect("linked");
    assert_eq!((report.findings.len(), report.findings_total), (7, 50));
}

#[test]
fn adjacent_rows_of_one_id_are_one_person_with_several_names() {
    let files = Files::new(
        b"id,first_name,last_name,birth_date,zip\nL1,Testa,Muster,2010-03-04,06103\nL1,Testa,Probe,2010-03-04,06511\nL2,Mira,Anders,2011-01-09,06103\n",
        RIGHT,
    );
    let report = files.link().expect("linked");
    assert_eq!((report.report.left, report.findings_total), (2, 0));
    assert_eq!(files.pairs().lines().count(), 2);
}

#[test]
fn broken_bytes_and_broken_quotes_are_said_at_once() {
    let text = Files::new(b"id,first_name\nL1,Jos\xe9\n", RIGHT).refusal();
    assert!(text.contains("left.csv, line 2: first_name is not UTF-8"), "{text}");
    let endless = [&b"id,first_name\nL1,\"Testa\n"[..], &b"L2,x\n".repeat(2000)].concat();
    let text = Files::new(&endless, RIGHT).refusal();
    assert!(text.contains("left.csv, line 2: first_name is longer"), "{text}");
}

#[test]
fn empty_sides_give_an_empty_result() {
    let header = &b"id,first_name,last_name\n"[..];
    for (left, right) in [(header, RIGHT), (header, header)] {
        let files = Files::new(left, right);
        let report = files.link().expect("linked");
        assert_eq!((report.pairs_written, files.pairs().as_str()), (0, "left_id,right_id,score,outcome\n"));
    }
}

#[test]
fn a_saved_model_gives_the_same_bytes_again() {
    let row = |at: usize| {
        let (first, last) =
            (["Testa", "Mira", "Ori", "Kelo"][at % 4], ["Probe", "Anders", "Muster", "Beispiel", "Exempel"][at % 5]);
        format!("L{at},{first},{last},{}-{:02}-{:02}\n", 2000 + at % 15, at % 12 + 1, at % 28 + 1)
    };
    let left = format!("id,first_name,last_name,birth_date\n{}", (0..300).map(row).collect::<String>());
    let files = Files::new(left.as_bytes(), RIGHT);
    files.link_with(None, Some("model.json"), &Config::default()).expect("trained");
    let first = files.pairs();
    let one_thread = Config { threads: 1, ..Config::default() };
    files.link_with(Some("model.json"), None, &one_thread).expect("linked");
    assert_eq!(files.pairs(), first);
    std::fs::write(files.path("model.json"), "{}").expect("written");
    let text = files.link_with(Some("model.json"), None, &one_thread).expect_err("refused").to_string();
    assert!(text.contains("model.json"), "{text}");
    assert!(!files.path("pairs.csv.part").exists());
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let files = Files::new(RIGHT, RIGHT);
    let [left, right] = ["left.csv", "right.csv"].map(|name| files.path(name));
    let nowhere = files.path("missing").join("pairs.csv");
    let error =
        link_files(&left, &right, &nowhere, None, None, &Config::default(), &|_, _, _| {}).expect_err("refused");
    assert!(error.to_string().contains("cannot be written"), "{error}");
}

#[test]
fn one_sasid_of_two_unlike_people_waits_for_a_person() {
    let row = |n: i32| {
        let (year, month, day) = (2004 + n % 12, 1 + n % 12, 1 + n % 28);
        format!("L{n},99{n:08},Name{n},Probe{n},{year}-{month:02}-{day:02},F,Hartford")
    };
    let header = "id,sasid,first_name,last_name,birth_date,sex,town".to_owned();
    let left = [header].into_iter().chain((0..400).map(row)).collect::<Vec<_>>().join("\n");
    let right = "id,sasid,first_name,last_name,birth_date,sex,town\n\
        R1,9900000007,Quillon,Beispiel,1999-12-25,M,Norwich\nR2,9900000008,Name8,Probe8,2012-09-09,F,Hartford\n\
        R3,9900000009,,,,,\nR4,9900000010,N,P,,,\n";
    let files = Files::new(left.as_bytes(), right.as_bytes());
    files.link().expect("linked");
    let pairs = files.pairs();
    for (pair, outcome) in [("L7,R1,", "review"), ("L8,R2,", "match"), ("L9,R3,", "review"), ("L10,R4,", "review")] {
        let found = pairs.lines().find(|line| line.starts_with(pair));
        assert!(found.is_some_and(|line| line.ends_with(outcome)), "{pair} {outcome}: {pairs}");
    }
}
