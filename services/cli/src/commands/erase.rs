//! `throughline erase`: by court order or at the end of retention, for good.

mod files;

use std::{
    fs::File,
    io::{BufRead as _, IsTerminal as _, Read as _},
    path::Path,
};

pub use files::{is_searched, note_delivery};

use agreements::{Act, Asked, ClientNamed, Digest, EraseRequest, FactNamed};
use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::TimeDelta;
use disclosure::{
    Deed, Done,
    erase::{Erased, Holder},
};
use identity::{crosswalk, erase::Subject};
use intake::erase::{self, ClientName, Erasure, FactName, Ground, Order, Step, Survey};
use model::{Domain, Masked, NaturalKey, Sea, SourcePersonId, StudentId};
use pg::{Role, crash::CrashPoint};
use serde_json::json;

use super::{Outcome, own_ask, with_app};
use crate::{
    app::App,
    args::{Erase, EraseOptions, Place, Whose},
    console::{self, Progress},
    control::{
        erasure::ErasureLine,
        journal::{Journal, Lines, What},
    },
};

/// How long stewards have to approve an erasure, and it to run.
const REQUEST_DAYS: i64 = 30;

/// No state id with its state's name is longer.
const STATE_ID_BYTES_MAX: u64 = 256;

/// What holds rows about people: written anew when some were deleted, so that the server's files hold no trace.
const TABLES: &[&str] = &[
    "history.fact",
    "history.pack",
    "history.touched",
    "history.restriction",
    "intake.raw_block",
    "intake.finding",
    "intake.quarantine",
    "intake.kept_record",
    "intake.kept_for",
    "intake.kept_subject",
    "intake.description",
    "intake.early_withdrawal",
    "identity.source_person",
    "identity.crosswalk",
    "identity.crosswalk_move",
    "identity.restriction",
    "identity.awaiting_order",
    "identity.awaited_order",
    "identity.awaited_undoing",
    "identity.client",
    "identity.authority",
    "identity.match_decision",
    "identity.released",
    "identity.override",
    "identity.override_approval",
    "identity.bulk_member",
    "agreements.instrument",
    "agreements.request",
    "ledger.detail",
    "disclosure.delivered",
    "disclosure.recall",
    "disclosure.withdrawal",
    "disclosure.placement_notice",
    "placement.stay",
    "portal.look",
    "portal.report",
];

/// Runs an erase command.
pub async fn run(place: &Place, command: Erase) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        match command {
            Erase::Request(options) => request(place, &app, options).await,
            Erase::Facts { whose, domain, by } => facts(place, &app, &whose, domain, by).await,
            Erase::Run { request, deliveries } => {
                for folder in &deliveries {
                    files::note_delivery(&app.data, folder)?;
                }
                let erasure = begin(&app, &request).await?;
                go_on(&app, erasure.order.id).await?;
                app.sequence().await?;
                say_status(place, &app).await?;
                Ok(Outcome::Done)
            }
            Erase::Status => {
                say_status(place, &app).await?;
                Ok(Outcome::Done)
            }
        }
    })
    .await
}

/// The student of either id.
pub async fn find_student(app: &App, whose: &Whose) -> anyhow::Result<StudentId> {
    ensure!(whose.client_file.is_none(), "of a client who matches no student there are no facts");
    let Some(file) = &whose.state_id_file else {
        return whose.student.map(StudentId).context("--student or --state-id-file names whose records");
    };
    let named = read_state_id(file)?;
    let named = named.expose().trim();
    let (sea, id) = named.split_once(':').context("a state's id is given as SEA:ID, such as ct:9900000017")?;
    let (sea, id): (Sea, _) = (sea.parse()?, Masked::new(id.to_owned()));
    let found = pg::run_tx(app.pool(), "erase.find", Role::Identity, |tx| {
        let (sea, id) = (&sea, &id);
        Box::pin(async move { Ok::<_, EraseFailure>(crosswalk::find(tx, sea, id).await?) })
    })
    .await?;
    found.map(|(_, student)| student).with_context(|| format!("the exchange knows no person of {sea} by that id"))
}

