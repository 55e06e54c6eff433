//! Back from facts to the files they came in: a door of the SEA's own people, like [`crate::explain`].
//!
//! What the SEA's own agreement gives of a student is read, the access is entered and committed, and only then is a kept file opened.
//! Whoever asks says how a record is found in the bytes of its file; layouts are not known here.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, BufReader, Read},
    sync::Arc,
    time::Duration,
};

use ledger::{Entry, Kind};
use model::{BatchId, Certification, Domain, Masked, Payload, Period, SchoolYear, SourcePersonId, StudentId};
use pg::{Role, Tx};
use tokio::sync::mpsc;

use crate::{
    Ask, Context, Error,
    assemble::Allowed as _,
    decided::{self, GrantedFacts, set_moment},
    entry,
    inspect::record_look_at as record_look,
    store::trace as store,
};

/// Students that one line may speak of.
const STUDENTS_OF_LINE_MAX: i64 = 1_000;

/// Looking for the students of a line reads every fact.
const STATEMENT_TIMEOUT: Duration = Duration::from_mins(10);

/// What is traced.
#[derive(Clone, Copy, Debug)]
pub enum Trace {
    /// What is known of a student, of one domain or of all.
    Student(StudentId, Option<Domain>),
    /// A line of a batch, from 1, whether or not a fact came of it.
    Line(BatchId, u32),
}

impl Trace {
    fn takes(self, batch: BatchId, line: u32, domain: Domain) -> bool {
        match self {
            Self::Student(_, None) => true,
            Self::Student(_, Some(wanted)) => wanted == domain,
            Self::Line(wanted, on) => wanted == batch && on == line,
        }
    }
}

/// A file whose bytes were kept.
#[derive(Clone, Debug)]
pub struct KeptFile {
    /// The batch that loaded it.
    pub batch: BatchId,
    /// Its name, as received.
    pub name: String,
    /// What it was loaded with.
    pub layout: String,
    /// SHA-256 of its bytes as received.
    pub sha256: Vec<u8>,
    /// Their number.
    pub size_bytes: u64,
}

/// A fact, and the line it stands on.
#[derive(Clone, Debug)]
pub struct TracedFact {
    /// Of whom.
    pub student: StudentId,
    /// The line of its file, from 1.
    pub line: u32,
    /// Its domain.
    pub domain: Domain,
    /// Its kind within the domain.
    pub kind: String,
    /// Its school year.
    pub school_year: Option<SchoolYear>,
    /// The days it is about.
    pub valid: Period,
    /// Certified or preliminary.
    pub certification: Certification,
    /// Its elements, as far as the SEA's own agreement gives them.
    pub values: Masked<Payload>,
}

/// What was found in one file.
#[derive(Clone, Debug)]
pub struct TracedFile<K> {
    /// The file.
    pub file: KeptFile,
    /// The facts traced into it, by line.
    pub facts: Vec<TracedFact>,
    /// What was found on their lines.
    pub found: K,
}

/// Finds what stands on lines of a file, whose compressed blocks come one after the other. `Err` says why it cannot, and nothing of the file.
pub type Find<K> = dyn Fn(&KeptFile, &BTreeSet<u32>, &mut dyn BufRead) -> Result<K, String> + Send + Sync;

/// Traces facts to the lines they came in and gives those, after the access has been entered. In the order of batches.
pub async fn trace<K: Send + 'static>(
    context: Context<'_>,
    own: &Ask<'_>,
    what: Trace,
    find: Arc<Find<K>>,
) -> Result<Vec<TracedFile<K>>, Error> {
    let outcome = pg::transaction("disclosure.trace", Role::Steward)
        .statement_timeout(STATEMENT_TIMEOUT)
        .run(context.pool, |tx| Box::pin(async move { trace_in(tx, context, own, what).await }))
        .await;
    let looked = match (outcome, own.request) {
        (Err(Error::Ledger(ledger::Error::Answered(_))), Some(mark)) => {
            return Err(entry::answered_before(context, mark).await);
        }
        (outcome, _) => outcome?,
    };
    let mut facts: BTreeMap<BatchId, Vec<TracedFact>> = match looked {
        Looked::Opened(facts) => facts,
        Looked::Denied(reason) => return Err(Error::Denied(reason)),
        Looked::Sealed => return Err(SEALED),
    };
    let mut lines: BTreeMap<BatchId, BTreeSet<u32>> =
        facts.iter().map(|(batch, facts)| (*batch, facts.iter().map(|fact| fact.line).collect())).collect();
    if let Trace::Line(batch, line) = what {
        lines.entry(batch).or_default().insert(line);
    }
    let mut traced = Vec::with_capacity(lines.len());
    for (batch, lines) in lines {
        let (file, found) = read_back(context, batch, lines, Arc::clone(&find)).await?;
        traced.push(TracedFile { file, facts: facts.remove(&batch).unwrap_or_default(), found });
    }
    Ok(traced)
}

