//! All SQL of agreements. No rules: what the rows mean is decided elsewhere.

pub(crate) mod audit;
pub(crate) mod closings;
pub(crate) mod opening;
pub(crate) mod request;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::{PgConnection, types::Json};

use crate::{
    Error,
    approval::{Act, Approval},
    canonical::Digest,
    evidence::{NewCertification, NewInstrument},
    interval::Interval,
    reported::OnFile,
    rule::RuleRow,
};

type Instant = DateTime<Utc>;

/// What is about to end.
#[derive(Clone, Copy)]
pub(crate) enum Ending<'a> {
    /// An agreement, or the version of it that is in force.
    Agreement(&'a str),
    /// A recipient's certification.
    Certification(i64),
    /// A release, order or emergency.
    Paper(Digest),
}

/// Waits until nothing is being disclosed to the recipient, and keeps anything from being disclosed to it until the transaction ends: what ends in it
/// is looked at by every disclosure that commits later. Disclosures hold the same lock, shared.
pub(crate) async fn stop(conn: &mut PgConnection, ending: Ending<'_>) -> Result<(), Error> {
    let (agreement, certification, paper) = match ending {
        Ending::Agreement(id) => (Some(id), None, None),
        Ending::Certification(id) => (None, Some(id), None),
        Ending::Paper(digest) => (None, None, Some(digest.0)),
    };
    sqlx::query!(
        r#"-- agreements.stop
        SELECT pg_advisory_xact_lock(hashtextextended('agreements.' || w.consumer, 0)) AS "held!: ()"
        FROM (
            SELECT v.consumer FROM agreements.version AS v WHERE v.agreement_id = $1
            UNION
            SELECT c.consumer FROM agreements.certification AS c WHERE c.certification_id = $2
            UNION
            SELECT i.consumer FROM agreements.instrument AS i WHERE i.digest = $3
            ORDER BY consumer
        ) AS w"#,
        agreement,
        certification,
        paper.as_ref().map(<[u8; 32]>::as_slice)
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

fn digest(bytes: &[u8]) -> Result<Digest, Error> {
    Digest::from_slice(bytes).ok_or(Error::Corrupt("a digest has not 32 bytes"))
}

/// A version to be stored.
pub(crate) struct NewVersion<'a> {
    pub(crate) agreement_id: &'a str,
    pub(crate) version: i32,
    pub(crate) consumer: &'a ConsumerId,
    pub(crate) document: &'a str,
    pub(crate) canonical: &'a str,
    pub(crate) digest: Digest,
    pub(crate) time_zone: &'a str,
    pub(crate) validity: Interval,
}

/// Stores a version unless there is one of this number. Tells whether it did.
pub(crate) async fn insert_version(conn: &mut PgConnection, new: &NewVersion<'_>, at: Instant) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- agreements.insert_version
        INSERT INTO agreements.version (agreement_id, version, consumer, document, canonical, digest, time_zone,
            valid_from, valid_to, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (agreement_id, version) DO NOTHING",
        new.agreement_id,
        new.version,
        new.consumer.as_str(),
        new.document,
        new.canonical,
        new.digest.0.as_slice(),
        new.time_zone,
        new.validity.from,
        new.validity.to,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(crate) async fn insert_terms(
    conn: &mut PgConnection,
    agreement_id: &str,
    version: i32,
    rows: &[RuleRow],
) -> Result<(), Error> {
    let done = sqlx::query!(
        "-- agreements.insert_terms
        INSERT INTO agreements.term (agreement_id, version, clause, domain, legal_basis, basis_rank, purposes, deliveries,
            elements, school_year_from, school_year_to, max_age_years, exclude_kinds, requires_authority,
            requires_pre_adjudication, requires_certification, ends_at_majority, evidence)
        SELECT $1, $2, r.clause, r.domain, r.legal_basis, r.basis_rank, r.purposes, r.deliveries, r.elements,
            r.school_year_from, r.school_year_to, r.max_age_years, r.exclude_kinds, r.requires_authority,
            r.requires_pre_adjudication, r.requires_certification, r.ends_at_majority, r.evidence
        FROM jsonb_to_recordset($3) AS r (clause text, domain smallint, legal_basis text, basis_rank smallint,
            purposes text[], deliveries text[], elements text[], school_year_from smallint, school_year_to smallint,
            max_age_years smallint, exclude_kinds text[], requires_authority boolean, requires_pre_adjudication boolean,
            requires_certification boolean, ends_at_majority boolean, evidence text)",
        agreement_id,
        version,
        Json(rows) as _
    )
    .execute(conn)
    .await?;
    if done.rows_affected() == rows.len() as u64 { Ok(()) } else { Err(Error::Corrupt("not every rule was stored")) }
}

/// A stored version.
pub(crate) struct VersionRow {
    pub(crate) consumer: String,
    pub(crate) document: String,
    pub(crate) canonical: String,
    pub(crate) digest: Vec<u8>,
    pub(crate) valid_from: Instant,
}

pub(crate) async fn find_version(
    conn: &mut PgConnection,
    agreement_id: &str,
    version: i32,
) -> Result<Option<VersionRow>, Error> {
    Ok(sqlx::query_as!(
        VersionRow,
        "-- agreements.find_version
        SELECT consumer, document, canonical, digest, valid_from
        FROM agreements.version
        WHERE agreement_id = $1 AND version = $2",
        agreement_id,
        version
    )
    .fetch_optional(conn)
    .await?)
}

pub(crate) async fn list_terms(
    conn: &mut PgConnection,
    agreement_id: &str,
    version: i32,
) -> Result<Vec<RuleRow>, Error> {
    Ok(sqlx::query_as!(
        RuleRow,
        "-- agreements.list_terms
        SELECT clause, domain, legal_basis, basis_rank, purposes, deliveries, elements, school_year_from, school_year_to,
            max_age_years, exclude_kinds, requires_authority, requires_pre_adjudication, requires_certification,
            ends_at_majority, evidence
        FROM agreements.term
        WHERE agreement_id = $1 AND version = $2",
        agreement_id,
        version
    )
    .fetch_all(conn)
    .await?)
}

pub(crate) async fn insert_approval(
    conn: &mut PgConnection,
    (act, digest): (Act, Digest),
    approval: &Approval,
    sandbox: bool,
) -> Result<(), Error> {
    sqlx::query!(
        "-- agreements.insert_approval
        INSERT INTO agreements.approval (digest, act, steward, given_at, signature, sandbox)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (digest, act, steward, given_at) DO NOTHING",
        digest.0.as_slice(),
        act.as_str(),
        approval.steward,
        approval.given_at,
        approval.signature.as_slice(),
        sandbox
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn approval(steward: String, given_at: Instant, signature: &[u8]) -> Result<Approval, Error> {
    let signature = signature.try_into().map_err(|_| Error::Corrupt("a signature has not 64 bytes"))?;
    Ok(Approval { steward, given_at, signature })
}

pub(crate) async fn list_approvals(conn: &mut PgConnection, act: Act, digest: Digest) -> Result<Vec<Approval>, Error> {
    sqlx::query!(
        "-- agreements.list_approvals
        SELECT steward, given_at, signature
        FROM agreements.approval
        WHERE digest = $1 AND act = $2
        ORDER BY given_at, steward",
        digest.0.as_slice(),
        act.as_str()
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| approval(row.steward, row.given_at, &row.signature))
    .collect()
}

/// Where an agreement's activations stand.
pub(crate) struct ActivationState {
    /// The version not ended yet.
    pub(crate) open_version: Option<i32>,
    /// When that one came, or comes, into force.
    pub(crate) open_since: Option<Instant>,
    /// When the agreement was last suspended.
    pub(crate) suspended_at: Option<Instant>,
}

/// The canonical forms of all versions in force at an instant, or to come.
pub(crate) async fn list_open(conn: &mut PgConnection, at: Instant) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar!(
        "-- agreements.list_open
        SELECT v.canonical
        FROM agreements.activation AS a
        JOIN agreements.version AS v ON v.agreement_id = a.agreement_id AND v.version = a.version
        WHERE a.ended_at IS NULL OR a.ended_at > $1
        ORDER BY a.activation_id",
        at
    )
    .fetch_all(conn)
    .await?)
}

/// Locks the agreement's activations against a concurrent act.
pub(crate) async fn lock_activations(conn: &mut PgConnection, agreement_id: &str) -> Result<ActivationState, Error> {
    let rows = sqlx::query!(
        "-- agreements.lock_activations
        SELECT version, activated_at, ended_at, ended_because, end_recorded_at
        FROM agreements.activation
        WHERE agreement_id = $1
        ORDER BY activation_id
        FOR UPDATE",
        agreement_id
    )
    .fetch_all(conn)
    .await?;
    let mut state = ActivationState { open_version: None, open_since: None, suspended_at: None };
    for row in rows {
        if row.ended_at.is_none() {
            state.open_version = Some(row.version);
            state.open_since = Some(row.activated_at);
        } else if row.ended_because.as_deref() == Some("suspended") {
            state.suspended_at = state.suspended_at.max(row.end_recorded_at);
        }
    }
    Ok(state)
}

/// Ends what of an agreement is still in force, or will be, after `at`. Returns how many activations it ended.
pub(crate) async fn end_activations(
    conn: &mut PgConnection,
    agreement_id: &str,
    at: Instant,
    (because, by, reason, recorded_at): (&str, &str, &str, Instant),
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- agreements.end_activations
        UPDATE agreements.activation
        SET ended_at = GREATEST(activated_at, $2), ended_because = $3, ended_by = $4, end_reason = $5, end_recorded_at = $6
        WHERE agreement_id = $1 AND (ended_at IS NULL OR ended_at > GREATEST(activated_at, $2))",
        agreement_id,
        at,
        because,
        by,
        reason,
        recorded_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn insert_activation(
    conn: &mut PgConnection,
    (agreement_id, version): (&str, i32),
    consumer: &str,
    digest: Digest,
    [first, second]: [&Approval; 2],
    activated_at: Instant,
) -> Result<(), Error> {
    sqlx::query!(
        "-- agreements.insert_activation
        INSERT INTO agreements.activation (agreement_id, version, consumer, digest, first_steward, first_given_at,
            second_steward, second_given_at, activated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        agreement_id,
        version,
        consumer,
        digest.0.as_slice(),
        first.steward,
        first.given_at,
        second.steward,
        second.given_at,
        activated_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The activation that is, or was last, in force for a consumer.
pub(crate) struct Head {
    pub(crate) agreement_id: String,
    pub(crate) version: i32,
    pub(crate) digest: Digest,
    pub(crate) activated_at: Instant,
    pub(crate) ended_at: Option<Instant>,
    pub(crate) ended_because: Option<String>,
    pub(crate) approvals: [Approval; 2],
    /// When the agreement was last suspended before this activation. The suspension that ended this one, and with it
    /// others, is not before it.
    pub(crate) suspended_before: Option<Instant>,
}

pub(crate) async fn find_head(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    at: Instant,
) -> Result<Option<Head>, Error> {
    let row = sqlx::query!(
        r#"-- agreements.find_head
        SELECT a.agreement_id, a.version, a.digest, a.activated_at, a.ended_at, a.ended_because,
            p.steward AS first_steward, p.given_at AS first_given_at, p.signature AS first_signature,
            q.steward AS second_steward, q.given_at AS second_given_at, q.signature AS second_signature,
            (SELECT max(x.end_recorded_at)
                FROM agreements.activation AS x
                WHERE x.agreement_id = a.agreement_id AND x.ended_because = 'suspended'
                    AND x.activation_id < a.activation_id
                    AND x.end_recorded_at IS DISTINCT FROM a.end_recorded_at) AS suspended_before
        FROM agreements.activation AS a
        JOIN agreements.approval AS p ON p.digest = a.digest AND p.act = a.act AND p.steward = a.first_steward
            AND p.given_at = a.first_given_at
        JOIN agreements.approval AS q ON q.digest = a.digest AND q.act = a.act AND q.steward = a.second_steward
            AND q.given_at = a.second_given_at
        WHERE a.consumer = $1 AND a.activated_at <= $2
        ORDER BY a.activated_at DESC, a.activation_id DESC
        LIMIT 1"#,
        consumer.as_str(),
        at
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Head {
            digest: digest(&row.digest)?,
            approvals: [
                approval(row.first_steward, row.first_given_at, &row.first_signature)?,
                approval(row.second_steward, row.second_given_at, &row.second_signature)?,
            ],
            agreement_id: row.agreement_id,
            version: row.version,
            activated_at: row.activated_at,
            ended_at: row.ended_at,
            ended_because: row.ended_because,
            suspended_before: row.suspended_before,
        })
    })
    .transpose()
}

/// Every version with its activations, for people.
pub(crate) async fn list_versions(conn: &mut PgConnection) -> Result<Vec<crate::VersionSummary>, Error> {
    sqlx::query!(
        r#"-- agreements.list_versions
        SELECT v.agreement_id, v.version, v.consumer, v.digest, v.valid_from, v.valid_to,
            a.activated_at AS "activated_at?", a.ended_at, a.ended_because, a.ended_by, a.end_reason
        FROM agreements.version AS v
        LEFT JOIN agreements.activation AS a ON a.agreement_id = v.agreement_id AND a.version = v.version
        ORDER BY v.consumer, v.agreement_id, v.version, a.activation_id"#
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(crate::VersionSummary {
            agreement_id: row.agreement_id,
            version: row.version,
            consumer: row.consumer.try_into().map_err(|_| Error::Corrupt("a consumer has no legal name"))?,
            digest: digest(&row.digest)?,
            validity: Interval { from: row.valid_from, to: row.valid_to },
            activated_at: row.activated_at,
            ended_at: row.ended_at,
            ended_because: row.ended_because,
            ended_by: row.ended_by,
            end_reason: row.end_reason,
        })
    })
    .collect()
}

/// A certification on file.
pub(crate) struct CertificationRow {
    pub(crate) id: i64,
    pub(crate) said: NewCertification,
    pub(crate) revoked_at: Option<Instant>,
    pub(crate) recorded_at: Instant,
}

/// The certifications of a recipient, or of all.
pub(crate) async fn list_certifications(
    conn: &mut PgConnection,
    consumer: Option<&ConsumerId>,
) -> Result<Vec<CertificationRow>, Error> {
    sqlx::query!(
        "-- agreements.list_certifications
        SELECT c.certification_id, c.consumer, c.holder, c.reference, c.valid_from, c.valid_to, c.revoked_at, c.recorded_at
        FROM agreements.certification AS c
        WHERE $1::text IS NULL OR c.consumer = $1
        ORDER BY c.certification_id",
        consumer.map(ConsumerId::as_str)
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(CertificationRow {
            id: row.certification_id,
            said: NewCertification {
                consumer: row.consumer.parse().map_err(|_| Error::Corrupt("a certification is nobody's"))?,
                holder: row.holder,
                reference: row.reference,
                in_force: Interval { from: row.valid_from, to: row.valid_to },
            },
            revoked_at: row.revoked_at,
            recorded_at: row.recorded_at,
        })
    })
    .collect()
}

/// Puts a certification on file, or finds it there. Returns its id.
pub(crate) async fn insert_certification(
    conn: &mut PgConnection,
    new: &NewCertification,
    by: &str,
    at: Instant,
) -> Result<i64, Error> {
    sqlx::query_scalar!(
        r#"-- agreements.insert_certification
        WITH added AS (
            INSERT INTO agreements.certification (consumer, holder, reference, valid_from, valid_to, recorded_by, recorded_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (consumer, reference, valid_from) DO NOTHING
            RETURNING certification_id
        )
        SELECT certification_id AS "id!" FROM added
        UNION ALL
        SELECT certification_id
        FROM agreements.certification
        WHERE consumer = $1 AND reference = $3 AND valid_from = $4 AND holder = $2 AND valid_to IS NOT DISTINCT FROM $5"#,
        new.consumer.as_str(),
        new.holder,
        new.reference,
        new.in_force.from,
        new.in_force.to,
        by,
        at
    )
    .fetch_optional(conn)
    .await?
    .ok_or(Error::Conflict("a certification under this reference says something else"))
}

pub(crate) async fn revoke_certification(conn: &mut PgConnection, id: i64, at: Instant) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- agreements.revoke_certification
        UPDATE agreements.certification SET revoked_at = $2
        WHERE certification_id = $1 AND (revoked_at IS NULL OR revoked_at > $2)",
        id,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts releases on file; those that are there already are passed over. Returns how many are new.
pub(crate) async fn insert_releases(
    conn: &mut PgConnection,
    new: &[(&NewInstrument, Digest)],
    vouched: &[Option<Vec<u8>>],
    by: &str,
    at: Instant,
) -> Result<u64, Error> {
    fn column<'a, T>(new: &[(&'a NewInstrument, Digest)], pick: impl Fn(&'a NewInstrument) -> T) -> Vec<T> {
        new.iter().map(|(one, _)| pick(one)).collect()
    }
    let done = sqlx::query!(
        "-- agreements.insert_releases
        INSERT INTO agreements.instrument (consumer, person_key, kind, reference, reason, valid_from, valid_to, digest,
            recorded_by, recorded_at, vouched)
        SELECT r.consumer, r.person_key, r.kind, r.reference, r.reason, r.valid_from, r.valid_to, r.digest, $9, $10, r.vouched
        FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
            $8::bytea[], $11::bytea[]) AS r (consumer, person_key, kind, reference, reason, valid_from, valid_to, digest, vouched)
        ON CONFLICT (digest) DO NOTHING",
        &column(new, |one| one.consumer.as_str().to_owned()),
        &column(new, |one| one.person_key.expose().clone()),
        &column(new, |one| one.kind.as_str().to_owned()),
        &column(new, |one| one.reference.clone()),
        &column(new, |one| one.reason.clone()),
        &column(new, |one| one.in_force.from),
        &column(new, |one| one.in_force.to) as &[Option<Instant>],
        &new.iter().map(|(_, digest)| digest.0.to_vec()).collect::<Vec<_>>(),
        by,
        at,
        vouched as &[Option<Vec<u8>>]
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Puts an approved order or emergency on file. Returns its id, or `None` if it is there already.
pub(crate) async fn insert_order(
    conn: &mut PgConnection,
    new: &NewInstrument,
    digest: Digest,
    [first, second]: &[Approval; 2],
    (by, at): (&str, Instant),
) -> Result<Option<i64>, Error> {
    Ok(sqlx::query_scalar!(
        "-- agreements.insert_order
        INSERT INTO agreements.instrument (consumer, person_key, kind, reference, reason, valid_from, valid_to, digest,
            first_steward, first_given_at, second_steward, second_given_at, recorded_by, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (digest) DO NOTHING
        RETURNING instrument_id",
        new.consumer.as_str(),
        new.person_key.expose(),
        new.kind.as_str(),
        new.reference,
        new.reason,
        new.in_force.from,
        new.in_force.to,
        digest.0.as_slice(),
        first.steward,
        first.given_at,
        second.steward,
        second.given_at,
        by,
        at
    )
    .fetch_optional(conn)
    .await?)
}

pub(crate) async fn revoke_instrument(conn: &mut PgConnection, digest: Digest, at: Instant) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- agreements.revoke_instrument
        UPDATE agreements.instrument SET revoked_at = $2
        WHERE digest = $1 AND (revoked_at IS NULL OR revoked_at > $2)",
        digest.0.as_slice(),
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends papers, named by their digests. Returns how many were in force.
pub(crate) async fn revoke_instruments(conn: &mut PgConnection, digests: &[Digest], at: Instant) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- agreements.revoke_instruments
        UPDATE agreements.instrument SET revoked_at = $2 WHERE digest = ANY ($1) AND revoked_at IS NULL",
        &digests.iter().map(|digest| digest.0.to_vec()).collect::<Vec<_>>(),
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Ends every paper about these clients, whoever put it on file. Returns how many were in force.
pub(crate) async fn revoke_of_clients(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    at: Instant,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- agreements.revoke_of_clients
        UPDATE agreements.instrument SET revoked_at = $3
        WHERE consumer = $1 AND person_key = ANY ($2) AND revoked_at IS NULL AND (valid_to IS NULL OR valid_to > $3)",
        consumer.as_str(),
        person_keys,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The papers in force, or to be in force, that rosters reported.
pub(crate) async fn list_reported(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    reason: &str,
    at: Instant,
) -> Result<Vec<OnFile>, Error> {
    sqlx::query!(
        "-- agreements.list_reported
        SELECT i.digest, i.person_key, i.kind, i.reference, i.valid_from, i.valid_to
        FROM agreements.instrument AS i
        WHERE i.consumer = $1 AND i.reason = $2 AND i.revoked_at IS NULL AND (i.valid_to IS NULL OR i.valid_to > $3)",
        consumer.as_str(),
        reason,
        at
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        Ok(OnFile {
            digest: digest(&row.digest)?,
            person_key: row.person_key,
            kind: row.kind,
            reference: row.reference,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
        })
    })
    .collect()
}

/// Those of these papers that are on file, and when they were taken back, if they were.
pub(crate) async fn list_standing(
    conn: &mut PgConnection,
    digests: &[Digest],
) -> Result<HashMap<Digest, Option<Instant>>, Error> {
    sqlx::query!(
        "-- agreements.list_standing
        SELECT i.digest, i.revoked_at FROM agreements.instrument AS i WHERE i.digest = ANY ($1)",
        &digests.iter().map(|digest| digest.0.to_vec()).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| Ok((digest(&row.digest)?, row.revoked_at)))
    .collect()
}

/// A paper as stored.
pub(crate) struct InstrumentRow {
    pub(crate) person_key: String,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) reason: String,
    pub(crate) valid_from: Instant,
    pub(crate) valid_to: Option<Instant>,
    pub(crate) revoked_at: Option<Instant>,
    pub(crate) recorded_at: Instant,
    pub(crate) digest: Vec<u8>,
    pub(crate) approvals: Option<[Approval; 2]>,
}

/// All papers about these clients, the ended ones included.
pub(crate) async fn list_instruments(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
) -> Result<Vec<InstrumentRow>, Error> {
    sqlx::query!(
        r#"-- agreements.list_instruments
        SELECT i.person_key, i.kind, i.reference, i.reason, i.valid_from, i.valid_to, i.revoked_at, i.recorded_at, i.digest,
            p.steward AS "first_steward?", p.given_at AS "first_given_at?", p.signature AS "first_signature?",
            q.steward AS "second_steward?", q.given_at AS "second_given_at?", q.signature AS "second_signature?"
        FROM agreements.instrument AS i
        LEFT JOIN agreements.approval AS p ON p.digest = i.digest AND p.act = i.act AND p.steward = i.first_steward
            AND p.given_at = i.first_given_at
        LEFT JOIN agreements.approval AS q ON q.digest = i.digest AND q.act = i.act AND q.steward = i.second_steward
            AND q.given_at = i.second_given_at
        WHERE i.consumer = $1 AND i.person_key = ANY ($2)
        ORDER BY i.instrument_id"#,
        consumer.as_str(),
        person_keys
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|row| {
        let first = row.first_steward.zip(row.first_given_at).zip(row.first_signature);
        let second = row.second_steward.zip(row.second_given_at).zip(row.second_signature);
        let approvals = first
            .zip(second)
            .map(|(((a, a_at), a_signed), ((b, b_at), b_signed))| {
                Ok::<_, Error>([approval(a, a_at, &a_signed)?, approval(b, b_at, &b_signed)?])
            })
            .transpose()?;
        Ok(InstrumentRow {
            person_key: row.person_key,
            kind: row.kind,
            reference: row.reference,
            reason: row.reason,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            revoked_at: row.revoked_at,
            recorded_at: row.recorded_at,
            digest: row.digest,
            approvals,
        })
    })
    .collect()
}
