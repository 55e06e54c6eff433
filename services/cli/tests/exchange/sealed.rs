//! What is under seal: a database that was set back, and the line of a child whose record a court sealed.

use std::{fs, path::PathBuf};

use age::secrecy::ExposeSecret as _;
use serde_json::Value as Json;

use crate::{
    erase::{DCF_HEADER, OTHER, Server, state},
    place::{Place, said, text},
    receiver,
};

/// A roster of both children, with the last day of the second one's custody.
fn roster(place: &Place, day: &str, end: &str) {
    let row = |key: &str, name: &str, born: &str, id: &str, end: &str| {
        format!("{key},{name},,,{born},F,,Hartford,06103,{id},E{key},2026-01-01,{end},,Hartford,1,W1\n")
    };
    let rows = row("D7", "Qyzzleworth,Xanthwick", "2010-07-17", "9907070717", "")
        + &row("D8", "Quince,Ambrosia", "2011-03-04", OTHER, end);
    let path = place.path(&format!("roster-{day}.csv"));
    fs::write(&path, format!("{DCF_HEADER}\n{rows}")).expect("a roster");
    place.run(&["roster", "load", text(&path), "--consumer", "dcf", "--date", day], 0);
}

/// Clients of an export, or the words with which it was refused.
fn export(place: &Place, name: &str) -> Result<Vec<String>, String> {
    let out = place.path(name);
    let args = ["feed", "export", "--consumer", "dcf", "--format", "ndjson", "--out", text(&out)];
    let done = place.command(&args).output().expect("the program runs");
    if !done.status.success() {
        return Err(said(&done));
    }
    let rows = crate::place::lines(&out.join("histories.ndjson"));
    Ok(rows.iter().map(|row| row["person_id"].as_str().expect("a client").to_owned()).collect())
}

fn waits(said: &[Json]) -> Vec<(String, usize)> {
    let seals = said.iter().filter(|line| line["sealed"].is_string());
    let one = |seal: &Json| {
        (seal["sealed"].as_str().expect("who").to_owned(), seal["waits_for"].as_array().expect("what").len())
    };
    seals.map(one).collect()
}

/// Has backups encrypted to a new key; gives its file.
fn encrypt_backups(place: &Place) -> PathBuf {
    let key = age::x25519::Identity::generate();
    let file = place.path("backup-key.txt");
    fs::write(&file, format!("# kept apart\n{}\n", key.to_string().expose_secret())).expect("a key");
    let config = place.path("data/config.toml");
    let settings = fs::read_to_string(&config).expect("the configuration");
    let more = format!("{settings}\n[backup]\nencrypt_to = [\"{}\"]\n", key.to_public());
    fs::write(&config, more).expect("the configuration can be changed");
    file
}