/// What became of a look, once it is entered.
enum Looked {
    Opened(BTreeMap<BatchId, Vec<TracedFact>>),
    Denied(agreements::Reason),
    /// The line as received speaks of somebody whose records are under seal.
    Sealed,
}

/// The line is a whole: it cannot be shown without what is sealed.
const SEALED: Error = Error::Invalid(
    "the line speaks of somebody whose records are sealed or expunged, and is not opened; that it was asked for is on record",
);
/// The code under which that is entered.
const SEALED_CODE: &str = "sealed";

/// Reads the facts and enters the look, or the refusal.
async fn trace_in(tx: &mut Tx<'_, '_>, context: Context<'_>, own: &Ask<'_>, what: Trace) -> Result<Looked, Error> {
    let at = set_moment(tx, context, own, Role::Steward).await?;
    let (students, told) = match what {
        Trace::Student(student, _) => {
            (BTreeSet::from([student]), "traces what is known of a student to its lines".to_owned())
        }
        Trace::Line(batch, line) => {
            let told = format!("opens line {line} of batch {batch}");
            let (students, is_sealed) = students_of_line(tx, (batch, line), at).await?;
            if is_sealed {
                refuse_sealed(tx, context, own, (&told, &students), at).await?;
                return Ok(Looked::Sealed);
            }
            (students, told)
        }
    };
    let keys: Vec<String> = students.iter().map(ToString::to_string).collect();
    let granted = decided::granted(tx, context, own, Role::Steward, &keys).await?;
    let mut traced: BTreeMap<BatchId, Vec<TracedFact>> = BTreeMap::new();
    for one in granted.clients.into_iter().filter_map(|(_, outcome)| outcome.ok()) {
        keep_traced(&mut traced, what, one);
    }
    for facts in traced.values_mut() {
        facts.sort_by(|a, b| (a.line, a.domain, &a.kind).cmp(&(b.line, b.domain, &b.kind)));
    }
    let looked = record_looks(tx, context, own, (&told, &students), at).await?;
    Ok(looked.map_or_else(Looked::Denied, |()| Looked::Opened(traced)))
}

