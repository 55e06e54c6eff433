//! Where pure rules and stored rows meet: proposing, approving, activating, suspending and loading.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use model::{Clock, ConsumerId, Masked};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error,
    approval::{Act, Approval, ApprovalError, Stewards},
    canonical::{Digest, canonical, read},
    document,
    evidence::{Instrument, InstrumentKind, NewInstrument, Paper},
    finding::Severity,
    in_force::{Ended, InForce, Plan},
    interval::Interval,
    reported::{self, REPORTED, Reported, Settled},
    rule, store,
    terms::Terms,
    vouching::ReleaseKey,
};

/// How many versions are kept prepared. There are a handful of agreements; more are built again when needed.
const PLANS_MAX: usize = 64;

/// How long a steward's approval of a version counts until it is brought into force: whoever signed knew what was agreed then.
const ACTIVATING: TimeDelta = TimeDelta::days(30);

/// A version on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The agreement.
    pub agreement_id: String,
    /// Its version.
    pub version: i32,
    /// What stewards sign.
    pub digest: Digest,
}

/// A version and one of its activations, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSummary {
    /// The agreement.
    pub agreement_id: String,
    /// Its version.
    pub version: i32,
    /// The recipient.
    pub consumer: ConsumerId,
    /// The SHA-256 of its canonical form.
    pub digest: Digest,
    /// While it is valid.
    pub validity: Interval,
    /// When it came into force; none if it never did.
    pub activated_at: Option<DateTime<Utc>>,
    /// When that ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// `superseded` or `suspended`.
    pub ended_because: Option<String>,
    /// Who ended it.
    pub ended_by: Option<String>,
    /// Why.
    pub end_reason: Option<String>,
}

/// The agreements of a database, as far as registered stewards vouch for them.
#[derive(Debug)]
pub struct Agreements {
    stewards: Stewards,
    plans: Mutex<HashMap<Digest, Arc<Plan>>>,
    release_key: OnceLock<ReleaseKey>,
}

impl Agreements {
    /// With the stewards of the configuration.
    pub fn new(stewards: Stewards) -> Self {
        Self { stewards, plans: Mutex::new(HashMap::new()), release_key: OnceLock::new() }
    }

    /// The key by which releases are vouched for from now on, and held against in an audit. The first that is set stays.
    pub fn set_release_key(&self, key: ReleaseKey) {
        self.release_key.get_or_init(|| key);
    }

    /// The key by which releases are vouched for; none: nobody vouches, and none is held against it.
    pub(crate) fn release_key(&self) -> Option<&ReleaseKey> {
        self.release_key.get()
    }

    /// The stewards whose approvals count.
    pub const fn stewards(&self) -> &Stewards {
        &self.stewards
    }

    /// Puts a document on file as a version. The same document again changes nothing, also where this program would read more into its
    /// `"all"` than the program that filed it: what was signed is what `"all"` meant then. Another document under the same version is refused.
    pub async fn propose(&self, conn: &mut PgConnection, document: &str, at: DateTime<Utc>) -> Result<Proposal, Error> {
        let terms = document::parse(document)?;
        self.hold_against(conn, document, &terms, at).await?;
        let canonical = canonical(&terms)?;
        let digest = Digest::of(canonical.as_bytes());
        let new = store::NewVersion {
            agreement_id: &terms.id,
            version: terms.version,
            consumer: &terms.consumer,
            document,
            canonical: &canonical,
            digest,
            time_zone: &terms.time_zone,
            validity: terms.validity(),
        };
        if store::insert_version(conn, &new, at).await? {
            store::insert_terms(conn, &terms.id, terms.version, &rule::rows(&terms)).await?;
        } else {
            let stored = store::find_version(conn, &terms.id, terms.version)
                .await?
                .ok_or(Error::Corrupt("a version vanished"))?;
            let kept = Digest::from_slice(&stored.digest).ok_or(Error::Corrupt("a digest has not 32 bytes"))?;
            if stored.document == document {
                return Ok(Proposal { agreement_id: terms.id, version: terms.version, digest: kept });
            }
            if kept != digest {
                return Err(Error::Conflict("this version says something else; an amendment is a version of its own"));
            }
        }
        Ok(Proposal { agreement_id: terms.id, version: terms.version, digest })
    }

