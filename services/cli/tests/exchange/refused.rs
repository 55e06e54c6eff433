//! The database refuses the entry of a disclosure, at once or when it commits: nothing leaves, by call, by stream or as a file.

use std::fs;

use crate::{
    erase::{DCF_HEADER, OTHER, Server as Database, state},
    place::{Place, files, json, text, word},
    receiver::{Server, ask, take, try_to_take},
};

const NIGHT: &str = "2026-11-20";

/// What no answer and no file may say.
const NAMES: [&str; 2] = ["Quince", "Ambrosia"];

/// Refuses entries of disclosures; `{when}` is when.
fn refuse(database: &mut Database, when: &str) {
    database.query("DROP TRIGGER IF EXISTS refuse ON ledger.entry");
    database.query(&format!(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON ledger.entry {when} FOR EACH ROW WHEN (NEW.kind = 'disclosure')
         EXECUTE FUNCTION public.refuse()"
    ));
}

#[test]
fn what_the_database_refuses_to_record_leaves_by_no_call_no_stream_and_no_file() {
    let place = Place::new();
    let loaded = state(&place);
    let paths: Vec<&str> = loaded.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    let roster = place.path("roster.csv");
    let row = format!("D8,Quince,Ambrosia,,,2011-03-04,F,,Hartford,06103,{OTHER},E2,2026-01-01,,,Hartford,1,W1\n");
    fs::write(&roster, format!("{DCF_HEADER}\n{row}")).expect("a roster");
    place.run(&["roster", "load", text(&roster), "--consumer", "dcf", "--date", NIGHT], 0);
    let night = ["exchange", "run", "--consumer", "dcf", "--date", NIGHT];
    let mut database = Database::start(&place);
    database.query(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'no entry is taken' USING ERRCODE = '23514'; END $$",
    );
    let recorded = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";
    for when in ["NOT DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"] {
        refuse(&mut database, when);
        place.run(&night, 1);
        assert_eq!(word(&json(&place.report("dcf", NIGHT)), "state"), "failed", "{when}");
        let alone = place.path("alone");
        place.run(&["feed", "export", "--consumer", "dcf", "--format", "csv", "--out", text(&alone)], 1);
        let mut open = vec![place.path("out"), alone];
        while let Some(folder) = open.pop() {
            for path in if folder.exists() { files(&folder) } else { Vec::new() } {
                if path.is_dir() {
                    open.push(path);
                } else {
                    let said = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
                    assert!(!NAMES.iter().any(|name| said.contains(name)), "{when}: {}", path.display());
                    assert!(path.extension().is_none_or(|extension| extension != "pdf"), "{when}: {}", path.display());
                }
            }
        }
        let server = Server::start(&place, &[]);
        let (code, said) = ask(&server, "dcf", "D8").expect_err("nothing is told");
        assert!(!matches!(code, tonic::Code::PermissionDenied | tonic::Code::NotFound), "{when}: {code:?}");
        assert!(!NAMES.iter().any(|name| said.contains(name)), "{when}: {said}");
        let (receiver, has_ended) = try_to_take(&server, "dcf");
        assert!(receiver.histories.is_empty() && !has_ended, "{when}: a stream brings nothing, and no end");
        server.stop();
        assert_eq!(database.query(recorded), ["0"], "{when}");
    }
    // Nothing but the entry was in the way.
    database.query("DROP TRIGGER refuse ON ledger.entry");
    let server = Server::start(&place, &[]);
    assert_eq!(ask(&server, "dcf", "D8"), Ok(()));
    assert_eq!(take(&server, "dcf").histories.len(), 1);
    server.stop();
    place.run(&night, 0);
    let histories = place.path("out/dcf").join(NIGHT).join("ndjson/histories.ndjson");
    assert!(fs::read_to_string(histories).expect("a file").contains("Quince"));
    database.stop();
    place.run(&["ledger", "verify"], 0);
}
