//! Several nights of one district.

use std::{io::Cursor, path::Path};

use super::*;
use crate::sif::{
    CENSUS_FILES,
    publish::tests::day,
    stream::{Action, ObjectReader, Piece},
};

const RELATED: &str =
    "relationship_id,person_id,contact_person_id,relation,guardian,sequence,start_date,end_date,ref_id\r\n";

/// A census set that changes from night to night, and what is remembered.
struct District {
    census: tempfile::TempDir,
    state: tempfile::TempDir,
    night: u32,
}

impl District {
    fn new() -> Self {
        let census = tempfile::tempdir().expect("a folder");
        for name in CENSUS_FILES {
            let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("layouts/sif/census-{name}.sample"));
            fs::copy(sample, census.path().join(format!("{name}.csv"))).expect("a copy");
        }
        Self { census, state: tempfile::tempdir().expect("a folder"), night: 0 }
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.census.path().join(format!("{file}.csv"));
        let text = fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{file}: {from}");
        fs::write(path, text.replace(from, to)).expect("written");
    }

    fn relate(&self, rows: &str) {
        fs::write(self.census.path().join("relationship.csv"), format!("{RELATED}{rows}")).expect("written");
    }

    /// A night's events (action and RefId); `keep`: the night ends well.
    fn night(&mut self, keep: bool) -> Vec<(Action, String)> {
        self.night += 1;
        let stamp = Stamp {
            at: format!("2026-11-20T0{}:00:00Z", self.night).parse().expect("an instant"),
            source_id: "Sandbox".to_owned(),
        };
        let mut out = Vec::new();
        let (census, state) = (self.census.path(), self.state.path());
        let mut none = |file: &str, finding: Finding| panic!("{file}: {finding:?}");
        let night = nightly(census, state, day("2026-11-20"), (&stamp, Form::Xml), &mut out, &mut none)
            .expect("the set can be read");
        if keep {
            night.keep().expect("it is kept");
        }
        let mut source = Cursor::new(out);
        let mut reader = ObjectReader::new(&mut source, |_| true);
        let mut events = Vec::new();
        while let Ok(Some(piece)) = reader.next() {
            if let Piece::Object { node, action: Some(action), .. } = piece {
                events.push((action, node.attribute("RefId").unwrap_or_default().to_owned()));
            }
        }
        events
    }
}

const MOTHER: &str = "R1,101,201,Mother,Y,1,2012-04-09,,\r\n";

#[test]
fn a_contact_keeps_its_ref_id_night_after_night() {
    let mut district = District::new();
    let first = district.night(true);
    let [(Action::Add, ref_id)] = first.as_slice() else { panic!("the first night adds one contact") };
    let check = |district: &mut District, expect: &[Action]| {
        let expect: Vec<_> = expect.iter().map(|action| (*action, ref_id.clone())).collect();
        assert!(district.night(true) == expect, "{expect:?} of the same contact");
    };
    check(&mut district, &[]);
    district.edit("person", "8605550101", "8605550199");
    check(&mut district, &[Action::Change]);
    // What the RefId was first made from changes; later the district gives one of its own; the relationship is entered anew.
    district.edit("person", "A1B2C3D4E5F60718293A4B5C6D7E8F90", "00000000000000000000000000000001");
    check(&mut district, &[Action::Change]);
    district.relate(&MOTHER.replace(",,\r", ",,FEDCBA9876543210FEDCBA9876543210\r"));
    check(&mut district, &[]);
    district.relate("");
    check(&mut district, &[Action::Delete]);
    check(&mut district, &[]);
    district.relate(&MOTHER.replace("R1", "R7"));
    check(&mut district, &[Action::Add]);
}

#[test]
fn a_night_that_was_cut_off_is_told_again() {
    let mut district = District::new();
    let first = district.night(false);
    assert!(first.len() == 1 && district.night(true) == first && district.night(true).is_empty());
    district.edit("person", "oriel@example.org", "wren@example.org");
    let change = district.night(false);
    assert!(change.len() == 1 && district.night(true) == change && district.night(true).is_empty());
}

#[test]
fn what_is_remembered_and_damaged_ends_the_night() {
    let mut district = District::new();
    district.night(true);
    let published = district.state.path().join(PUBLISHED);
    let text = fs::read_to_string(&published).expect("a file");
    fs::write(&published, text.replace("RefId=", "Ref=")).expect("written");
    let stamp = Stamp { at: "2026-11-20T06:00:00Z".parse().expect("an instant"), source_id: "Sandbox".to_owned() };
    let (census, state) = (district.census.path(), district.state.path());
    let made = nightly(census, state, day("2026-11-20"), (&stamp, Form::Xml), &mut Vec::new(), &mut |_, _| {});
    assert!(made.is_err());
    assert!(fs::read_to_string(&published).expect("a file").contains("Ref="), "nothing was overwritten");
}
