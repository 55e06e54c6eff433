//! Rules of the house that a compiler does not know: layers, sizes, table ownership.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Layer of each crate, and what a crate of layer 4 and above may import beside what the layer rule gives.
const LAYERS: &[(&str, u8)] = &[
    ("model", 0),
    ("proto", 0),
    ("domains", 1),
    ("pg", 1),
    ("reference", 2),
    ("identity", 2),
    ("history", 2),
    ("agreements", 2),
    ("ledger", 2),
    ("scheduler", 2),
    ("intake", 3),
    ("disclosure", 3),
    ("summary", 4),
    ("feeds", 5),
    ("api", 6),
    ("portal", 6),
    ("cli", 7),
    ("tests", 8),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifests() -> BTreeMap<String, toml::Table> {
    let mut found = BTreeMap::new();
    let services = fs::read_dir(root().join("services")).expect("services");
    let folders =
        services.map(|entry| entry.expect("entry").path()).chain([root().join("proto"), root().join("tests")]);
    for folder in folders {
        let Ok(text) = fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let manifest: toml::Table = text.parse().expect("a manifest");
        let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
        found.insert(name, manifest);
    }
    found
}

fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let of = |section: &str| {
        manifest.get(section).and_then(toml::Value::as_table).map(|t| t.keys().cloned().collect::<Vec<_>>())
    };
    ["dependencies", "build-dependencies"].into_iter().filter_map(of).flatten().collect()
}

/// The dependency table: lower layers only, never its own, never up; and from layer 4 on only what is named.
fn may_import(name: &str, other: &str) -> bool {
    let layer = |of: &str| LAYERS.iter().find(|(n, _)| *n == of).map(|(_, layer)| *layer);
    let (Some(own), Some(its)) = (layer(name), layer(other)) else { return false };
    if its >= own {
        return false;
    }
    match name {
        "pg" => other == "model",
        "domains" => matches!(other, "model" | "proto"),
        "summary" => its <= 1 || other == "disclosure",
        "feeds" => its <= 1 || matches!(other, "disclosure" | "summary"),
        "api" | "portal" | "cli" => other != "history",
        "tests" => true,
        _ => !(2..=3).contains(&own) || other != "proto",
    }
}

