//! Many students, a bounded chunk at a time: what streams and files are made of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use agreements::{Delivery, Grant, Reason};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use ledger::{Entry, Kind, Terms};
use model::{DisclosureId, Masked, StudentId};
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, Disclosed, DisclosedHistory, Encode, Error, Prepared, Repeat, Unencoded,
    decided::{self, set_moment},
    entry, file_run,
    prepare::Made,
    recording,
    store::{self, holding},
    touched,
    until::{ATTEMPTS_MAX, Until},
    withdraw::{self, Feed, Withdrawn, carries_notices},
};

/// What became of one client of a chunk.
#[derive(Clone, Debug)]
pub enum Item {
    /// Recorded; it may leave.
    Disclosed(Box<Disclosed>),
    /// The same content as was delivered last: neither recorded nor sent again.
    Unchanged {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
    },
    /// Nothing that it rests on has changed since it was delivered last: it was not so much as read.
    Untouched {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
    },
    /// To be destroyed by the recipient: recorded; it may leave. A history of the same client may follow.
    Withdrawn(Box<Withdrawn>),
    /// Permitted, and greater than can be carried: it is not disclosed, which is recorded.
    TooLarge {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
        /// What it measures.
        bytes: u64,
        /// What can be carried.
        bytes_max: u64,
    },
    /// Refused; the refusal is recorded.
    Refused {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
        /// Why, for the record; the recipient gets the public words.
        reason: Reason,
    },
}

/// A client with an authority in force.
#[derive(Clone, Debug)]
pub struct Member {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// The student.
    pub student: StudentId,
    /// The office, if one is responsible.
    pub office: Option<String>,
}

/// The reason in the record of disclosures why a permitted history was not sent.
const TOO_LARGE: &str = "history_too_large";

/// What a run sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTotals {
    /// Histories.
    pub histories: u64,
    /// Withdrawals.
    pub withdrawals: u64,
    /// SHA-256 over what was sent, as the channel defines it.
    pub digest: [u8; 32],
}

/// A page of the caller's population at this moment, in the order of person ids, behind `after`.
pub async fn list_population(
    context: Context<'_>,
    ask: &Ask<'_>,
    after: &str,
    limit: u32,
) -> Result<Vec<Member>, Error> {
    let rows = pg::transaction("disclosure.population", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                set_moment(tx, context, ask, Role::Disclosure).await?;
                store::list_population(tx, ask.consumer, ask.office, after, i64::from(limit)).await
            })
        })
        .await?;
    Ok(rows
        .into_iter()
        .map(|(key, student, office)| Member { person_key: Masked::new(key), student: StudentId(student), office })
        .collect())
}

/// A page of the clients whom the caller's own roster puts before it at this moment, in the order of person ids, behind `after`: whom the state does not
/// know as much as whom it does. A run that is about them leaves a trace of each, whatever may be told.
pub async fn list_rostered(context: Context<'_>, ask: &Ask<'_>, after: &str, limit: u32) -> Result<Vec<String>, Error> {
    pg::transaction("disclosure.rostered", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                set_moment(tx, context, ask, Role::Disclosure).await?;
                store::list_rostered(tx, ask.consumer, ask.office, after, i64::from(limit)).await
            })
        })
        .await
}

/// Discloses a chunk of clients: all entries commit before anything of it is returned. The order is that of `person_keys`.
pub async fn disclose_chunk(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
) -> Result<Vec<Item>, Error> {
    disclose_made(context, ask, person_keys, Make::Encode(encode)).await
}

/// Discloses what was prepared, where the decision now permits the very same; else [`Error::Changed`], and nothing of the chunk.
pub async fn disclose_prepared(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    prepared: &Prepared,
) -> Result<Vec<Item>, Error> {
    disclose_made(context, ask, person_keys, Make::Prepared(prepared)).await
}

async fn disclose_made(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    make: Make<'_>,
) -> Result<Vec<Item>, Error> {
    let mut attempts = 1;
    loop {
        match attempt(context, ask, person_keys, make).await {
            Err(Error::Ended) if attempts < ATTEMPTS_MAX => attempts += 1,
            items => return items,
        }
    }
}