    /// Keeps a steward's approval. It is refused unless it verifies.
    pub async fn approve(
        &self,
        conn: &mut PgConnection,
        act: Act,
        digest: Digest,
        approval: &Approval,
    ) -> Result<(), Error> {
        let steward = self.stewards.verify(act, digest, approval)?;
        store::insert_approval(conn, (act, digest), approval, steward.sandbox).await
    }

    /// Brings a version into force, if two stewards approved it in the last 30 days, and since the agreement was last suspended: at once, or when its
    /// validity begins. The version before it ends at that instant, behind whatever was being disclosed under it. Returns the instant. A
    /// version in force stays so.
    pub async fn activate(
        &self,
        conn: &mut PgConnection,
        agreement_id: &str,
        version: i32,
        clock: &dyn Clock,
    ) -> Result<DateTime<Utc>, Error> {
        store::stop(conn, store::Ending::Agreement(agreement_id)).await?;
        let at = clock.now().trunc_subsecs(6);
        let stored = store::find_version(conn, agreement_id, version)
            .await?
            .ok_or(Error::NotFound("version of an agreement"))?;
        let digest = Digest::from_slice(&stored.digest).ok_or(Error::Corrupt("a digest has not 32 bytes"))?;
        let plan = self.plan(conn, (agreement_id, version), digest).await?;
        if plan.terms().consumer.as_str() != stored.consumer {
            return Err(Error::Corrupt("a version is filed under another consumer than its terms name"));
        }
        let state = store::lock_activations(conn, agreement_id).await?;
        if let (Some(open), Some(since)) = (state.open_version, state.open_since)
            && open == version
        {
            return Ok(since);
        }
        if state.open_version.is_some_and(|open| open > version) {
            return Err(Error::Conflict("a later version of this agreement is in force"));
        }
        self.hold_against(conn, &stored.document, plan.terms(), at).await?;
        let approvals = store::list_approvals(conn, Act::Activate, digest).await?;
        let (fresh, expired): (Vec<_>, Vec<_>) = approvals.into_iter().partition(|one| at < one.given_at + ACTIVATING);
        let (first, second) =
            self.two(Act::Activate, digest, &fresh, state.suspended_at, at).map_err(|error| match expired.first() {
                Some(one) if error == ApprovalError::NotTwo => ApprovalError::Expired(one.steward.clone()),
                _ => error,
            })?;
        let activated_at = at.max(stored.valid_from);
        store::end_activations(
            conn,
            agreement_id,
            activated_at,
            ("superseded", &second.steward, "a later version", at),
        )
        .await?;
        let id = (agreement_id, version);
        store::insert_activation(conn, id, &stored.consumer, digest, [first, second], activated_at).await?;
        Ok(activated_at)
    }

    /// Refuses a document with any mistake, those that only the day and the agreements in force show included.
    async fn hold_against(
        &self,
        conn: &mut PgConnection,
        document: &str,
        terms: &Terms,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let canonical = store::list_open(conn, at).await?;
        let others = canonical.iter().map(|one| read(one)).collect::<Result<Vec<Terms>, _>>()?;
        let today = at.with_timezone(&terms.zone()).date_naive();
        let mut findings =
            document::check_among(document, document::Surroundings { today: Some(today), others: &others }).findings;
        // What its own number says already is on file, and `propose` compares it: here it is the same agreement.
        findings.retain(|finding| finding.severity == Severity::Error && finding.field != "agreement.version");
        if findings.is_empty() { Ok(()) } else { Err(Error::Document(findings)) }
    }

    /// Two approvals of distinct stewards that verify and are not stale.
    pub(crate) fn two<'a>(
        &self,
        act: Act,
        digest: Digest,
        approvals: &'a [Approval],
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<(&'a Approval, &'a Approval), ApprovalError> {
        let mut refusal = ApprovalError::NotTwo;
        for (index, first) in approvals.iter().enumerate() {
            for second in approvals.iter().skip(index + 1) {
                let pair = [first.clone(), second.clone()];
                match self.stewards.verify_two(act, digest, &pair, not_before, at) {
                    Ok(_) => return Ok((first, second)),
                    Err(error) => refusal = error,
                }
            }
        }
        Err(refusal)
    }

