//! Erasing by order or at the end of retention: a whole student, or one fact. What goes, goes everywhere: facts, names, findings, quarantine,
//! what is kept between deliveries, and the lines of the files as they are kept; tombstones refuse the same rows when they come again.
//!
//! An erasure is a row with a step. Each step is done in transactions that move the row on, so that one that was broken off is finished by whoever
//! looks for it next ([`list`]): [`begin`], then [`blank_files`]; files on disk are the caller's; then [`erase_records`].

mod blank;
mod records;

use std::{collections::BTreeSet, str::FromStr};

use chrono::{DateTime, Utc};
pub use history::erase::{Buried, Found, Tombstone};
use history::{
    TombstoneKey,
    erase::{self, Buried as Kind},
};
use identity::erase::{Person, Subject};
use model::{BatchId, ConsumerId, Domain, NaturalKey, Sea, SourcePersonId, StudentId};
use pg::{Role, Tx, crash::CrashPoint};
use uuid::Uuid;

use self::records::Stretch;
pub(crate) use self::records::Wanted;
use crate::{
    Finding, batches,
    load::{LoadError, erased_finding},
    store::{self, erase as sql},
};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$inner])* $variant,)*
        }

        impl $name {
            /// The word that is stored and printed.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                [$(Self::$variant),*]
                    .into_iter()
                    .find(|one| one.as_str() == text)
                    .ok_or_else(|| format!("{text:?} is none of: {}", [$($word),*].join(", ")))
            }
        }
    };
}

words! {
    /// Why records are erased.
    Ground {
        /// A court has ordered it.
        CourtOrder = "court_order",
        /// The time for which they are kept is over.
        Retention = "retention",
    }
}

words! {
    /// What is to be done next.
    Step {
        /// Lines of kept files are blanked.
        Raw = "raw",
        /// Findings and deliveries on disk are cleared.
        Files = "files",
        /// Records go.
        Records = "records",
        /// What the server holds of deleted rows goes.
        Purge = "purge",
        /// Nothing is left to do.
        Done = "done",
    }
}

/// One fact, by whose it is and what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactName {
    /// Whose.
    pub person: SourcePersonId,
    /// Its domain.
    pub domain: Domain,
    /// Its key.
    pub key: NaturalKey,
}

/// An agency's client who matches no student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientName {
    /// The agency.
    pub consumer: ConsumerId,
    /// Its id of the client, as tombstones hash it.
    pub hash: [u8; 32],
}

/// What two stewards signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The erasure's own id.
    pub id: Uuid,
    /// The digest of the request.
    pub request: [u8; 32],
    /// Whose records.
    pub student: StudentId,
    /// The one fact that goes; none: everything.
    pub fact: Option<FactName>,
    /// The client whose records go in place of a student's.
    pub client: Option<ClientName>,
    /// Why.
    pub ground: Ground,
    /// The number of the order, or of the retention decision.
    pub order_number: String,
    /// The two.
    pub approved_by: Vec<String>,
}

/// An erasure and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// What was signed.
    pub order: Order,
    /// The source persons it is about; of one fact, the one.
    pub persons: Vec<SourcePersonId>,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// What is next.
    pub step: Step,
    /// The last batch whose file was searched.
    pub batch_done: BatchId,
    /// Lines blanked in kept files so far.
    pub lines_blanked: u64,
    /// Facts erased, every version counted.
    pub facts_erased: u64,
    /// When it was finished.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Erasure {
    /// Whether it is of a whole student.
    pub const fn is_whole(&self) -> bool {
        self.order.fact.is_none()
    }
}