/// Decides, records and commits; if any of it has ended by then, nothing of the chunk is given out.
async fn attempt(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    make: Make<'_>,
) -> Result<Vec<Item>, Error> {
    let (items, until, recorded_from) = pg::transaction("disclosure.chunk", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| chunk_in(tx, context, ask, person_keys, make))
        .await?;
    recording::add(recorded_from);
    pg::crash::hit(CrashPoint::DiscloseAfterRecord);
    until.holds(context.clock)?;
    Ok(items)
}

/// Of a chunk its items, until when they may be handed over, and since when it was recorded.
type Done<'t> = BoxFuture<'t, Result<(Vec<Item>, Until, Instant), Error>>;

fn chunk_in<'t>(
    tx: &'t mut Tx<'_, '_>,
    context: Context<'t>,
    ask: &'t Ask<'t>,
    person_keys: &'t [String],
    make: Make<'t>,
) -> Done<'t> {
    Box::pin(async move {
        let stamps = touched::take(tx, context, ask, person_keys).await?;
        let keys = stamps.touched(person_keys);
        let Decided { at, grant, items, entries, until } = decide_and_read(tx, context, ask, &keys, make).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeRecord);
        let delivered: Vec<&Disclosed> = items.iter().filter_map(Item::disclosed).collect();
        let withdrawn: Vec<&Withdrawn> = items.iter().filter_map(Item::withdrawn).collect();
        store::record_delivered(tx, ask.consumer, Feed::of(ask), (ask.run, grant), &delivered).await?;
        withdraw::keep(tx, ask, at, &withdrawn).await?;
        stamps.keep(tx, ask, &items).await?;
        let recorded_from = Instant::now();
        tx.act_as(Role::Ledger).await?;
        ledger::record_chunk(tx, &entries).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeCommit);
        until.holds(context.clock)?;
        Ok((stamps.complete(person_keys, items), until, recorded_from))
    })
}

impl Item {
    fn disclosed(&self) -> Option<&Disclosed> {
        if let Self::Disclosed(disclosed) = self { Some(disclosed) } else { None }
    }

    /// The client by the recipient's own person id.
    pub const fn person_key(&self) -> &Masked<String> {
        match self {
            Self::Disclosed(disclosed) => disclosed.history.person_key(),
            Self::Withdrawn(withdrawn) => &withdrawn.person_key,
            Self::Unchanged { person_key }
            | Self::Untouched { person_key }
            | Self::TooLarge { person_key, .. }
            | Self::Refused { person_key, .. } => person_key,
        }
    }

    fn withdrawn(&self) -> Option<&Withdrawn> {
        if let Self::Withdrawn(withdrawn) = self { Some(withdrawn) } else { None }
    }
}

/// What a client was delivered last.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// The disclosure it came with.
    pub disclosure: DisclosureId,
    /// When that was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// What these clients were delivered last by the kind of delivery that is asked for, and whole; in the order of person ids.
pub async fn list_delivered(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
) -> Result<Vec<Delivered>, Error> {
    pg::transaction("disclosure.delivered", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(
                async move { store::list_last_delivered(tx, ask.consumer, ask.delivery.as_str(), person_keys).await },
            )
        })
        .await
}

/// Notes that these disclosures have been delivered whole: until then their content is sent again.
pub async fn confirm_delivered(context: Context<'_>, ask: &Ask<'_>, disclosures: &[DisclosureId]) -> Result<(), Error> {
    let ids: Vec<uuid::Uuid> = disclosures.iter().map(|id| id.0).collect();
    let at = context.clock.now();
    pg::transaction("disclosure.confirm", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            let ids = &ids;
            Box::pin(async move { store::confirm_delivered(tx, ask.consumer, ids, at).await })
        })
        .await
}