#[test]
fn custody_that_ended_stays_ended_after_an_older_backup_is_restored() {
    let place = Place::new();
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    roster(&place, "2026-11-19", "");
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", "2026-11-19"], 0);
    assert_eq!(export(&place, "before").expect("delivered"), ["D7", "D8"]);
    let (backup, key) = (place.path("backup"), encrypt_backups(&place));
    place.run(&["db", "backup", "--out", text(&backup)], 0);
    let files = fs::read_dir(&backup).expect("a backup").map(|entry| entry.expect("a file").path());
    for file in files.filter(|file| file.is_file() && !file.ends_with("backup.json")) {
        let begin = fs::read(&file).expect("a file");
        assert!(begin.starts_with(b"age-encryption.org/v1"), "{} is not encrypted", file.display());
    }

    roster(&place, "2026-11-20", "2026-11-18");
    place.run(&["agreement", "suspend", "cssd_agreement", "--by", "sandbox_steward_1", "--reason", "under review"], 0);
    assert_eq!(export(&place, "ended").expect("delivered"), ["D7"]);
    place.run(&["ledger", "export", "--out", text(&place.path("exported"))], 0);
    let kept = place.path("exported/checkpoint");
    place.run(&["ledger", "verify", "--checkpoint", text(&kept)], 0);

    let without = place.command(&["db", "restore", "--from", text(&backup)]).output().expect("the program runs");
    assert!(without.status.code() == Some(1) && said(&without).contains("--key"), "{}", said(&without));
    let restored = place.run(&["db", "restore", "--from", text(&backup), "--key", text(&key)], 0);
    assert_eq!(fs::read_dir(place.path("data/unpacked")).expect("a folder").count(), 1, "its lock alone");
    assert_eq!(
        waits(&restored),
        [("cssd", 2), ("dcf", 2), ("education_unit", 2), ("reentry", 1), ("sea", 1)].map(|(c, n)| (c.to_owned(), n))
    );
    let refused = export(&place, "sealed").expect_err("nothing is disclosed");
    assert!(refused.contains("`db status` says what is missing"), "{refused}");
    let own = ["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&place.path("own"))]
        .map(str::to_owned);
    place.run(&own.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    assert_eq!(waits(&place.run(&["db", "status"], 3)).len(), 5);
    let server = receiver::Server::start(&place, &[]);
    for client in ["D7", "D8", "D999"] {
        let (code, words) = receiver::ask(&server, "dcf", client).expect_err("nothing is disclosed");
        assert_eq!((code, words.as_str()), (tonic::Code::Unavailable, "the exchange cannot answer at the moment"));
    }
    server.stop();
    let mut database = Server::start(&place);
    let ends = "SELECT upper(released)::text FROM identity.released WHERE person_key = 'D8'";
    assert!(database.query(ends)[0].starts_with("2026-11-19"), "{:?}", database.query(ends));
    let suspended =
        "SELECT count(*) FROM agreements.activation WHERE agreement_id = 'cssd_agreement' AND ended_at IS NOT NULL";
    assert_eq!(database.query(suspended), ["1"]);
    assert_eq!(database.query("SELECT count(*) FROM disclosure.delivered WHERE false"), ["0"]);

    // The log is shorter than what others keep. A steward says so for ever; each agency waits for its own roster.
    place.run(&["ledger", "verify", "--checkpoint", text(&kept)], 3);
    let unsealed = ["db", "unseal", "--checkpoint", text(&kept), "--reason", "the disk was lost"];
    assert_eq!(
        waits(&place.run(&unsealed, 3)),
        [("cssd", 1), ("dcf", 1), ("education_unit", 1)].map(|(c, n)| (c.to_owned(), n))
    );
    assert_eq!(database.query("SELECT count(*) FROM ledger.entry WHERE kind = 'gap' AND counted > 0"), ["1"]);
    assert!(export(&place, "still").is_err());
    roster(&place, "2026-11-21", "2026-11-18");
    assert_eq!(waits(&place.run(&["db", "status"], 3)).len(), 2, "the other agencies wait");
    assert_eq!(export(&place, "after").expect("delivered"), ["D7"]);
    place.run(&["ledger", "verify"], 0);

    // The same by hand: rows set back past the program contradict the journal.
    database.query(
        "SET session_replication_role = replica; UPDATE agreements.activation SET ended_at = NULL, ended_because = NULL,
         ended_by = NULL, end_reason = NULL, end_recorded_at = NULL WHERE agreement_id = 'cssd_agreement'; RESET session_replication_role",
    );
    let found = place.run(&["ledger", "verify"], 3)[0]["findings"].to_string();
    assert!(found.contains("the control journal has it end at"), "{found}");
    database.stop();

    // A journal that lacks lines opens nothing.
    let journal = place.path("data/control/journal.ndjson");
    let text_of = fs::read_to_string(&journal).expect("a journal");
    let cut: Vec<&str> = text_of.lines().collect();
    fs::write(&journal, format!("{}\n", cut[..cut.len() - 1].join("\n"))).expect("a file");
    let refused = place.command(&["db", "status"]).output().expect("the program runs");
    assert!(refused.status.code() == Some(1) && said(&refused).contains("was cut or replaced"), "{}", said(&refused));
    let found = place.run(&["ledger", "verify"], 3)[0]["findings"].to_string();
    assert!(found.contains("the control journal was cut or replaced"), "{found}");
}

#[test]
fn what_was_ordered_and_undone_after_a_backup_holds_after_its_restore() {
    let place = Place::new();
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&["intake", "load", paths[0]], 0);
    roster(&place, "2026-11-19", "");
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", "2026-11-19"], 0);
    assert_eq!(export(&place, "before").expect("delivered"), ["D7", "D8"]);
    let backup = place.path("backup");
    place.run(&["db", "backup", "--out", text(&backup)], 0);

    // Since the backup: one child is sealed, somebody not reported yet is too, the other child's client proves to be somebody else.
    let orders = place.path("orders.ndjson");
    let order = |id: &str, number: &str| {
        format!(
            "{{\"sasid\":\"{id}\",\"kind\":\"sealed\",\"domain\":null,\"order_number\":\"{number}\",\"ordered_on\":\"2026-01-05\"}}\n"
        )
    };
    let domain = order("9907070717", "S-2").replace("\"domain\":null", "\"domain\":\"discipline\"");
    fs::write(&orders, order("9907070717", "S-1") + &order("9907070733", "S-3") + &domain).expect("a file");
    // One of them waits for whom it names.
    place.run(&["identity", "restrict", "--in", text(&orders)], 3);
    let mut database = Server::start(&place);
    let client = database.query("SELECT client_id::text FROM identity.client WHERE person_key = 'D8'").remove(0);
    place.run(&["identity", "review", "undo", &client, "--reason", "another child"], 0);
    assert_eq!(export(&place, "since").expect("delivered"), Vec::<String>::new());
    database.stop();
    place.run(&["ledger", "verify"], 0);
    let kept = fs::read_to_string(place.path("data/control/journal.ndjson")).expect("a journal");
    for word in ["9907070717", "9907070733", OTHER, "\"D8\""] {
        assert!(!kept.contains(word), "the journal names nobody");
    }

    place.run(&["db", "restore", "--from", text(&backup)], 0);
    let mut database = Server::start(&place);
    let restricted =
        "SELECT order_number FROM identity.restriction UNION SELECT order_number FROM history.restriction ORDER BY 1";
    assert_eq!(database.query(restricted), ["S-1", "S-2"]);
    assert_eq!(database.query("SELECT order_number FROM identity.awaited_order"), ["S-3"], "it waits for the child");
    let standing = "SELECT m.outcome || ' ' || m.decided_by FROM identity.match_decision AS m JOIN identity.client AS c USING (client_id)
        WHERE c.person_key = 'D8' AND m.superseded_at IS NULL";
    assert_eq!(database.query(standing), ["non_match the control journal"]);
    assert_eq!(database.query("SELECT count(*) FROM identity.released WHERE person_key = 'D8'"), ["0"]);
    let called_back = "SELECT (count(*) > 0)::text FROM disclosure.recall WHERE person_key = 'D8'";
    assert_eq!(database.query(called_back), ["true"]);
    place.run(&["db", "unseal", "--no-checkpoint", "--reason", "nobody keeps one"], 3);
    roster(&place, "2026-11-21", "");
    // The engine does not make the match anew, and the seal of a court is not lifted by that of a restore.
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", "2026-11-21"], 0);
    assert_eq!(database.query(standing), ["non_match the control journal"]);
    assert_eq!(export(&place, "after").expect("delivered"), Vec::<String>::new());

    // Whoever is introduced after the restore comes under the order in the transaction of the load.
    let text_of = fs::read_to_string(&files[0])
        .expect("a register")
        .replace(OTHER, "9907070733")
        .replace("9907070717", "9907070741");
    let again = place.path("state/sasid-2.1x/register-3.txt");
    fs::write(&again, text_of).expect("a file");
    place.run(&["intake", "load", text(&again)], 0);
    assert_eq!(database.query(restricted), ["S-1", "S-2", "S-3"]);
    assert_eq!(database.query("SELECT count(*) FROM identity.awaited_order"), ["0"]);
    database.stop();
    place.run(&["ledger", "verify"], 0);
}

#[test]
fn the_line_of_a_sealed_child_is_opened_to_nobody_and_entries_name_whose_it_was() {
    let place = Place::new();
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    let receipts = place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    let first = receipts.iter().find(|receipt| receipt["file"] == "register-1.txt").expect("a receipt");
    let batch = first["batch"].to_string();
    let lineage = |line: &str, code: i32| place.run(&["intake", "lineage", "--batch", &batch, "--line", line], code);
    assert!(lineage("1", 0)[0]["records"][0]["raw"].as_str().expect("a line").contains("9907070717"));
    let order = place.path("orders.ndjson");
    fs::write(
        &order,
        "{\"sasid\":\"9907070717\",\"kind\":\"sealed\",\"domain\":null,\"order_number\":\"S-1\",\"ordered_on\":\"2026-01-05\"}\n",
    )
    .expect("a file");
    place.run(&["identity", "restrict", "--in", text(&order)], 0);
    let refused =
        place.command(&["intake", "lineage", "--batch", &batch, "--line", "1"]).output().expect("the program runs");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("sealed or expunged") && !said(&refused).contains("Qyzzleworth"),
        "{}",
        said(&refused)
    );
    assert!(lineage("2", 0)[0]["records"][0]["raw"].as_str().expect("a line").contains(OTHER));
    let mut database = Server::start(&place);
    let entries = database.query(
        "SELECT concat_ws(' ', e.kind, e.reason, c.state_id) FROM ledger.entry AS e JOIN ledger.detail AS d ON d.entry_id = e.entry_id
         JOIN identity.crosswalk AS x ON x.student_id = d.student_id AND x.to_at IS NULL
         JOIN identity.source_person AS c ON c.source_person_id = x.source_person_id
         WHERE d.authority LIKE 'opens line%' ORDER BY e.decided_at",
    );
    let other = format!("access {OTHER}");
    assert_eq!(entries, ["access 9907070717", "refusal sealed 9907070717", other.as_str()]);
    database.stop();
}