/// The students of whom a line as received speaks, as far as a fact came of it, and whether one of them or of the facts is under seal.
async fn students_of_line(
    tx: &mut Tx<'_, '_>,
    of: (BatchId, u32),
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(BTreeSet<StudentId>, bool), Error> {
    let stated = store::list_stated(tx, of, STUDENTS_OF_LINE_MAX + 1).await?;
    if stated.len() as i64 > STUDENTS_OF_LINE_MAX {
        return Err(Error::Invalid("the line speaks of more than 1000 students"));
    }
    let persons: Vec<SourcePersonId> = stated.iter().map(|(person, _)| *person).collect();
    tx.act_as(Role::Identity).await?;
    let owners = identity::inspection::list_owners(tx, &persons, at).await?;
    tx.act_as(Role::Steward).await?;
    let is_sealed = stated.iter().any(|(_, is_sealed)| *is_sealed) || owners.iter().any(|(_, is_sealed)| *is_sealed);
    Ok((owners.into_iter().map(|(student, _)| student).collect(), is_sealed))
}

/// Enters that something under seal was asked for, under each of the students it speaks of.
pub(crate) async fn refuse_sealed(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    (what, students): (&str, &BTreeSet<StudentId>),
    at: chrono::DateTime<chrono::Utc>,
) -> Result<(), Error> {
    let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
    let terms = entry::terms_of_request(own, in_force.as_deref())?;
    let entries: Vec<Entry> = each(students)
        .map(|student| {
            let mut entry = entry::act(own, Kind::Refusal, Arc::clone(&terms), at, context.entropy);
            entry.reason = Some(SEALED_CODE.to_owned());
            entry.detail.authority = Some(Masked::new(what.to_owned()));
            entry.detail.student = student;
            entry
        })
        .collect();
    tx.act_as(Role::Ledger).await?;
    ledger::record_chunk(tx, &entries).await?;
    if let (Some(mark), Some(first)) = (own.request, entries.first()) {
        ledger::remember_request(tx, mark, first.id, at).await?;
    }
    Ok(())
}

/// Enters a look under each of the students it is about, or that it is refused.
async fn record_looks(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    (what, students): (&str, &BTreeSet<StudentId>),
    at: chrono::DateTime<chrono::Utc>,
) -> Result<Result<(), agreements::Reason>, Error> {
    let mut own = own.clone();
    for student in each(students) {
        if let Err(reason) = record_look(tx, context, &own, (what, student), at).await? {
            return Ok(Err(reason));
        }
        // The call is remembered by its first entry.
        own.request = None;
    }
    Ok(Ok(()))
}

/// Each student; where none is known, one look about nobody.
fn each(students: &BTreeSet<StudentId>) -> impl Iterator<Item = Option<StudentId>> {
    let nobody = students.is_empty().then_some(None);
    students.iter().copied().map(Some).chain(nobody)
}

fn keep_traced(traced: &mut BTreeMap<BatchId, Vec<TracedFact>>, what: Trace, of: GrantedFacts) {
    let GrantedFacts { grant, student, facts } = of;
    for mut fact in facts {
        if !what.takes(fact.source.batch, fact.source.line, fact.domain) {
            continue;
        }
        fact.payload.retain(|name, _| grant.element(fact.domain, name));
        traced.entry(fact.source.batch).or_default().push(TracedFact {
            student,
            line: fact.source.line,
            domain: fact.domain,
            kind: fact.kind,
            school_year: fact.school_year,
            valid: fact.valid,
            certification: fact.certification,
            values: Masked::new(fact.payload),
        });
    }
}

/// Blocks that may wait for the one who reads them.
const BLOCKS_WAITING_MAX: usize = 2;

async fn read_back<K: Send + 'static>(
    context: Context<'_>,
    batch: BatchId,
    lines: BTreeSet<u32>,
    find: Arc<Find<K>>,
) -> Result<(KeptFile, K), Error> {
    let file = pg::run_tx(context.pool, "disclosure.kept_file", Role::Steward, |tx| {
        Box::pin(async move { store::find_kept_file(tx, batch).await })
    })
    .await?
    .ok_or(Error::Invalid("no batch of this number was loaded"))?;
    let (sender, blocks) = mpsc::channel(BLOCKS_WAITING_MAX);
    let reading = tokio::task::spawn_blocking(move || {
        let mut source = BufReader::new(Blocks { blocks, block: io::Cursor::default() });
        let found = find(&file, &lines, &mut source);
        (file, found)
    });
    for number in 0.. {
        let block = pg::run_tx(context.pool, "disclosure.kept_block", Role::Steward, |tx| {
            Box::pin(async move { store::find_kept_block(tx, batch, number).await })
        })
        .await?;
        let Some(block) = block else { break };
        // Whoever reads has found what was asked for.
        if sender.send(block).await.is_err() {
            break;
        }
    }
    drop(sender);
    let (file, found) = reading.await.map_err(|_| Error::Corrupt("reading a kept file stopped".to_owned()))?;
    Ok((file, found.map_err(Error::Corrupt)?))
}

/// The blocks of a file, one after the other.
struct Blocks {
    blocks: mpsc::Receiver<Vec<u8>>,
    block: io::Cursor<Vec<u8>>,
}

impl Read for Blocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.block.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.blocks.blocking_recv() {
                Some(block) => self.block = io::Cursor::new(block),
                None => return Ok(0),
            }
        }
    }
}