/// Records that a run is complete and what it sent.
pub async fn complete_run(context: Context<'_>, ask: &Ask<'_>, totals: RunTotals) -> Result<(), Error> {
    pg::transaction("disclosure.complete", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Disclosure).await?;
                if let (Delivery::Stream, Some(run)) = (ask.delivery, ask.run) {
                    let end = (run, &totals.digest);
                    let is_new = holding::insert_completed(tx, ask.consumer, Feed::of(ask), end, at).await?;
                    // The same end told again, and a run that had nothing to send: nothing was disclosed.
                    if !is_new || totals.histories + totals.withdrawals == 0 {
                        return Ok(());
                    }
                }
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let terms = entry::terms_of_request(ask, in_force.as_deref())?;
                let sent = (totals.histories + totals.withdrawals, totals.digest);
                let id = model::disclosure_id(context.entropy);
                let entry = entry::run(ask, Kind::Completion, terms, id, sent, at, context.entropy);
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}

/// A chunk decided on and read.
pub(crate) struct Decided {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// The agreement version it rests on.
    pub(crate) grant: Option<[u8; 32]>,
    /// Answers, in the order of the keys.
    pub(crate) items: Vec<Item>,
    /// Their entries.
    pub(crate) entries: Vec<Entry>,
    /// Until when all that is disclosed may be.
    pub(crate) until: Until,
}

/// How a history becomes the bytes that leave.
#[derive(Clone, Copy)]
pub(crate) enum Make<'a> {
    /// Here and now.
    Encode(&'a Encode<'a>),
    /// They are made already.
    Prepared(&'a Prepared),
}

/// Decides about each client, reads what is permitted with one statement, and prepares answers and entries in the order of the keys.
pub(crate) async fn decide_and_read(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    make: Make<'_>,
) -> Result<Decided, Error> {
    store::hold_population(tx, ask.consumer).await?;
    let authority = match ask.delivery {
        Delivery::File => file_run::authority(tx, ask).await?,
        Delivery::Unary | Delivery::Stream | Delivery::Pdf => None,
    };
    let read = decided::read(tx, context, ask, Role::Disclosure, person_keys).await?;
    let grant = read.in_force.as_ref().map(|in_force| in_force.digest().0);
    let known = match ask.repeat {
        Repeat::Always => HashMap::new(),
        Repeat::WhenChanged => {
            store::list_delivered(tx, ask.consumer, Feed::of(ask), grant, &read.granted_keys()).await?
        }
    };
    let mut notices = notices(tx, context, ask, &read).await?;
    let mut preparing = Preparing {
        context,
        ask,
        at: read.at,
        make,
        authority,
        refused_terms: entry::terms_of_request(ask, read.in_force.as_deref())?,
        terms_by_basis: BTreeMap::new(),
        items: Vec::with_capacity(read.clients.len()),
        entries: Vec::with_capacity(read.clients.len()),
        until: Until::default(),
    };
    for (person_key, decision) in read.clients {
        let notice = notices.remove(&person_key);
        let is_withdrawn = notice.is_some();
        if let Some(notice) = notice {
            preparing.withdraw(notice);
        }
        let person_key = Masked::new(person_key);
        match decision {
            // The notice is the answer, and its entry the record of it.
            Err(_) if is_withdrawn => {}
            Err(denial) => preparing.refuse(person_key, denial.reason),
            Ok((_, history))
                if !is_withdrawn && known.get(history.person_key().expose()) == Some(history.content_digest()) =>
            {
                preparing.items.push(Item::Unchanged { person_key });
            }
            Ok((grant, history)) => preparing.disclose(person_key, &grant, history)?,
        }
    }
    Ok(Decided { at: read.at, grant, items: preparing.items, entries: preparing.entries, until: preparing.until })
}