    /// Stops every version of an agreement at once: it waits for what is being disclosed, and nothing is disclosed from the instant that it then takes.
    /// One person may: stopping discloses nothing. It comes back only by a new activation with new approvals.
    pub async fn suspend(
        &self,
        conn: &mut PgConnection,
        agreement_id: &str,
        (by, reason): (&str, &str),
        clock: &dyn Clock,
    ) -> Result<(), Error> {
        if by.trim().is_empty() || reason.trim().is_empty() {
            return Err(Error::Invalid("a suspension names who and why"));
        }
        store::stop(conn, store::Ending::Agreement(agreement_id)).await?;
        let at = clock.now().trunc_subsecs(6);
        store::lock_activations(conn, agreement_id).await?;
        if store::end_activations(conn, agreement_id, at, ("suspended", by, reason, at)).await? == 0 {
            return Err(Error::NotFound("agreement in force"));
        }
        Ok(())
    }

    /// The agreement that is, or was last, in force for a consumer at an instant; `None`: it never had one. Hash and
    /// signatures are verified each time; terms and rules once a version, by their hash. What does not verify is refused.
    pub async fn load_active(
        &self,
        conn: &mut PgConnection,
        consumer: &ConsumerId,
        at: DateTime<Utc>,
    ) -> Result<Option<Arc<InForce>>, Error> {
        let Some(head) = store::find_head(conn, consumer, at).await? else {
            return Ok(None);
        };
        let bounds = (head.suspended_before, head.activated_at);
        let stewards = self
            .stewards
            .verify_two(Act::Activate, head.digest, &head.approvals, bounds.0, bounds.1)
            .map_err(|_| Error::Corrupt("an activation does not bear two valid approvals"))?;
        let plan = self.plan(conn, (&head.agreement_id, head.version), head.digest).await?;
        if plan.terms().consumer != *consumer {
            return Err(Error::Corrupt("an agreement is active for another consumer than its terms name"));
        }
        let ended = match (head.ended_at, head.ended_because.as_deref()) {
            (None, None) => None,
            (Some(ended_at), Some("superseded")) => Some((ended_at, Ended::Superseded)),
            // Whatever else is written there: it has ended.
            (Some(ended_at), _) => Some((ended_at, Ended::Suspended)),
            (None, Some(_)) => return Err(Error::Corrupt("an activation ended at no time")),
        };
        Ok(Some(Arc::new(InForce {
            activated_at: head.activated_at,
            ended,
            approved_by: stewards.map(|steward| steward.id.clone()),
            sandbox_approval: stewards.iter().any(|steward| steward.sandbox),
            certifications: self.certifications(conn, consumer).await?,
            plan,
        })))
    }

