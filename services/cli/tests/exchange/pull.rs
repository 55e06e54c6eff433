//! The receiving side, as the program brings it: a copy that follows the feed.

use std::{fs, path::Path};

use serde_json::Value as Json;
use sqlx::{Connection as _, PgConnection, Row as _};

use crate::{
    nights::{begin, roster, run, set_time},
    place::{Place, text, word},
    receiver::Server,
};

/// Pulls DCF's feed once, from a server of its own.
fn pull(place: &Place, to: &str, log_key: &Path) -> Json {
    let server = Server::start(place, &[]);
    let (address, certificates) = server.place();
    let of = |name: &str| text(&certificates.join(name)).to_owned();
    let (ca, cert, key) = (of("ca.pem"), of("dcf.pem"), of("dcf.key"));
    let options = ["--server", &address, "--ca", &ca, "--cert", &cert, "--key", &key, "--to", to];
    let said = place.run(&[&["feed", "pull"], &options[..], &["--log-key", text(log_key)]].concat(), 0);
    server.stop();
    said.last().expect("an answer").clone()
}

/// A server of the receiver's own: what it runs a copy in.
struct Receiving {
    cluster: pg::Cluster,
    runtime: tokio::runtime::Runtime,
}

impl Receiving {
    fn start(place: &Place) -> Self {
        let environment = pg::Environment { search_path: Some("/usr/local/bin:/usr/bin:/bin".into()), bin_dir: None };
        let folder = place.path("receiver");
        let cluster = pg::Cluster::start(&folder, &pg::Embedded::default(), &environment, pg::Access::Shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { cluster: cluster.expect("a server"), runtime }
    }

    fn url(&self) -> String {
        let options = self.cluster.admin_options("postgres");
        let socket = options.get_socket().expect("a socket").display().to_string();
        format!("postgres://{}@localhost:{}/postgres?host={socket}", options.get_username(), options.get_port())
    }

    fn count(&self, table: &str) -> i64 {
        self.runtime.block_on(async {
            let mut connection =
                PgConnection::connect_with(&self.cluster.admin_options("postgres")).await.expect("it answers");
            let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let row = sqlx::Executor::fetch_one(&mut connection, sql).await.expect("a table of the copy");
            row.get(0)
        })
    }
}

#[test]
fn a_copy_in_postgresql_follows_the_feed_too() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    run(&place, "2030-01-02", 0);
    set_time(&place, "2030-01-02T13:00:00Z");
    let log = place.path("published");
    place.run(&["ledger", "export", "--out", text(&log)], 0);
    let key = log.join("log-key.txt");
    let receiving = Receiving::start(&place);
    let to = receiving.url();
    let first = pull(&place, &to, &key);
    assert_eq!(
        (&first["histories"], word(&first, "scope"), &first["proved"]),
        (&1.into(), "whole", &1.into()),
        "{first}"
    );
    assert_eq!((receiving.count("disclosures"), receiving.count("student")), (1, 1));
    assert!(receiving.count("enrollment") > 0);
    let again = pull(&place, &to, &key);
    assert_eq!((&again["histories"], word(&again, "scope")), (&0.into(), "changes"), "{again}");
    set_time(&place, "2030-01-12T12:00:00Z");
    roster(&place, "2030-01-12", "2030-01-10");
    run(&place, "2030-01-12", 0);
    set_time(&place, "2030-01-12T13:00:00Z");
    let last = pull(&place, &to, &key);
    assert_eq!((&last["histories"], &last["withdrawals"]), (&0.into(), &1.into()), "{last}");
    assert_eq!(["disclosures", "student", "enrollment"].map(|table| receiving.count(table)), [0, 0, 0]);
    receiving.cluster.stop().expect("it stops");
}

fn rows(folder: &Path, table: &str) -> Vec<csv::StringRecord> {
    let mut reader = csv::Reader::from_path(folder.join(format!("{table}.csv"))).expect("a table");
    reader.records().map(|row| row.expect("a row")).collect()
}

#[test]
fn a_copy_follows_the_feed_and_lets_go_of_who_leaves() {
    let place = begin("2030-01-02");
    roster(&place, "2030-01-02", "");
    run(&place, "2030-01-02", 0);
    set_time(&place, "2030-01-02T13:00:00Z");
    let log = place.path("published");
    place.run(&["ledger", "export", "--out", text(&log)], 0);
    let key = log.join("log-key.txt");
    let folder = place.path("copy");
    let database = format!("sqlite:{}", text(&place.path("copy.sqlite")));
    for to in [text(&folder), &database] {
        let first = pull(&place, to, &key);
        assert_eq!(
            (&first["histories"], word(&first, "scope"), &first["proved"]),
            (&1.into(), "whole", &1.into()),
            "{first}"
        );
        let again = pull(&place, to, &key);
        assert_eq!((&again["histories"], word(&again, "scope")), (&0.into(), "changes"), "{again}");
        assert!(
            again["ledger_entries"].as_u64() > first["ledger_entries"].as_u64(),
            "the ledger was held against the one kept"
        );
    }
    assert_eq!(rows(&folder, "disclosures").len(), 1);
    let enrollment = rows(&folder, "enrollment");
    assert!(!enrollment.is_empty() && enrollment.iter().all(|row| &row[0] == "D8"));
    assert!(fs::read_to_string(folder.join("schema.ini")).expect("types").contains("entry_date Date"));

    set_time(&place, "2030-01-12T12:00:00Z");
    roster(&place, "2030-01-12", "2030-01-10");
    run(&place, "2030-01-12", 0);
    set_time(&place, "2030-01-12T13:00:00Z");
    let last = pull(&place, text(&folder), &key);
    assert_eq!((&last["histories"], &last["withdrawals"]), (&0.into(), &1.into()), "{last}");
    for table in ["disclosures", "sections", "student", "enrollment"] {
        assert!(rows(&folder, table).is_empty(), "{table}");
    }
    let told = rows(&folder, "withdrawals");
    assert_eq!((told.len(), &told[0][1], &told[0][2]), (1, "D8", "authority_ended"));
    let copy = fs::read(folder.join(".copy.sqlite")).expect("the copy");
    assert!(!copy.windows(8).any(|window| window == b"Ambrosia"), "what is withdrawn is overwritten");
}