/// The notices of a chunk: about whoever was sent something and may not be told of now, or was taken for another child, or is called back.
async fn notices(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    read: &decided::Read,
) -> Result<BTreeMap<String, Withdrawn>, Error> {
    let (Some(in_force), true) = (read.in_force.as_ref(), carries_notices(ask)) else { return Ok(BTreeMap::new()) };
    let keys: Vec<String> = read.clients.iter().map(|(key, _)| key.clone()).collect();
    let mut held = holding::list_held(tx, ask.consumer, Feed::of(ask), &keys).await?;
    let mut due: Vec<&str> = Vec::new();
    for (key, decision) in &read.clients {
        let Some(one) = held.get_mut(key) else { continue };
        let is_due = match decision {
            Err(denial) => denial.reason.is_about_the_student(),
            Ok((_, history)) => {
                if one.cause.is_none() && one.student != history.student().0 {
                    one.cause = Some("match_undone".to_owned());
                }
                one.cause.is_some()
            }
        };
        if is_due {
            due.push(key);
        }
    }
    withdraw::notices(tx, context, (ask, in_force, read.at), &held, &due).await
}

/// Answers and entries of a chunk, as they are made.
struct Preparing<'a> {
    context: Context<'a>,
    ask: &'a Ask<'a>,
    at: DateTime<Utc>,
    make: Make<'a>,
    authority: Option<Masked<String>>,
    refused_terms: Arc<Terms>,
    terms_by_basis: BTreeMap<&'static str, Arc<Terms>>,
    items: Vec<Item>,
    entries: Vec<Entry>,
    until: Until,
}

impl Preparing<'_> {
    fn withdraw(&mut self, notice: Withdrawn) {
        self.entries.push(notice.entry(self.ask, Arc::clone(&self.refused_terms), self.at, self.context));
        self.items.push(Item::Withdrawn(Box::new(notice)));
    }

    fn enter_refusal(&mut self, person_key: &Masked<String>, reason: &str) {
        let (id, terms) = (model::disclosure_id(self.context.entropy), Arc::clone(&self.refused_terms));
        self.entries.push(entry::refusal(self.ask, terms, id, person_key, reason, self.at, self.context.entropy));
    }

    fn refuse(&mut self, person_key: Masked<String>, reason: Reason) {
        self.enter_refusal(&person_key, reason.code());
        self.items.push(Item::Refused { person_key, reason });
    }

    /// The bytes of a history. Those that were prepared bear the id they were made with: the entry takes it over.
    fn make(&self, history: &mut DisclosedHistory) -> Result<Result<Vec<u8>, Unencoded>, Error> {
        match self.make {
            Make::Encode(encode) => Ok(encode(history)),
            Make::Prepared(prepared) => Ok(match prepared.find(history)? {
                Made::Document { history: before, bytes } => {
                    history.disclosure = before.disclosure;
                    Ok(bytes.clone())
                }
                Made::TooLarge { bytes, bytes_max } => {
                    Err(Unencoded::TooLarge { bytes: *bytes, bytes_max: *bytes_max })
                }
            }),
        }
    }

    fn disclose(
        &mut self,
        person_key: Masked<String>,
        grant: &Grant,
        mut history: Box<DisclosedHistory>,
    ) -> Result<(), Error> {
        let bytes: Arc<[u8]> = match self.make(&mut history)? {
            Ok(bytes) => bytes.into(),
            Err(Unencoded::Failed(why)) => return Err(Error::Encode(why)),
            Err(Unencoded::TooLarge { bytes, bytes_max }) => {
                self.enter_refusal(&person_key, TOO_LARGE);
                self.items.push(Item::TooLarge { person_key, bytes, bytes_max });
                return Ok(());
            }
        };
        let basis = grant.legal_basis().as_str();
        let terms = if let Some(terms) = self.terms_by_basis.get(basis) {
            Arc::clone(terms)
        } else {
            let terms = entry::terms_of(grant)?;
            self.terms_by_basis.insert(basis, Arc::clone(&terms));
            terms
        };
        let rests_on = (grant, terms, self.authority.as_ref());
        let entry = entry::disclosure(self.ask, rests_on, &history, &bytes, self.context.entropy);
        self.until = self.until.and(grant);
        self.entries.push(entry);
        self.items.push(Item::Disclosed(Box::new(Disclosed { history: *history, bytes })));
        Ok(())
    }
}