/// Why an erasure could not be done, or gone on with.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// It may not be done, or not so.
    #[error("{0}")]
    Refused(&'static str),
    /// The database did not answer, or refused.
    #[error("the erasure could not be recorded")]
    Unavailable(#[from] pg::Error),
    /// The fact store failed.
    #[error("facts could not be erased")]
    History(#[from] history::Error),
    /// Identity failed.
    #[error("the student could not be erased")]
    Identity(#[from] identity::Error),
    /// A kept file could not be read or written.
    #[error("a kept file could not be searched")]
    File(#[from] LoadError),
}

impl From<sqlx::Error> for EraseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// What an erasure would take, for the people who sign it.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Who it is, and who was ever matched with them.
    pub subject: Subject,
    /// Facts by domain, every version counted.
    pub facts: Vec<(Domain, u64)>,
    /// Kept files that will be searched.
    pub files: u64,
    /// A hold of the law is in force on the records.
    pub is_held: bool,
}

/// Says what there is of a student.
pub async fn survey(pool: &pg::Pool, student: StudentId, at: DateTime<Utc>) -> Result<Survey, EraseError> {
    pg::run_tx(pool, "intake.survey_erasure", Role::Identity, |tx| {
        Box::pin(async move {
            let ids = identity::erase::list_persons_of(tx, student).await?;
            let subject = identity::erase::load(tx, &ids).await?;
            let mut is_held = identity::erase::is_held(tx, &ids, at).await?;
            tx.act_as(Role::Intake).await?;
            is_held |= erase::is_held(tx, &ids, at).await?;
            let facts = erase::count_facts(tx, &ids).await?;
            let files = sql::count_batches(tx, &seas(&subject.persons)).await?.unsigned_abs();
            Ok::<_, EraseError>(Survey { subject, facts, files, is_held })
        })
    })
    .await
}

fn seas(persons: &[Person]) -> Vec<String> {
    let seas: BTreeSet<&Sea> = persons.iter().map(|person| &person.sea).collect();
    seas.into_iter().map(ToString::to_string).collect()
}

/// The facts of a student in one domain, for whoever has to name the one that goes.
pub async fn list_facts(pool: &pg::Pool, persons: &[SourcePersonId], domain: Domain) -> Result<Vec<Found>, EraseError> {
    pg::run_tx(pool, "intake.list_facts_to_erase", Role::Intake, |tx| {
        Box::pin(async move { Ok::<_, EraseError>(erase::list_facts(tx, persons, domain).await?) })
    })
    .await
}

/// Enters an erasure in the caller's transaction, the one that uses the approved request up: from here on tombstones refuse what is to go, and a whole
/// student is sealed. The same request again changes nothing.
pub async fn begin(
    tx: &mut Tx<'_, '_>,
    order: &Order,
    key: &TombstoneKey,
    at: DateTime<Utc>,
) -> Result<(), EraseError> {
    tx.act_as(Role::Identity).await?;
    let persons = match (&order.client, &order.fact) {
        (Some(_), _) => Vec::new(),
        (None, None) => identity::erase::list_persons_of(tx, order.student).await?,
        (None, Some(fact)) => vec![fact.person],
    };
    let subject = load_subject(tx, order, &persons, key).await?;
    refuse_matched(tx, order, key).await?;
    if order.client.is_some() && subject.clients.is_empty() {
        return Err(EraseError::Refused("there is no such client, or nothing is left of them"));
    }
    if order.client.is_none() && !subject.students.contains(&order.student) {
        return Err(EraseError::Refused(
            "there is no such student, or nothing is left of them, or the fact is another's",
        ));
    }
    enter(tx, order, &persons, &tombstones(order, &subject, key), at).await
}

/// Of a client who is, or ever was, matched with a student nothing goes this way: what was disclosed under their number has to be called back, which the student's
/// erasure does. An erasure that has begun goes on to its end.
async fn refuse_matched(tx: &mut Tx<'_, '_>, order: &Order, key: &TombstoneKey) -> Result<(), EraseError> {
    let Some(client) = &order.client else { return Ok(()) };
    let is_it = |person_key: &str| key.hash_client(&client.consumer, person_key) == client.hash;
    match identity::erase::find_client(tx, &client.consumer, &is_it).await? {
        Some((_, true)) => Err(EraseError::Refused(
            "the client is, or once was, matched with a student: it is the student who is erased",
        )),
        _ => Ok(()),
    }
}

/// Who an erasure is about, as things stand. A client is found again by the keyed hash. The transaction acts for identity.
pub async fn load_subject(
    tx: &mut Tx<'_, '_>,
    order: &Order,
    persons: &[SourcePersonId],
    key: &TombstoneKey,
) -> Result<Subject, EraseError> {
    let Some(client) = &order.client else { return Ok(identity::erase::load(tx, persons).await?) };
    let is_it = |person_key: &str| key.hash_client(&client.consumer, person_key) == client.hash;
    let found = identity::erase::find_client(tx, &client.consumer, &is_it).await?;
    let clients = found.into_iter().map(|(client, _)| client).collect();
    Ok(Subject { persons: Vec::new(), students: Vec::new(), clients })
}

/// The same for a clerk, before anything is asked for: whether the agency has such a client, on a roster or in a report of stays.
pub async fn knows_client(pool: &pg::Pool, order: &Order, key: &TombstoneKey) -> Result<bool, EraseError> {
    pg::run_tx(pool, "intake.survey_client", Role::Identity, |tx| {
        Box::pin(async move {
            refuse_matched(tx, order, key).await?;
            Ok::<_, EraseError>(!load_subject(tx, order, &[], key).await?.clients.is_empty())
        })
    })
    .await
}

/// Enters an erasure that was carried out before, in a database that knows nothing of it: one restored from an older backup.
pub async fn replay(
    tx: &mut Tx<'_, '_>,
    order: &Order,
    persons: &[SourcePersonId],
    stones: &[Tombstone],
    at: DateTime<Utc>,
) -> Result<(), EraseError> {
    tx.act_as(Role::Identity).await?;
    enter(tx, order, persons, stones, at).await
}

async fn enter(
    tx: &mut Tx<'_, '_>,
    order: &Order,
    persons: &[SourcePersonId],
    stones: &[Tombstone],
    at: DateTime<Utc>,
) -> Result<(), EraseError> {
    if order.fact.is_none() {
        let known = identity::erase::load(tx, persons).await?;
        for person in &known.persons {
            let what = ("sealed", order.order_number.as_str(), "erasure");
            identity::persons::restrict(tx, person.id, what, at, at).await?;
        }
    }
    tx.act_as(Role::Intake).await?;
    let persons: Vec<i64> = persons.iter().map(|person| person.0).collect();
    if sql::insert_erasure(tx, order, &persons, at).await? > 0 {
        erase::bury(tx, stones, &order.order_number, at).await?;
    }
    Ok(())
}

/// The tombstones of an erasure that has not come to its records yet, for the journal that outlives a restore.
pub async fn list_tombstones(
    pool: &pg::Pool,
    erasure: &Erasure,
    key: &TombstoneKey,
) -> Result<Vec<Tombstone>, EraseError> {
    pg::run_tx(pool, "intake.list_tombstones", Role::Identity, |tx| {
        Box::pin(async move {
            let subject = load_subject(tx, &erasure.order, &erasure.persons, key).await?;
            Ok::<_, EraseError>(tombstones(&erasure.order, &subject, key))
        })
    })
    .await
}

fn tombstones(order: &Order, subject: &Subject, key: &TombstoneKey) -> Vec<Tombstone> {
    if let Some(fact) = &order.fact {
        return vec![Tombstone { hash: key.hash(fact.person, fact.domain, fact.key), buried: Kind::Fact }];
    }
    let of_persons = subject.persons.iter().map(|person| {
        let id = person.state_id.expose().as_bytes();
        Tombstone { hash: key.hash_person(&person.sea, id), buried: Kind::Person(id.len()) }
    });
    let current = subject.clients.iter().filter(|client| client.is_current);
    let of_clients = current.map(|client| Tombstone {
        hash: key.hash_client(&client.consumer, client.person_key.expose()),
        buried: Kind::Client,
    });
    of_persons.chain(of_clients).collect()
}

/// Erasures, the oldest first; those of one student if one is named.
pub async fn list(pool: &pg::Pool, student: Option<StudentId>) -> Result<Vec<Erasure>, EraseError> {
    pg::run_tx(pool, "intake.list_erasures", Role::Intake, |tx| {
        Box::pin(async move { Ok::<_, EraseError>(sql::list_erasures(tx, student).await?) })
    })
    .await
}

/// Moves an erasure on; says whether it stood at that step.
pub async fn advance(
    tx: &mut Tx<'_, '_>,
    erasure: Uuid,
    from: Step,
    to: Step,
    at: DateTime<Utc>,
) -> Result<bool, EraseError> {
    tx.act_as(Role::Intake).await?;
    let finished = (to == Step::Done).then_some(at);
    Ok(sql::advance(tx, erasure, (from.as_str(), to.as_str()), 0, finished).await?)
}

/// One statement of a search works on one block, and a rewrite on one file: each may take longer than an ordinary one.
const STATEMENT_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);

/// Searches the kept files of the student's states and blanks the lines that are to go, file by file. `progress` is told the batches done.
pub async fn blank_files(
    pool: &pg::Pool,
    erasure: &Erasure,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), EraseError> {
    let mut after = erasure.batch_done;
    let mut done = 0;
    loop {
        let next = pg::transaction("intake.blank_file", Role::Identity)
            .statement_timeout(STATEMENT_TIMEOUT)
            .run(pool, |tx| Box::pin(async move { blank_next(tx, erasure, after).await }))
            .await?;
        let Some(batch) = next else { break };
        pg::crash::hit(CrashPoint::EraseAfterFile);
        after = batch;
        done += 1;
        progress(done);
    }
    pg::run_tx(pool, "intake.files_blanked", Role::Intake, |tx| {
        Box::pin(async move {
            advance(tx, erasure.order.id, Step::Raw, Step::Files, erasure.begun_at).await?;
            Ok::<_, EraseError>(())
        })
    })
    .await
}

async fn blank_next(tx: &mut Tx<'_, '_>, erasure: &Erasure, after: BatchId) -> Result<Option<BatchId>, EraseError> {
    let persons = identity::erase::load(tx, &erasure.persons).await?.persons;
    tx.act_as(Role::Intake).await?;
    let Some(row) = sql::find_batch_after(tx, &seas(&persons), after).await? else { return Ok(None) };
    let batch = BatchId(row.batch_id);
    let of_sea: Vec<&Person> = persons.iter().filter(|person| person.sea.as_str() == row.sea).collect();
    let layout = row.is_loaded.then_some(row.layout.as_str());
    let wanted = wanted(tx, erasure, &of_sea, batch).await?;
    let mut stretches = blank::search(tx, batch, layout, &wanted).await?;
    if erasure.is_whole() {
        let mut described = BTreeSet::new();
        for person in &of_sea {
            let found = sql::list_descriptions(tx, &person.sea, &quoted(person)).await?;
            described.extend(found.into_iter().filter(|(_, of, _)| *of == batch).map(|(_, _, line)| line));
        }
        if !described.is_empty() {
            stretches.extend(blank::search(tx, batch, layout, &Wanted::Lines(described)).await?);
        }
    }
    let blanked = redact(tx, batch, stretches, Some(erasure.order.id)).await?;
    sql::note_batch(tx, erasure.order.id, batch, blanked).await?;
    Ok(Some(batch))
}

/// What is looked for in a batch's file.
async fn wanted(
    tx: &mut Tx<'_, '_>,
    erasure: &Erasure,
    persons: &[&Person],
    batch: BatchId,
) -> Result<Wanted, EraseError> {
    let id = |person: &&Person| person.state_id.expose().as_bytes().to_vec();
    Ok(match (&erasure.order.fact, persons.first()) {
        (Some(fact), Some(person)) => {
            let places = erase::list_places(tx, fact.person, fact.domain, fact.key).await?;
            Wanted::Fact(id(person), fact.domain, fact.key, sql::lines_of(&places, batch))
        }
        _ => Wanted::Persons(persons.iter().map(id).collect()),
    })
}

/// An identifier as the records that are kept between deliveries write it: as JSON.
fn quoted(person: &Person) -> Vec<u8> {
    format!("\"{}\"", person.state_id.expose()).into_bytes()
}

/// Blanks stretches of a batch's kept file, and takes the rows that stood there out of quarantine and findings. Says how many lines are new in the
/// redaction list.
async fn redact(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    stretches: Vec<Stretch>,
    erasure: Option<Uuid>,
) -> Result<u64, LoadError> {
    let lines = blank::blank(tx, batch, stretches).await?;
    if lines.is_empty() {
        return Ok(0);
    }
    let new = sql::insert_redactions(tx, batch, &lines, erasure).await?;
    let quarantined = sql::delete_quarantined(tx, batch, &lines).await?;
    sql::delete_findings(tx, batch, &lines).await?;
    sql::delete_early_withdrawals(tx, batch, &lines).await?;
    let findings: Vec<Finding> = lines.iter().map(|line| erased_finding(*line)).collect();
    let last = sql::last_finding(tx, batch).await?;
    store::insert_findings_after(tx, batch, last, &findings).await?;
    if erasure.is_some() {
        sql::count_erased(tx, batch, new.difference(&quarantined).count() as u64).await?;
    }
    Ok(new.len() as u64)
}

/// Blanks lines of a file that is just being loaded: rows that tombstones refused are not kept either.
pub(crate) async fn redact_refused(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    layout: Option<&str>,
    wanted: &Wanted,
) -> Result<u64, LoadError> {
    tx.act_as(Role::Intake).await?;
    let stretches = blank::search(tx, batch, layout, wanted).await?;
    let lines = blank::blank(tx, batch, stretches).await?;
    sql::insert_redactions(tx, batch, &lines, None).await?;
    Ok(lines.len() as u64)
}

/// Who an erasure is about, with the locks taken under which their records may go.
pub async fn lock_subject(tx: &mut Tx<'_, '_>, erasure: &Erasure, key: &TombstoneKey) -> Result<Subject, EraseError> {
    tx.act_as(Role::Identity).await?;
    let seen = load_subject(tx, &erasure.order, &erasure.persons, key).await?;
    identity::erase::lock(tx, &seen.clients).await?;
    load_subject(tx, &erasure.order, &erasure.persons, key).await
}

/// Erases the records, in the caller's transaction, under the locks of [`lock_subject`]: facts, and of a whole student names, matches, clients
/// and what is kept between deliveries. Says how many facts went; `None`: the erasure does not stand at this step.
pub async fn erase_records(
    tx: &mut Tx<'_, '_>,
    erasure: &Erasure,
    subject: &Subject,
) -> Result<Option<u64>, EraseError> {
    tx.act_as(Role::Intake).await?;
    tx.set("erasure", &erasure.order.id.to_string()).await?;
    let facts = match &erasure.order.fact {
        Some(fact) => erase::erase_fact(tx, fact.person, fact.domain, fact.key).await?,
        None => erase::erase_persons(tx, &erasure.persons).await?,
    };
    if erasure.is_whole() {
        for person in &subject.persons {
            let described = sql::list_descriptions(tx, &person.sea, &quoted(person)).await?;
            let references: Vec<Vec<u8>> = described.into_iter().map(|(reference, ..)| reference).collect();
            sql::delete_kept(tx, &person.sea, &quoted(person), &references).await?;
        }
        tx.act_as(Role::Identity).await?;
        identity::erase::erase(tx, subject).await?;
        tx.act_as(Role::Intake).await?;
    }
    let steps = (Step::Records.as_str(), Step::Purge.as_str());
    Ok(sql::advance(tx, erasure.order.id, steps, facts, None).await?.then_some(facts))
}

/// A batch whose findings have changed.
pub struct RedactedBatch {
    /// The batch.
    pub batch: BatchId,
    /// Its file's name.
    pub file: String,
}

/// The batches in whose files an erasure blanked lines: their findings' files on disk are to be written anew.
pub async fn list_redacted(pool: &pg::Pool, erasure: Uuid) -> Result<Vec<RedactedBatch>, EraseError> {
    pg::run_tx(pool, "intake.list_redacted", Role::Intake, |tx| {
        Box::pin(async move {
            let batches = sql::list_redacted(tx, erasure).await?;
            Ok::<_, EraseError>(batches.into_iter().map(|(batch, file)| RedactedBatch { batch, file }).collect())
        })
    })
    .await
}

/// Findings of a batch behind a number, in the order they were found, each with its number; none at the end.
pub async fn list_findings(
    pool: &pg::Pool,
    batch: BatchId,
    after: Option<i32>,
) -> Result<Vec<(i32, Finding)>, EraseError> {
    pg::run_tx(pool, "intake.list_findings", Role::Intake, |tx| {
        Box::pin(async move {
            let (all, limit) = (batches::Which::default(), i64::from(batches::PAGE_MAX));
            Ok::<_, EraseError>(store::batches::list_findings(tx, batch, &all, after, limit).await?)
        })
    })
    .await
}