    /// The prepared terms of a version: of the digest asked for, or none.
    async fn plan(
        &self,
        conn: &mut PgConnection,
        (agreement_id, version): (&str, i32),
        digest: Digest,
    ) -> Result<Arc<Plan>, Error> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let stored =
            store::find_version(conn, agreement_id, version).await?.ok_or(Error::Corrupt("a version vanished"))?;
        if Digest::of(stored.canonical.as_bytes()) != digest {
            return Err(Error::Corrupt("the terms of a version are not those that were approved"));
        }
        let terms: Terms = read(&stored.canonical)?;
        if terms.id != agreement_id || terms.version != version {
            return Err(Error::Corrupt("a version is filed under another name than its terms state"));
        }
        let mut rows = store::list_terms(conn, agreement_id, version).await?;
        rows.sort_unstable();
        if rows != rule::rows(&terms) {
            return Err(Error::Corrupt("the rules of a version are not those of its terms"));
        }
        let plan = Arc::new(Plan::new(terms, digest));
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS_MAX {
            plans.clear();
        }
        plans.insert(digest, Arc::clone(&plan));
        Ok(plan)
    }

    /// All versions with their activations, for people.
    pub async fn list_versions(&self, conn: &mut PgConnection) -> Result<Vec<VersionSummary>, Error> {
        store::list_versions(conn).await
    }

    /// The terms of a version on file, for people to read: those that its digest is of. Whether anybody signed them is another question.
    pub async fn find_terms(
        &self,
        conn: &mut PgConnection,
        agreement_id: &str,
        version: i32,
    ) -> Result<Option<Terms>, Error> {
        let Some(stored) = store::find_version(conn, agreement_id, version).await? else { return Ok(None) };
        let digest = Digest::from_slice(&stored.digest).ok_or(Error::Corrupt("a digest has not 32 bytes"))?;
        Ok(Some(self.plan(conn, (agreement_id, version), digest).await?.terms().clone()))
    }

    /// Ends a certification, behind whatever is being disclosed on it.
    pub async fn revoke_certification(&self, conn: &mut PgConnection, id: i64, clock: &dyn Clock) -> Result<(), Error> {
        store::stop(conn, store::Ending::Certification(id)).await?;
        found(store::revoke_certification(conn, id, clock.now()).await?, "certification in force")
    }

    /// Settles what a roster reports: what it no longer reports is in force no longer, nor is anything about a child who had an id before; releases
    /// that are new, or reported again, go on file. Called in the transaction that takes the roster.
    pub async fn settle_reported(
        &self,
        conn: &mut PgConnection,
        reported: Reported<'_>,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<Settled, Error> {
        let at = at.trunc_subsecs(6);
        let others: Vec<String> = reported.other_child.iter().cloned().collect();
        let mut revoked = store::revoke_of_clients(conn, reported.consumer, &others, at).await?;
        let on_file = store::list_reported(conn, reported.consumer, REPORTED, at).await?;
        let (gone, stated) = reported::compare(&reported, &on_file);
        revoked += store::revoke_instruments(conn, &gone, at).await?;
        let mut papers: Vec<NewInstrument> = stated.into_iter().cloned().collect();
        let mut new: Vec<NewInstrument> = Vec::new();
        // A paper that was taken back counts again from then on; one that ended meanwhile is no more.
        while !papers.is_empty() {
            let digests = papers.iter().map(NewInstrument::digest).collect::<Result<Vec<_>, _>>()?;
            let mut known = store::list_standing(conn, &digests).await?;
            let mut again = Vec::new();
            for (mut paper, digest) in papers.into_iter().zip(digests) {
                match known.remove(&digest) {
                    None => new.push(paper),
                    Some(Some(taken_back)) if paper.in_force.to.is_none_or(|to| taken_back.max(at) < to) => {
                        paper.in_force.from = taken_back.max(paper.in_force.from + TimeDelta::microseconds(1));
                        again.push(paper);
                    }
                    Some(_) => {}
                }
            }
            papers = again;
        }
        let (orders, releases): (Vec<_>, Vec<_>) = new.into_iter().partition(|paper| paper.kind.needs_approval());
        let filed = self.record_releases(conn, &releases, by, at).await?;
        let (mut approved, mut waiting) = (0, Vec::new());
        for order in orders {
            if self.settle_order(conn, &order, by, at).await? {
                approved += 1;
            } else {
                waiting.push(order);
            }
        }
        Ok(Settled { filed, approved, revoked, orders: waiting })
    }

    /// Puts a reported order on file if two stewards have approved it; else the request for it, so that they can. An approval counts from the next roster
    /// that reports the order: one that is reported no longer opens nothing, however many sign it.
    async fn settle_order(
        &self,
        conn: &mut PgConnection,
        order: &NewInstrument,
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        if order.in_force.to.is_some_and(|to| to <= at) {
            return Ok(false);
        }
        let digest = self.file_paper(conn, order, at).await?;
        let act = Act::RecordInstrument;
        let approvals = store::list_approvals(conn, act, digest).await?;
        let Ok((first, second)) = self.two(act, digest, &approvals, None, at) else { return Ok(false) };
        self.record_order(conn, order, &[first.clone(), second.clone()], by, at).await?;
        Ok(true)
    }

    /// Puts releases on file; those already there are passed over. Returns how many are new.
    pub async fn record_releases(
        &self,
        conn: &mut PgConnection,
        releases: &[NewInstrument],
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let mut rows = Vec::with_capacity(releases.len());
        for release in releases {
            if release.kind.needs_approval() {
                return Err(Error::Invalid("a court order or emergency needs two approvals"));
            }
            release.check()?;
            rows.push((release, release.digest()?));
        }
        let vouched: Vec<Option<Vec<u8>>> =
            rows.iter().map(|(_, digest)| self.release_key()?.over(*digest, by, at)).collect();
        store::insert_releases(conn, &rows, &vouched, by, at).await
    }

    /// Puts a court order or emergency on file that two stewards approved. The same paper again changes nothing.
    pub async fn record_order(
        &self,
        conn: &mut PgConnection,
        order: &NewInstrument,
        approvals: &[Approval; 2],
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        order.check()?;
        let at = at.trunc_subsecs(6);
        let digest = order.digest()?;
        let act = Act::RecordInstrument;
        let stewards = self.stewards.verify_two(act, digest, approvals, None, at)?;
        for (approval, steward) in approvals.iter().zip(stewards) {
            store::insert_approval(conn, (act, digest), approval, steward.sandbox).await?;
        }
        store::insert_order(conn, order, digest, approvals, (by, at)).await?;
        // Where a request for it is on file, it has served.
        let used_for =
            Uuid::from_u128(digest.0.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte)));
        store::request::mark_used(conn, digest, used_for, at).await?;
        Ok(())
    }

    /// Ends a release, order or emergency, named by its digest, behind whatever is being disclosed on it.
    pub async fn revoke_instrument(
        &self,
        conn: &mut PgConnection,
        digest: Digest,
        clock: &dyn Clock,
    ) -> Result<(), Error> {
        store::stop(conn, store::Ending::Paper(digest)).await?;
        found(store::revoke_instrument(conn, digest, clock.now()).await?, "release or order in force")
    }

    /// The papers about clients of a consumer, by the consumer's own person id; a client without papers is absent. An order
    /// that does not bear two valid approvals is refused, and with it everything: somebody wrote it past the program.
    pub async fn load_instruments(
        &self,
        conn: &mut PgConnection,
        consumer: &ConsumerId,
        person_keys: &[String],
    ) -> Result<BTreeMap<String, Vec<Instrument>>, Error> {
        let mut by_person = BTreeMap::<String, Vec<Instrument>>::new();
        for row in store::list_instruments(conn, consumer, person_keys).await? {
            let kind: InstrumentKind = row.kind.parse().map_err(|_| Error::Corrupt("a paper is of an unknown kind"))?;
            let ends = [row.valid_to, row.revoked_at].into_iter().flatten().min();
            if kind.needs_approval() {
                self.verify_order(consumer, kind, &row)?;
            }
            let in_force = Interval { from: row.valid_from, to: ends };
            let paper = Paper { reference: Masked::new(row.reference), reason: Masked::new(row.reason) };
            let instrument = Instrument { kind, in_force, paper: Arc::new(paper) };
            by_person.entry(row.person_key).or_default().push(instrument);
        }
        Ok(by_person)
    }

    fn verify_order(
        &self,
        consumer: &ConsumerId,
        kind: InstrumentKind,
        row: &store::InstrumentRow,
    ) -> Result<(), Error> {
        let said = NewInstrument {
            kind,
            consumer: consumer.clone(),
            person_key: Masked::new(row.person_key.clone()),
            reference: row.reference.clone(),
            reason: row.reason.clone(),
            in_force: Interval { from: row.valid_from, to: row.valid_to },
        };
        let digest = said.digest()?;
        let refused = Error::Corrupt("a court order or emergency does not bear two valid approvals");
        let Some(approvals) = row.approvals.as_ref().filter(|_| row.digest == digest.0) else {
            return Err(refused);
        };
        self.stewards
            .verify_two(Act::RecordInstrument, digest, approvals, None, row.recorded_at)
            .map_err(|_| refused)?;
        Ok(())
    }
}

fn found(found: bool, what: &'static str) -> Result<(), Error> {
    if found { Ok(()) } else { Err(Error::NotFound(what)) }
}
