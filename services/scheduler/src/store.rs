//! All SQL of jobs.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Due, Error, Job, Patience, Pause, State, Taken};

macro_rules! job {
    ($row:ident) => {
        Job {
            name: $row.name,
            day: $row.day,
            due_at: $row.due_at,
            state: state(&$row.state)?,
            attempts: $row.attempts,
            next_at: $row.next_at,
            begun_at: $row.begun_at,
            leased_until: $row.leased_until,
            ended_at: $row.ended_at,
            said: $row.said,
        }
    };
}

const fn code(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Running => "running",
        State::Done => "done",
        State::GivenUp => "given_up",
    }
}

fn state(code: &str) -> Result<State, Error> {
    match code {
        "waiting" => Ok(State::Waiting),
        "running" => Ok(State::Running),
        "done" => Ok(State::Done),
        "given_up" => Ok(State::GivenUp),
        other => Err(Error::Corrupt(format!("the state {other}"))),
    }
}

/// Puts a day's work on the list, once. Work of earlier days that nobody has begun is taken off: the last brings everything.
pub async fn plan(conn: &mut PgConnection, name: &str, due: Due) -> Result<(), Error> {
    sqlx::query!(
        "-- scheduler.plan
        WITH planned AS (
            INSERT INTO scheduler.job (name, day, due_at, state, attempts, next_at) VALUES ($1, $2, $3, 'waiting', 0, $3)
            ON CONFLICT (name, day) DO NOTHING
        )
        DELETE FROM scheduler.job AS j WHERE j.name = $1 AND j.day < $2 AND j.state = 'waiting'",
        name,
        due.day,
        due.at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes work that waits and may be taken, or whose lease has run out; nothing of what is paused. Two who ask at once take different work.
pub async fn take(
    conn: &mut PgConnection,
    lease: Uuid,
    patience: &Patience,
    now: DateTime<Utc>,
) -> Result<Option<Taken>, Error> {
    let until = now + TimeDelta::from_std(patience.lease).unwrap_or(TimeDelta::MAX);
    let row = sqlx::query!(
        "-- scheduler.take
        UPDATE scheduler.job AS j SET state = 'running', attempts = j.attempts + 1, lease = $1, leased_until = $2, begun_at = $3, ended_at = NULL
        FROM (
            SELECT w.name, w.day FROM scheduler.job AS w
            WHERE ((w.state = 'waiting' AND w.next_at <= $3) OR (w.state = 'running' AND w.leased_until <= $3))
                AND NOT EXISTS (SELECT FROM scheduler.pause AS p WHERE p.name = w.name)
                AND NOT EXISTS (SELECT FROM scheduler.job AS o WHERE o.name = w.name AND o.day <> w.day AND o.state = 'running'
                    AND o.leased_until > $3)
            ORDER BY w.due_at, w.name
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        ) AS t
        WHERE j.name = t.name AND j.day = t.day
        RETURNING j.name, j.day, j.due_at, j.state, j.attempts, j.next_at, j.begun_at, j.leased_until, j.ended_at, j.said",
        lease,
        until,
        now,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok(Taken { job: job!(row), lease })).transpose()
}

/// Renews a lease; says whether it still held.
pub async fn renew(
    conn: &mut PgConnection,
    taken: &Taken,
    patience: &Patience,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let until = now + TimeDelta::from_std(patience.lease).unwrap_or(TimeDelta::MAX);
    let done = sqlx::query!(
        "-- scheduler.renew
        UPDATE scheduler.job AS j SET leased_until = GREATEST(j.leased_until, $2) WHERE j.lease = $1 AND j.state = 'running'",
        taken.lease,
        until,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes how work under a lease ended; says whether the lease still held.
pub(crate) async fn end(
    conn: &mut PgConnection,
    lease: Uuid,
    (state, next): (State, DateTime<Utc>),
    said: &str,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- scheduler.end
        UPDATE scheduler.job AS j SET state = $2, next_at = $3, said = $4, ended_at = $5, lease = NULL, leased_until = NULL
        WHERE j.lease = $1 AND j.state = 'running'",
        lease,
        code(state),
        next,
        said,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Work that failed, was given up, or waits is to be taken now; work that is done stays done.
pub async fn retry(
    conn: &mut PgConnection,
    name: &str,
    day: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Result<NaiveDate, Error> {
    let day = sqlx::query_scalar!(
        "-- scheduler.retry
        UPDATE scheduler.job AS j SET state = 'waiting', attempts = 0, next_at = $3, lease = NULL, leased_until = NULL
        WHERE j.name = $1 AND (j.state IN ('waiting', 'given_up') OR (j.state = 'running' AND j.leased_until <= $3))
            AND j.day = COALESCE($2, (SELECT max(l.day) FROM scheduler.job AS l WHERE l.name = $1))
        RETURNING j.day",
        name,
        day,
        now,
    )
    .fetch_optional(conn)
    .await?;
    day.ok_or(Error::NotFound)
}

/// The last work of each name, at most so many of each, the newest first.
pub async fn list(conn: &mut PgConnection, each_max: i64) -> Result<Vec<Job>, Error> {
    let rows = sqlx::query!(
        r#"-- scheduler.list
        SELECT l.name AS "name!", l.day AS "day!", l.due_at AS "due_at!", l.state AS "state!", l.attempts AS "attempts!", l.next_at AS "next_at!",
            l.begun_at, l.leased_until, l.ended_at, l.said
        FROM (
            SELECT j.name, j.day, j.due_at, j.state, j.attempts, j.next_at, j.begun_at, j.leased_until, j.ended_at, j.said,
                row_number() OVER (PARTITION BY j.name ORDER BY j.day DESC) AS place
            FROM scheduler.job AS j
        ) AS l
        WHERE l.place <= $1
        ORDER BY l.name, l.day DESC"#,
        each_max,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok(job!(row))).collect()
}

/// Stops a job: what is under way goes on, nothing more is taken.
pub async fn pause(conn: &mut PgConnection, pause: &Pause) -> Result<(), Error> {
    sqlx::query!(
        "-- scheduler.pause
        INSERT INTO scheduler.pause (name, by, reason, since) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE SET by = EXCLUDED.by, reason = EXCLUDED.reason, since = EXCLUDED.since",
        pause.name,
        pause.by,
        pause.reason,
        pause.since,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets a job go on; says whether it was stopped.
pub async fn resume(conn: &mut PgConnection, name: &str) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- scheduler.resume
        DELETE FROM scheduler.pause AS p WHERE p.name = $1",
        name,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is stopped.
pub async fn list_pauses(conn: &mut PgConnection) -> Result<Vec<Pause>, Error> {
    Ok(sqlx::query_as!(
        Pause,
        "-- scheduler.list_pauses
        SELECT p.name, p.by, p.reason, p.since FROM scheduler.pause AS p ORDER BY p.name",
    )
    .fetch_all(conn)
    .await?)
}