#[test]
fn crates_import_lower_layers_only() {
    let manifests = manifests();
    let mut wrong = Vec::new();
    for (name, manifest) in &manifests {
        assert!(LAYERS.iter().any(|(known, _)| known == name), "{name} has no layer");
        for other in dependencies(manifest).iter().filter(|other| manifests.contains_key(*other)) {
            if !may_import(name, other) {
                wrong.push(format!("{name} -> {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the layers: {wrong:?}");
}

#[test]
fn transports_and_sql_stay_in_their_crates() {
    let fenced: &[(&str, &[&str])] = &[
        ("tonic", &["proto", "api", "cli", "tests"]),
        ("axum", &["portal", "cli"]),
        ("clap", &["cli"]),
        ("anyhow", &["cli", "tests"]),
        ("history", &["intake", "tests"]),
    ];
    for (name, manifest) in manifests() {
        let dependencies = dependencies(&manifest);
        for (what, allowed) in fenced {
            assert!(!dependencies.contains(*what) || allowed.contains(&name.as_str()), "{name} imports {what}");
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["services", "proto", "tests"] {
        sources(&root().join(folder), &mut found);
    }
    found
}

#[test]
fn files_are_short_enough_to_read() {
    const LINES_MAX: usize = 800;
    for path in all_sources() {
        let lines = fs::read_to_string(&path).expect("a source").lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", path.display());
    }
}

/// Whose tables a crate's statements may name.
fn schemas_of(name: &str) -> &'static [&'static str] {
    match name {
        "reference" => &["reference"],
        "identity" => &["identity", "placement"],
        "history" => &["history"],
        "agreements" => &["agreements"],
        "ledger" => &["ledger"],
        "intake" => &["intake"],
        "disclosure" => &["disclosure"],
        "scheduler" => &["scheduler"],
        "portal" => &["portal"],
        _ => &[],
    }
}

/// The published views that disclosure joins beside its own tables.
const PUBLISHED: [&str; 10] = [
    "identity.population",
    "identity.rostered",
    "agreements.rule",
    "history.disclosable",
    "history.packed",
    "history.stated",
    "history.reported",
    "history.under_order",
    "intake.kept_file",
    "intake.kept_block",
];

#[test]
fn statements_touch_their_own_tables_only() {
    const SCHEMAS: [&str; 11] = [
        "reference",
        "identity",
        "history",
        "agreements",
        "ledger",
        "intake",
        "disclosure",
        "scheduler",
        "feeds",
        "portal",
        "placement",
    ];
    let mut wrong = Vec::new();
    for path in all_sources() {
        let relative = path.strip_prefix(root()).unwrap_or(&path).to_owned();
        let mut parts = relative.components().skip(1);
        let name = parts.next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(&path).expect("a source");
        if !text.contains("sqlx::query")
            || relative.starts_with("tests")
            || relative.components().any(|part| part.as_os_str() == "tests")
        {
            continue;
        }
        let in_store = relative.components().any(|part| part.as_os_str().to_string_lossy().starts_with("store"));
        if name != "pg" && !in_store {
            wrong.push(format!("{}: SQL outside a store", relative.display()));
        }
        for line in text.lines() {
            for schema in SCHEMAS {
                for keyword in ["FROM ", "JOIN ", "INTO ", "UPDATE "] {
                    let Some(at) = line.find(&format!("{keyword}{schema}.")) else { continue };
                    let table: String = line[at + keyword.len()..]
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '_'))
                        .collect();
                    let published = name == "disclosure" && PUBLISHED.contains(&table.as_str());
                    if !schemas_of(&name).contains(&schema) && !published {
                        wrong.push(format!("{}: {table}", relative.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "statements against the table of owners: {wrong:#?}");
}

/// What `disclosure` returns that shows what is reported of a student, or who they are: each is entered in the ledger, and the entry has
/// committed, before it returns.
const EXPOSING: [&str; 11] = [
    "access::access_chunk",
    "chunk::disclose_chunk",
    "chunk::disclose_prepared",
    "inspect::explain",
    "one::disclose_one",
    "one::disclose_one_prepared",
    "placement::disclose_notices",
    "rehearse::rehearse",
    "review::open",
    "trace::trace",
    "unshown::list_unshown",
];

/// What returns counts, ids, decisions and the state of queues only.
const NOT_EXPOSING: [&str; 49] = [
    "access::list_students",
    "access::record_access",
    "access::select_students",
    "acknowledge::acknowledge",
    "act::record_act",
    "asked::list_students_of",
    "asked::record_asking",
    "asked::record_opening",
    "audit::audit",
    "caseload::list_caseload",
    "chunk::complete_run",
    "chunk::confirm_delivered",
    "chunk::list_delivered",
    "chunk::list_population",
    "chunk::list_rostered",
    "clock::is_behind",
    "ended::end_placements",
    "ended::list_ended",
    "entry::ensure_new",
    "erase::erase",
    "erase::list_disclosures",
    "erase::record_look",
    "expire::erase_older_details",
    "expire::forget_requests",
    "file_run::approve",
    "file_run::begin_file_run",
    "inspect::record_release",
    "recall::queue_match",
    "recall::queue_move",
    "retention::attest",
    "retention::list_due",
    "retention::list_noticed",
    "review::apply_bulk",
    "review::approve_override",
    "review::decide",
    "review::draw_bulk",
    "review::find_bulk",
    "review::find_client",
    "review::find_override",
    "review::list",
    "review::list_alike",
    "review::list_bulks",
    "review::request_override",
    "review::stats",
    "review::vouch",
    "seal::close",
    "seal::compared",
    "seal::lift",
    "seal::list",
];

/// The same, about runs: who is to be told something, what has arrived, whether one may begin.
const OF_RUNS: [&str; 7] = [
    "acknowledge::is_last_run",
    "placement::confirm_notices",
    "scope::scope",
    "standing::may_still_leave",
    "standing::refuse_run",
    "withdraw::confirm_files",
    "withdraw::list_due",
];

/// What makes documents before they are disclosed: what it returns shows nothing, and can be given to `disclose_prepared` alone.
const PREPARING: [&str; 1] = ["prepare::prepare"];

/// What gives out an answer of somebody else's making, when it is time.
const PASSING: [&str; 1] = ["grid::on_the_grid"];

/// The same, taking back what was decided.
const UNDOING: [&str; 2] = ["review::undo", "review::undo_bulk"];

#[test]
fn every_door_of_disclosure_is_listed() {
    let folder = root().join("services/disclosure/src");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    let mut doors = BTreeSet::new();
    for file in files.iter().filter(|file| !file.components().any(|part| part.as_os_str() == "store")) {
        let module = file.file_stem().expect("a name").to_string_lossy().into_owned();
        for line in fs::read_to_string(file).expect("a source").lines() {
            let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            doors.insert(format!("{module}::{name}"));
        }
    }
    let listed = EXPOSING.iter().chain(&NOT_EXPOSING).chain(&OF_RUNS).chain(&PREPARING).chain(&PASSING).chain(&UNDOING);
    let listed = listed.map(|name| (*name).to_owned());
    assert_eq!(doors, listed.collect::<BTreeSet<_>>(), "list what is new, and whether what it returns shows a record");
}

/// Words in capitals between quotes, in a text.
fn capitals(text: &str, quote: char) -> BTreeSet<String> {
    let is_reason = |word: &&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    text.split(quote).filter(is_reason).map(str::to_owned).collect()
}

#[test]
fn every_reason_of_the_api_is_in_the_catalogue() {
    let mut files = Vec::new();
    sources(&root().join("services/api/src"), &mut files);
    // The names of statuses in it are the protocol's.
    files.retain(|file| !file.ends_with("measure.rs"));
    let mut reasons: BTreeSet<String> =
        files.iter().flat_map(|file| capitals(&fs::read_to_string(file).expect("a source"), '"')).collect();
    let denials = fs::read_to_string(root().join("services/agreements/src/decide/reason.rs")).expect("a source");
    // What is told of a student is one word for all.
    let of_agreements =
        denials.lines().skip_while(|line| line.trim() != "NoAgreement,").take_while(|line| !line.is_empty());
    for name in of_agreements.filter_map(|line| line.trim().strip_suffix(',')).filter(|name| *name != "AnotherParty") {
        let words = name.chars().fold(String::new(), |mut word, c| {
            if c.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.push(c.to_ascii_uppercase());
            word
        });
        reasons.insert(words);
    }
    reasons.insert("NOT_AVAILABLE".to_owned());
    let catalogue = fs::read_to_string(root().join("deploy/ERRORS.md")).expect("the catalogue");
    let rows: BTreeSet<String> = catalogue
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| capitals(line.split('|').nth(1)?, '`').pop_first())
        .collect();
    let missing: Vec<_> = reasons.difference(&rows).collect();
    assert!(missing.is_empty(), "deploy/ERRORS.md does not explain {missing:?}");
}

/// Words of letters and underscores that begin like the name of a measurement.
fn measurements(text: &str, separator: char) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == separator));
    let is_name = |word: &&str| {
        ["throughline", "rpc"]
            .iter()
            .any(|begin| word.strip_prefix(begin).is_some_and(|rest| rest.starts_with(separator)))
    };
    words.filter(is_name).map(|word| word.replace(separator, "_")).collect()
}

#[test]
fn rules_and_dashboards_name_measurements_that_exist() {
    // What the exporter adds to a name: its unit, and what is counted of it.
    const ADDED: [&str; 8] =
        ["", "_total", "_bytes", "_bytes_total", "_seconds", "_seconds_bucket", "_seconds_count", "_seconds_sum"];
    // Labels, and what else begins so.
    const OTHERS: [&str; 3] = ["rpc_method", "rpc_service", "rpc_response_status_code"];
    let mut known = BTreeSet::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).expect("a source");
        let quoted = text.split('"').filter(|part| !part.contains(char::is_whitespace));
        known.extend(quoted.flat_map(|part| measurements(part, '.')));
    }
    for file in ["alerts.yaml", "dashboard.json"] {
        let text =
            fs::read_to_string(root().join("deploy/monitoring").join(file)).expect("a file of deploy/monitoring");
        let named = measurements(&text, '_');
        assert!(named.len() > 5, "{file} names {named:?}");
        for name in named.iter().filter(|name| !OTHERS.contains(&name.as_str())) {
            let exists = ADDED.iter().any(|added| name.strip_suffix(added).is_some_and(|rest| known.contains(rest)));
            assert!(exists, "{file}: nothing measures {name}");
        }
    }
}

#[test]
fn documents_name_no_machine() {
    for file in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        for word in ["/work/", "/root/", "../shared"] {
            assert!(!text.contains(word), "{file} names {word}");
        }
    }
}
