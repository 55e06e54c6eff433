//! How the database answers questions about the ledger when it is large: each statement of the record of disclosures, and those that find entries by what
//! they rest on, goes by an index. The statements are those that the program was built with; the tables are filled, so that the planner has a choice.

use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};
use tests::TestDatabase;

/// Entries: enough that reading all of them costs more than any index.
const ENTRIES: u32 = 40_000;

/// The statements, the role that asks, and the tables that none of them reads as a whole.
const STATEMENTS: [(&str, &str); 10] = [
    ("ledger.list_of_students", "throughline_ledger"),
    ("ledger.list_of_request", "throughline_ledger"),
    ("ledger.list_shown", "throughline_ledger"),
    ("ledger.list", "throughline_ledger"),
    ("ledger.list_at_positions", "throughline_ledger"),
    ("ledger.list_details", "throughline_steward"),
    ("ledger.list_uses", "throughline_ledger"),
    ("ledger.list_acts", "throughline_ledger"),
    ("ledger.find_provable", "throughline_ledger"),
    ("disclosure.list_students_of", "throughline_steward"),
];
const LARGE: [&str; 5] = ["entry", "detail", "sequence", "fact_enrollment", "crosswalk"];

/// Invented entries, each a disclosure of one of two thousand students, and twenty thousand students in as many districts and schools as a small state has.
async fn fill(conn: &mut PgConnection) {
    let sql = format!(
        "INSERT INTO ledger.terms (terms_id, consumer, party, elements, withheld, onward_parties, onward_interests, shown_to, shown_after_review)
        VALUES (sha256('terms'), 'dcf', 'An agency', '{{}}', '{{}}', '{{}}', '{{}}', '{{auditor}}', '{{parent}}');
        INSERT INTO ledger.entry (entry_id, kind, terms_id, delivery, decided_at, run_id, salt, record_commitment, detail_commitment, content_commitment)
        SELECT md5(n::text)::uuid, 'disclosure', sha256('terms'), 'file', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second',
            md5((n / 500)::text)::uuid, substr(sha256('x'), 1, 16), sha256('x'), sha256('x'), sha256('x')
        FROM generate_series(1, {ENTRIES}) AS n;
        INSERT INTO ledger.detail (entry_id, decided_at, terms_id, salt, content_salt, student_id, authority)
        SELECT md5(n::text)::uuid, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second', sha256('terms'), substr(sha256('x'), 1, 16), substr(sha256('x'), 1, 16), md5('student ' || n % 2000)::uuid,
            CASE WHEN n % 3 = 0 THEN 'client ' || n END
        FROM generate_series(1, {ENTRIES}) AS n;
        INSERT INTO ledger.sequence (leaf_index, entry_id, leaf_hash, era, xid)
        SELECT n - 1, md5(n::text)::uuid, sha256('x'), 1, '3' FROM generate_series(1, {ENTRIES}) AS n;
        INSERT INTO identity.student (student_id, created_at) SELECT md5('student ' || n)::uuid, '2026-01-01' FROM generate_series(0, 19999) AS n;
        INSERT INTO identity.source_person (source_person_id, sea, state_id, created_batch) OVERRIDING SYSTEM VALUE
        SELECT n + 1, 'ct', '99' || n, 1 FROM generate_series(0, 19999) AS n;
        INSERT INTO identity.crosswalk (student_id, source_person_id, from_at, decided_by, reason)
        SELECT md5('student ' || n)::uuid, n + 1, '2026-01-01', 'test', 'invented' FROM generate_series(0, 19999) AS n;
        INSERT INTO history.batch (batch_id, sea, file_name, layout, recorded_at) VALUES (1, 'ct', 'invented', 'invented', '2026-01-01');
        INSERT INTO history.fact_enrollment (source_person_id, recorded_batch, line, domain, certification, restriction, natural_key, kind, lea,
            facility, payload)
        SELECT n + 1, 1, n + 1, 2, 1, 0, md5(n::text)::uuid, 'snapshot', 'D' || n / 200, 'S' || n / 20, '{{}}' FROM generate_series(0, 19999) AS n"
    );
    conn.execute(AssertSqlSafe(sql)).await.expect("rows");
    conn.execute(AssertSqlSafe("ANALYZE".to_owned())).await.expect("statistics");
}

/// A statement of the program by its name, and the types of what it is given.
fn statement(name: &str) -> (String, Vec<String>) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let begin = format!("-- {name}\n");
    for file in std::fs::read_dir(folder).expect("metadata of statements") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a text");
        let kept: Json = serde_json::from_str(&text).expect("metadata");
        let query = kept["query"].as_str().unwrap_or_default();
        if query.starts_with(&begin) {
            let types = kept["describe"]["parameters"]["Left"].as_array().expect("parameters");
            return (query.to_owned(), types.iter().map(|one| one.as_str().expect("a type").to_owned()).collect());
        }
    }
    panic!("the program has no statement {name}");
}

/// The type's name in SQL, and a value of it that something has.
fn value(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "Uuid" => ("uuid", "NULL"),
        "UuidArray" => ("uuid[]", "ARRAY[md5('student 7')::uuid, md5('7')::uuid]"),
        "Text" => ("text", "'S7'"),
        "TextArray" => ("text[]", "ARRAY['client 9']"),
        "Timestamptz" => ("timestamptz", "NULL"),
        "TimestamptzArray" => ("timestamptz[]", "ARRAY[NULL, NULL]::timestamptz[]"),
        "Int8" => ("bigint", "1000"),
        "Bool" => ("boolean", "true"),
        other => panic!("no value of {other}"),
    }
}

async fn plan(conn: &mut PgConnection, (name, role): (&str, &str), mode: &str) -> String {
    let (query, types) = statement(name);
    let (types, values): (Vec<_>, Vec<_>) = types.iter().map(|kind| value(kind)).unzip();
    let with = |list: &[&str]| if list.is_empty() { String::new() } else { format!("({})", list.join(", ")) };
    let prepare = format!(
        "SET ROLE {role}; SET plan_cache_mode = {mode};
        SET throughline.at = '2026-11-20T15:00:00Z'; SET throughline.as_of = '2026-11-20T15:00:00Z'; SET throughline.consumer = 'sea';
        PREPARE asked {} AS {query}",
        with(&types)
    );
    conn.execute(AssertSqlSafe(prepare)).await.expect("prepared");
    let rows = conn.fetch_all(AssertSqlSafe(format!("EXPLAIN EXECUTE asked {}", with(&values)))).await.expect("a plan");
    conn.execute("DEALLOCATE asked; RESET ROLE").await.expect("put away");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_record_of_disclosures_is_found_by_an_index_however_it_is_asked_for() {
    let db = TestDatabase::new().await;
    let mut conn = db.superuser().await;
    fill(&mut conn).await;
    for statement in STATEMENTS {
        // The server chooses between a plan for these values and one for any.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let plan = plan(&mut conn, statement, mode).await;
            let whole = |table: &&&str| {
                plan.contains(&format!("Seq Scan on {table} ")) || plan.contains(&format!("Seq Scan on {table}\n"))
            };
            let read: Vec<_> = LARGE.iter().filter(whole).collect();
            assert!(read.is_empty(), "{} reads all of {read:?} ({mode}):\n{plan}", statement.0);
        }
    }
}