/// The one line that names whose records: of a file, or of standard input.
fn read_state_id(file: &Path) -> anyhow::Result<Masked<String>> {
    let mut line = String::new();
    if file == Path::new("-") {
        if std::io::stdin().is_terminal() {
            console::warn("state id, as SEA:ID:");
        }
        std::io::stdin().lock().take(STATE_ID_BYTES_MAX).read_line(&mut line).context("no state id came")?;
    } else {
        let source = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
        source
            .take(STATE_ID_BYTES_MAX)
            .read_to_string(&mut line)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(Masked::new(line))
}

/// Why a transaction of an erasure failed.
#[derive(Debug, thiserror::Error)]
pub enum EraseFailure {
    #[error(transparent)]
    Database(#[from] pg::Error),
    #[error(transparent)]
    Identity(#[from] identity::Error),
    #[error(transparent)]
    Agreements(#[from] agreements::Error),
    #[error(transparent)]
    Erase(#[from] intake::erase::EraseError),
    #[error(transparent)]
    Disclosure(#[from] disclosure::Error),
}

async fn request(place: &Place, app: &App, options: EraseOptions) -> anyhow::Result<Outcome> {
    let by = super::identity::steward(app, options.by.clone())?;
    if let Some(file) = &options.whose.client_file {
        return request_client(place, app, &options, (file, by)).await;
    }
    let student = find_student(app, &options.whose).await?;
    let at = app.clock().now();
    record_look(app, &by, student).await?;
    let survey = erase::survey(app.pool(), student, at).await?;
    ensure!(!survey.subject.persons.is_empty(), "nothing is known of the student {student}");
    if survey.is_held && options.ground == Ground::Retention {
        bail!(
            "a legal hold is in force on these records: they are kept until it is lifted, whatever the retention says"
        );
    }
    let persons: Vec<SourcePersonId> = survey.subject.persons.iter().map(|person| person.id).collect();
    let fact = match (options.domain, options.fact) {
        (Some(domain), Some(key)) => {
            let key = NaturalKey(key.into_bytes());
            let known = erase::list_facts(app.pool(), &persons, domain).await?;
            let found = known.iter().find(|fact| fact.key == key);
            let found = found.context("the student has no such fact; `erase facts` lists them")?;
            Some(FactNamed {
                domain: domain.name().to_owned(),
                natural_key: hex::encode(key.0),
                source_person: found.person.0,
            })
        }
        _ => None,
    };
    say_survey(place, &survey, student, options.domain)?;
    let asked = EraseRequest {
        client: None,
        consumer: app.own_consumer()?.clone(),
        expires_at: at + TimeDelta::days(REQUEST_DAYS),
        fact,
        ground: options.ground.as_str().to_owned(),
        order_number: options.order,
        requested_at: at,
        requested_by: by,
        student: student.0,
    };
    file_request(place, app, &asked).await
}

/// The same for a client who matches no student. The request bears a keyed hash of the agency's id, which it outlives.
async fn request_client(
    place: &Place,
    app: &App,
    options: &EraseOptions,
    (file, by): (&Path, String),
) -> anyhow::Result<Outcome> {
    ensure!(options.fact.is_none(), "of a client who matches no student there are no facts");
    let named = read_state_id(file)?;
    let (consumer, key) = named.expose().trim().split_once(':').context("a client is given as AGENCY:ID")?;
    let consumer: model::ConsumerId = consumer.parse()?;
    app.consumer(&consumer)?;
    let client = ClientName { hash: app.tombstones.hash_client(&consumer, key), consumer };
    let at = app.clock().now();
    // Nobody's: the erasure has to bear one.
    let student = app.entropy().uuid();
    let order = Order {
        id: student,
        request: [0; 32],
        student: StudentId(student),
        fact: None,
        client: Some(client.clone()),
        ground: options.ground,
        order_number: options.order.clone(),
        approved_by: Vec::new(),
    };
    let is_known = erase::knows_client(app.pool(), &order, &app.tombstones).await?;
    ensure!(is_known, "{} has no client by that id, on a roster or in a report of stays", client.consumer);
    if !place.json {
        let consumer = &client.consumer;
        console::line(false, format!("a client of {consumer} who matches no student"));
        console::line(
            false,
            "GOES, for good: what rosters said of them, doubtful matches, authorities, stays in facilities, and what the record of",
        );
        console::line(
            false,
            "  disclosures says of them; rows of deliveries of ours that bear the agency's id. A later row about them is refused.",
        );
        console::line(
            false,
            "NOT REACHED: the agency's own files; backups already taken (erased again when restored).",
        );
    }
    let asked = EraseRequest {
        client: Some(ClientNamed { consumer: client.consumer, keyed_hash: hex::encode(client.hash) }),
        consumer: app.own_consumer()?.clone(),
        expires_at: at + TimeDelta::days(REQUEST_DAYS),
        fact: None,
        ground: options.ground.as_str().to_owned(),
        order_number: options.order.clone(),
        requested_at: at,
        requested_by: by,
        student,
    };
    file_request(place, app, &asked).await
}

/// Puts a request on file; in the sandbox its stewards approve it.
async fn file_request(place: &Place, app: &App, asked: &EraseRequest) -> anyhow::Result<Outcome> {
    let agreements = &*app.agreements;
    let digest = pg::run_tx(app.pool(), "cli.file_erasure", Role::Agreements, |tx| {
        Box::pin(async move { agreements.file_erasure(tx, asked).await })
    })
    .await?;
    let approved = app.is_sandbox();
    if approved {
        for approval in &app.sandbox_approvals(Act::Erase, digest, app.clock().now())? {
            app.approve(&asked.consumer, Act::Erase, digest, approval).await?;
        }
    }
    app.sequence().await?;
    if place.json {
        console::json(&json!({ "request": digest.to_string(), "student": asked.student, "approved": approved }))?;
    } else {
        console::line(false, format!("request {digest}, on file until {}", asked.expires_at));
        let how = if approved {
            "approved by the sandbox's stewards".to_owned()
        } else {
            format!("two stewards approve it, each with: throughline approve {digest} --key FILE")
        };
        console::line(false, format!("  {how}; then: throughline erase run {digest}"));
    }
    Ok(Outcome::Done)
}

/// Tells a clerk what goes and what stays, before anything is done.
fn say_survey(place: &Place, survey: &Survey, student: StudentId, domain: Option<Domain>) -> anyhow::Result<()> {
    let subject = &survey.subject;
    let current = subject.clients.iter().filter(|client| client.is_current).count();
    if place.json {
        let facts: serde_json::Map<_, _> =
            survey.facts.iter().map(|(domain, count)| (domain.name().to_owned(), json!(count))).collect();
        return console::json(&json!({
            "student": student, "state_ids": subject.persons.len(), "clients": current, "facts": facts, "files_to_search": survey.files,
            "legal_hold": survey.is_held, "one_fact_of": domain.map(Domain::name),
        }));
    }
    let say = |text: String| console::line(false, text);
    say(format!("student {student}"));
    if let Some(domain) = domain {
        say(format!("GOES, for good: one fact of {}, every version of it;", domain.name()));
        say(format!(
            "  the lines that state it in {} kept files, with whatever else stands on them; their findings;",
            survey.files
        ));
        say("  documents and rows of deliveries of ours that may hold it (whoever received them is told to destroy them).".to_owned());
        say("STAYS: everything else about the student, and facts that came from the same lines.".to_owned());
    } else {
        let counts: Vec<String> =
            survey.facts.iter().map(|(domain, count)| format!("{} of {}", count, domain.name())).collect();
        say("GOES, for good:".to_owned());
        say(format!(
            "  {} state ids, names, crosswalk; facts, every version: {};",
            subject.persons.len(),
            counts.join(", ")
        ));
        say(format!(
            "  their lines in {} kept files (a line about several students goes whole), findings, quarantine;",
            survey.files
        ));
        say(format!("  {current} clients with their matches, reviews, authorities and papers;"));
        say("  documents and rows of deliveries of ours (whoever received them is told to destroy them);".to_owned());
        say("  the personal part of the record of disclosures. The ledger's proofs still verify.".to_owned());
        say("STAYS: what other children's records say of themselves; the organizations; the order's number; our own random id, which".to_owned());
        say("  names nobody; the hash of each file as it was received, and of what is left of it; counts.".to_owned());
    }
    say("NOT REACHED: copies that others hold; backups already taken (they are erased again when restored); archived logs of a".to_owned());
    say("  database server that others run; blocks of the disk until they are used again. Districts that were told of"
        .to_owned());
    say("  placements are told by the next `placement notify` which of their notices to destroy, by number and without a name.".to_owned());
    if survey.is_held {
        say("BEWARE: a legal hold is in force on these records. Only a court's order to erase outweighs it.".to_owned());
    }
    Ok(())
}

/// Enters that one of the SEA's own people looked at what there is of a student.
async fn record_look(app: &App, by: &str, student: StudentId) -> anyhow::Result<()> {
    let own = app.own_consumer()?;
    Ok(disclosure::erase::record_look(app.disclosure(), &own_ask(own, "steward", by), student).await?)
}

async fn facts(place: &Place, app: &App, whose: &Whose, domain: Domain, by: Option<String>) -> anyhow::Result<Outcome> {
    let by = super::identity::steward(app, by)?;
    let student = find_student(app, whose).await?;
    record_look(app, &by, student).await?;
    let survey = erase::survey(app.pool(), student, app.clock().now()).await?;
    let persons: Vec<SourcePersonId> = survey.subject.persons.iter().map(|person| person.id).collect();
    for fact in erase::list_facts(app.pool(), &persons, domain).await? {
        let key = uuid::Uuid::from_bytes(fact.key.0);
        if place.json {
            console::json(&json!({
                "fact": key, "kind": fact.kind, "valid_from": fact.valid_from, "file": fact.file_name, "line": fact.line,
                "versions": fact.versions, "expunged": fact.is_expunged,
            }))?;
        } else {
            let expunged = if fact.is_expunged { ", marked expunged by the source" } else { "" };
            let from = fact.valid_from.map_or_else(|| "no date".to_owned(), |day| day.to_string());
            let (kind, file, line, versions) = (fact.kind, fact.file_name, fact.line, fact.versions);
            console::line(false, format!("{key}  {kind}, {from}, {file} line {line}, {versions} versions{expunged}"));
        }
    }
    app.sequence().await?;
    Ok(Outcome::Done)
}

/// Uses an approved request up and enters the erasure, in one transaction.
async fn begin(app: &App, prefix: &str) -> anyhow::Result<Erasure> {
    let agreements = &*app.agreements;
    let filed = pg::run_tx(app.pool(), "cli.find_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_request(tx, prefix).await })
    })
    .await?;
    let filed = filed.with_context(|| format!("there is no request {prefix}"))?;
    let Asked::Erase(asked) = &filed.asked else { bail!("the request {prefix} is for another act") };
    let (id, at) = (app.entropy().uuid(), app.moment().await?);
    let order = order(id, filed.digest, asked)?;
    let own = own_ask(app.own_consumer()?, "steward", &asked.requested_by);
    let done = Done::new(Deed::UseRequest, disclosure::named(Act::Erase, filed.digest));
    pg::run_tx(app.pool(), "erase.begin", Role::Agreements, |tx| {
        let (order, own, done) = (order.clone(), &own, &done);
        Box::pin(async move {
            disclosure::record_act(tx, app.disclosure(), own, done).await?;
            tx.act_as(Role::Agreements).await?;
            let used = agreements.use_request(tx, filed.digest, id, at).await?;
            let order = Order { approved_by: used.approved_by.to_vec(), ..order };
            Ok::<_, EraseFailure>(erase::begin(tx, &order, &app.tombstones, at).await?)
        })
    })
    .await?;
    pg::crash::hit(CrashPoint::EraseAfterBegin);
    find(app, id).await
}

fn order(id: uuid::Uuid, digest: Digest, asked: &EraseRequest) -> anyhow::Result<Order> {
    let fact = asked.fact.as_ref().map(|fact| {
        let key = hex::decode(&fact.natural_key).ok().and_then(|key| key.try_into().ok());
        Ok::<_, anyhow::Error>(FactName {
            person: SourcePersonId(fact.source_person),
            domain: fact.domain.parse().map_err(|_| anyhow!("the request names an unknown domain"))?,
            key: NaturalKey(key.context("the request names no key of a fact")?),
        })
    });
    let client = asked.client.as_ref().map(|client| {
        let hash = hex::decode(&client.keyed_hash).ok().and_then(|hash| hash.try_into().ok());
        let hash = hash.context("the request names no client")?;
        Ok::<_, anyhow::Error>(ClientName { consumer: client.consumer.clone(), hash })
    });
    Ok(Order {
        id,
        request: digest.0,
        student: StudentId(asked.student),
        fact: fact.transpose()?,
        client: client.transpose()?,
        ground: asked.ground.parse().map_err(|error: String| anyhow!(error))?,
        order_number: asked.order_number.clone(),
        approved_by: Vec::new(),
    })
}

async fn find(app: &App, id: uuid::Uuid) -> anyhow::Result<Erasure> {
    let all = erase::list(app.pool(), None).await?;
    all.into_iter().find(|erasure| erasure.order.id == id).context("the erasure is not on record")
}

/// Carries out again what the journal holds and this database does not (it was restored from a backup), and finishes whatever was broken off. Nothing is
/// served before this has returned.
pub async fn resume(app: &App) -> anyhow::Result<()> {
    let known = erase::list(app.pool(), None).await?;
    let journal = Journal::open(&app.data, &app.keys)?;
    let is_missing = |line: &ErasureLine| known.iter().all(|one| one.order.id != line.erasure);
    let missing: Vec<ErasureLine> = journal
        .read()?
        .all
        .into_iter()
        .filter_map(|line| if let What::Erasure(line) = line { Some(line) } else { None })
        .filter(is_missing)
        .collect();
    let open: Vec<&Erasure> = known.iter().filter(|erasure| erasure.step != Step::Done).collect();
    if missing.is_empty() && open.is_empty() {
        return Ok(());
    }
    let Some(_alone) = journal.lock_alone()? else {
        // Another process is at it, or carries an erasure out just now. What it has not erased yet is sealed.
        ensure!(
            missing.is_empty(),
            "erasures are being carried out again after a restore: try again when that is done"
        );
        return Ok(());
    };
    let at = app.clock().now();
    for line in &missing {
        let (order, persons, stones) = line.read()?;
        pg::run_tx(app.pool(), "erase.replay", Role::Identity, |tx| {
            let (order, persons, stones) = (&order, &persons, &stones);
            Box::pin(async move { erase::replay(tx, order, persons, stones, at).await })
        })
        .await?;
    }
    let ids = missing.iter().map(|line| line.erasure).chain(open.iter().map(|erasure| erasure.order.id));
    for id in ids.collect::<Vec<_>>() {
        carry_out(app, id, &journal).await?;
    }
    app.sequence().await
}

/// Carries an erasure on to its end, alone.
async fn go_on(app: &App, id: uuid::Uuid) -> anyhow::Result<()> {
    let journal = Journal::open(&app.data, &app.keys)?;
    let Some(_alone) = journal.lock_alone()? else {
        bail!("another erasure is under way: this one goes on when it is done")
    };
    carry_out(app, id, &journal).await
}

async fn carry_out(app: &App, id: uuid::Uuid, journal: &Journal) -> anyhow::Result<()> {
    let erasure = find(app, id).await?;
    if matches!(erasure.step, Step::Raw | Step::Files | Step::Records) {
        let line = ErasureLine::of(&erasure, &erase::list_tombstones(app.pool(), &erasure, &app.tombstones).await?);
        let is_there =
            |lines: &Lines| lines.all.iter().any(|one| matches!(one, What::Erasure(one) if one.erasure == id));
        journal.append(|lines| Ok(if is_there(lines) { Vec::new() } else { vec![What::Erasure(line)] }))?;
    }
    if erasure.step == Step::Raw {
        let progress = Progress::begin("search kept files", 0);
        erase::blank_files(app.pool(), &erasure, &|done| progress.at(done)).await?;
        progress.done("kept files are searched");
    }
    if matches!(erasure.step, Step::Raw | Step::Files) {
        clear_files(app, &erasure).await?;
    }
    if erasure.step != Step::Purge && erasure.step != Step::Done {
        records(app, &erasure).await?;
        pg::crash::hit(CrashPoint::EraseAfterRecords);
    }
    if erasure.step != Step::Done {
        let progress = Progress::begin("purge the database", 0);
        let purged = app.database.purge(TABLES).await?;
        progress.done(match (purged.tables_are_rewritten, purged.log_is_clear) {
            (true, true) => "tables and log are purged",
            (true, false) => "tables are purged; the server's log and its archives are its administrator's",
            (false, _) => {
                "tables are NOT written anew: the login may not; have the server's administrator run VACUUM FULL"
            }
        });
        step(app, id, Step::Purge, Step::Done).await?;
    }
    Ok(())
}

async fn step(app: &App, id: uuid::Uuid, from: Step, to: Step) -> anyhow::Result<()> {
    let at = app.clock().now();
    pg::run_tx(app.pool(), "erase.step", Role::Intake, |tx| {
        Box::pin(async move { erase::advance(tx, id, from, to, at).await })
    })
    .await?;
    Ok(())
}

/// Findings and deliveries on disk.
async fn clear_files(app: &App, erasure: &Erasure) -> anyhow::Result<()> {
    for batch in erase::list_redacted(app.pool(), erasure.order.id).await? {
        write_findings(app, &batch).await?;
    }
    let subject = subject(app, erasure).await?;
    let domain = erasure.order.fact.as_ref().map(|fact| fact.domain);
    let held = disclosure::erase::list_disclosures(app.pool(), &subject.students, domain).await?;
    crate::scratch::sweep(&app.data)?;
    let cleared = files::clear(&app.data, &held, &subject, erasure.is_whole())?;
    console::line(true, format!("{} files of deliveries cleared", cleared.files));
    if cleared.unopened > 0 {
        console::warn(&format!(
            "{} encrypted files stand in folders of deliveries: their recipients' keys alone open them, and whom they are about cannot be told here",
            cleared.unopened
        ));
    }
    step(app, erasure.order.id, Step::Files, Step::Records).await?;
    pg::crash::hit(CrashPoint::EraseBeforeRecords);
    Ok(())
}

/// Writes the findings of a batch anew, as they are now.
async fn write_findings(app: &App, batch: &erase::RedactedBatch) -> anyhow::Result<()> {
    let mut files = super::intake::FindingsFiles::begin(app, batch.batch)?;
    let mut after = None;
    loop {
        let findings = erase::list_findings(app.pool(), batch.batch, after).await?;
        let Some((last, _)) = findings.last() else { break };
        after = Some(*last);
        findings.iter().try_for_each(|(_, finding)| files.write(&batch.file, finding))?;
    }
    files.end()?;
    Ok(())
}

async fn subject(app: &App, erasure: &Erasure) -> anyhow::Result<Subject> {
    Ok(pg::run_tx(app.pool(), "erase.subject", Role::Identity, |tx| {
        Box::pin(async move {
            Ok::<_, EraseFailure>(erase::load_subject(tx, &erasure.order, &erasure.persons, &app.tombstones).await?)
        })
    })
    .await?)
}

/// A statement of the transaction below goes over all details of the ledger.
const STATEMENT_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);

/// The records, the ledger's details and whoever must be told: in one transaction.
async fn records(app: &App, erasure: &Erasure) -> anyhow::Result<()> {
    let own = app.own_consumer()?;
    let by = erasure.order.approved_by.join(" and ");
    let ask = own_ask(own, "steward", &by);
    pg::transaction("erase.records", Role::Identity)
        .statement_timeout(STATEMENT_TIMEOUT)
        .run(app.pool(), |tx| {
            let ask = &ask;
            Box::pin(async move {
                let subject = erase::lock_subject(tx, erasure, &app.tombstones).await?;
                let holders: Vec<Holder> = subject.clients.iter().map(holder).collect();
                let persons: Vec<SourcePersonId> = subject.persons.iter().map(|person| person.id).collect();
                let what = Erased {
                    students: &subject.students,
                    persons: &persons,
                    domain: erasure.order.fact.as_ref().map(|fact| fact.domain),
                    clients: &holders,
                    order_number: &erasure.order.order_number,
                    approved_by: &erasure.order.approved_by,
                };
                disclosure::erase::erase(tx, app.disclosure(), ask, what).await?;
                let clients: Vec<_> =
                    subject.clients.iter().map(|one| (one.consumer.clone(), one.person_key.clone())).collect();
                portal::erase(tx, &subject.students, &clients).await?;
                if erasure.is_whole() {
                    tx.act_as(Role::Agreements).await?;
                    for client in subject.clients.iter().filter(|client| client.is_current) {
                        let key = [client.person_key.expose().clone()];
                        app.agreements.erase_instruments(tx, &client.consumer, &key).await?;
                    }
                }
                erase::erase_records(tx, erasure, &subject).await?;
                disclosure::review::vouch(tx, app.disclosure()).await?;
                Ok::<_, EraseFailure>(())
            })
        })
        .await?;
    Ok(())
}

fn holder(client: &identity::erase::Client) -> Holder {
    Holder { consumer: client.consumer.clone(), person_key: client.person_key.clone(), since: client.since }
}

/// Erasures, for people and as JSON.
async fn say_status(place: &Place, app: &App) -> anyhow::Result<()> {
    for erasure in erase::list(app.pool(), None).await? {
        let Erasure { order, begun_at, finished_at, lines_blanked, facts_erased, .. } = &erasure;
        if place.json {
            console::json(&json!({
                "erasure": order.id, "student": order.student, "client_of": order.client.as_ref().map(|one| &one.consumer), "whole": erasure.is_whole(), "ground": order.ground.as_str(),
                "order": order.order_number, "approved_by": order.approved_by, "step": erasure.step.as_str(), "begun_at": begun_at,
                "finished_at": finished_at, "lines_blanked": lines_blanked, "facts_erased": facts_erased,
            }))?;
        } else {
            let state =
                finished_at.map_or_else(|| format!("at step {}", erasure.step.as_str()), |at| format!("finished {at}"));
            let what = match (&order.client, erasure.is_whole()) {
                (Some(_), _) => "client without a student, by our number",
                (None, true) => "student",
                (None, false) => "one fact of student",
            };
            console::line(
                false,
                format!(
                    "{what} {}, order {} ({}): {facts_erased} facts, {lines_blanked} lines of kept files; {state}",
                    order.student,
                    order.order_number,
                    order.ground.as_str()
                ),
            );
        }
    }
    Ok(())
}

/// What is said of a student of whom something was erased, for whoever of the SEA's own people asks.
pub async fn say_erased(app: &App, student: StudentId) -> anyhow::Result<Vec<String>> {
    let all = erase::list(app.pool(), Some(student)).await?;
    let say = |erasure: &Erasure| {
        let what = if erasure.is_whole() { "The student was" } else { "A fact of the student was" };
        format!("{what} erased by order {} ({}).", erasure.order.order_number, erasure.begun_at)
    };
    Ok(all.iter().map(say).collect())
}
