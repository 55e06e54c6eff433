//! Which source persons are one student: merge, unmerge, re-link, and taking each of them back.
//!
//! A move touches the crosswalk and the decisions that rest on it, never a fact. Whoever joined two children into one, or kept one child
//! apart, is named with the reason, and the populations that follow are rebuilt in the same transaction. Where a student proves to be two,
//! nobody's client is taken for either of them until a person has said which.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{BatchId, ConsumerId, Masked, Sea, SourcePersonId, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error,
    persons::{list_said, unlike},
    population::rebuild,
    store::{
        crosswalk::{self as store, LinkRow, MoveRow},
        matches::supersede_decisions,
        rosters::lock_consumer,
    },
};

/// Who decides, why and when.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    /// Who.
    pub by: &'a str,
    /// Why, in words.
    pub reason: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

impl Author<'_> {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.by.trim().is_empty() || self.reason.trim().is_empty() {
            return Err(Error::Precondition("a decision names who decides and why"));
        }
        Ok(())
    }
}

/// Source persons who would become one child with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joining {
    /// The student they leave.
    pub from: StudentId,
    /// The student they become.
    pub to: StudentId,
    /// Who moves, in the order of their numbers.
    pub persons: Vec<SourcePersonId>,
    /// Whom they join, in the order of their numbers.
    pub with: Vec<SourcePersonId>,
    /// In what no two records of theirs agree, or what differs too clearly in some; empty: they are certainly one child.
    pub differ: Vec<&'static str>,
}

/// On whose word children are joined.
#[derive(Clone, Copy, Debug)]
pub enum Sanction<'a> {
    /// One steward's: only what the records themselves say with certainty.
    One,
    /// Two stewards', who signed exactly this; whoever says so has verified the signatures.
    Two(&'a Joining),
}

/// What a move did.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Its number: by it the move is taken back.
    pub id: i64,
    /// The student they left.
    pub from: StudentId,
    /// The student they are of now.
    pub to: StudentId,
    /// The source persons that moved.
    pub persons: Vec<SourcePersonId>,
    /// All source persons of the student they are of now: a restriction on one of them holds for all.
    pub together: Vec<SourcePersonId>,
    /// Clients who were matched with either student before.
    pub links: Vec<Link>,
    /// Since when what was disclosed of a student may have held another child's records; none for a move that only joins.
    pub wrong_since: Option<DateTime<Utc>>,
}

/// A client who was matched with a student.
#[derive(Clone, Debug)]
pub struct Link {
    /// The agency.
    pub consumer: ConsumerId,
    /// Its client, by its own id.
    pub person_key: Masked<String>,
    /// The student.
    pub student: StudentId,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The source person and the student of a state id.
pub async fn find(
    conn: &mut PgConnection,
    sea: &Sea,
    state_id: &Masked<String>,
) -> Result<Option<(SourcePersonId, StudentId)>, Error> {
    let found = store::find_by_state_id(conn, sea, state_id.expose()).await?;
    Ok(found.map(|(person, student)| (SourcePersonId(person), StudentId(student))))
}

/// All source persons of the student whom a source person is of, itself among them.
pub async fn list_together(conn: &mut PgConnection, person: SourcePersonId) -> Result<Vec<SourcePersonId>, Error> {
    let members = store::list_members(conn, &[person.0]).await?;
    let Some(member) = members.first() else { return Ok(vec![person]) };
    let persons = store::list_persons_of(conn, &[member.student_id]).await?;
    Ok(persons.into_iter().map(|(id, _)| SourcePersonId(id)).collect())
}

/// Two state ids prove to be one child: everybody of `other` becomes `keep`.
pub async fn merge(
    conn: &mut PgConnection,
    keep: StudentId,
    other: StudentId,
    author: Author<'_>,
    sanction: Sanction<'_>,
) -> Result<Moved, Error> {
    store::lock(conn, true).await?;
    let persons: Vec<i64> = store::list_persons_of(conn, &[other.0]).await?.into_iter().map(|(id, _)| id).collect();
    if persons.is_empty() || store::list_persons_of(conn, &[keep.0]).await?.is_empty() {
        return Err(Error::NotFound("student"));
    }
    hold_alike(conn, &persons, (other.0, keep.0), sanction).await?;
    shift(conn, "merge", &persons, (other.0, keep.0), None, author).await
}

/// A student proves to be two children: these source persons become a student of their own, under the id given.
pub async fn unmerge(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    new: StudentId,
    author: Author<'_>,
) -> Result<Moved, Error> {
    store::lock(conn, true).await?;
    let (ids, from) = of_one_student(conn, persons).await?;
    if store::list_persons_of(conn, &[from]).await?.len() == ids.len() {
        return Err(Error::Conflict("they are the whole student: nothing would be left to part from"));
    }
    shift(conn, "unmerge", &ids, (from, new.0), None, author).await
}

/// Source persons belong to another student who exists: they move there.
pub async fn relink(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    to: StudentId,
    author: Author<'_>,
    sanction: Sanction<'_>,
) -> Result<Moved, Error> {
    store::lock(conn, true).await?;
    let (ids, from) = of_one_student(conn, persons).await?;
    if store::list_persons_of(conn, &[to.0]).await?.is_empty() {
        return Err(Error::NotFound("student"));
    }
    hold_alike(conn, &ids, (from, to.0), sanction).await?;
    shift(conn, "relink", &ids, (from, to.0), None, author).await
}

/// Takes a move back: the same source persons return to the student they came from.
pub async fn undo(
    conn: &mut PgConnection,
    id: i64,
    author: Author<'_>,
    sanction: Sanction<'_>,
) -> Result<Moved, Error> {
    store::lock(conn, true).await?;
    let made = store::find_move(conn, id).await?.ok_or(Error::NotFound("move"))?;
    if made.is_undone {
        return Err(Error::Conflict("the move was taken back before"));
    }
    let members = store::list_members(conn, &made.source_persons).await?;
    if members.len() != made.source_persons.len() || members.iter().any(|member| member.student_id != made.to_student) {
        return Err(Error::Conflict("some of the persons have been moved again since: take that back first"));
    }
    let kind = if made.kind == "merge" { "unmerge" } else { "relink" };
    hold_alike(conn, &made.source_persons, (made.to_student, made.from_student), sanction).await?;
    shift(conn, kind, &made.source_persons, (made.to_student, made.from_student), Some(id), author).await
}

/// Refuses to make one child of several whom the state reports as different, unless two stewards signed exactly this.
async fn hold_alike(
    conn: &mut PgConnection,
    persons: &[i64],
    (from, to): (Uuid, Uuid),
    sanction: Sanction<'_>,
) -> Result<(), Error> {
    let with: Vec<i64> = store::list_persons_of(conn, &[to]).await?.into_iter().map(|(id, _)| id).collect();
    if from == to || with.is_empty() {
        return Ok(());
    }
    let ids = |list: &[i64]| list.iter().copied().collect::<BTreeSet<_>>().into_iter().map(SourcePersonId).collect();
    let (persons, with): (Vec<SourcePersonId>, Vec<SourcePersonId>) = (ids(persons), ids(&with));
    if let Sanction::Two(signed) = sanction {
        let same = signed.from.0 == from && signed.to.0 == to && signed.persons == persons && signed.with == with;
        return if same {
            Ok(())
        } else {
            Err(Error::Conflict("others have come to be of these students since it was asked: ask again"))
        };
    }
    // Of no batch: what all batches have said.
    let said = list_said(conn, &[persons.as_slice(), with.as_slice()].concat(), BatchId(0)).await?;
    let of = |ids: &[SourcePersonId]| {
        ids.iter().filter_map(|id| said.get(id)).flatten().map(|(said, _)| said.clone()).collect::<Vec<_>>()
    };
    let differ = unlike(&of(&persons), &of(&with));
    if differ.is_empty() {
        return Ok(());
    }
    Err(Error::Unlike(Box::new(Joining { from: StudentId(from), to: StudentId(to), persons, with, differ })))
}

async fn of_one_student(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<(Vec<i64>, Uuid), Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect::<BTreeSet<_>>().into_iter().collect();
    let members = store::list_members(conn, &ids).await?;
    let students: BTreeSet<Uuid> = members.iter().map(|member| member.student_id).collect();
    match (members.len() == ids.len(), students.into_iter().collect::<Vec<_>>().as_slice()) {
        (true, [one]) => Ok((ids, *one)),
        (true, [_, _, ..]) => Err(Error::Conflict("the persons are of different students")),
        _ => Err(Error::NotFound("source person")),
    }
}

/// The one thing all of them do. The crosswalk's lock is held.
async fn shift(
    conn: &mut PgConnection,
    kind: &str,
    persons: &[i64],
    (from, to): (Uuid, Uuid),
    undoes: Option<i64>,
    author: Author<'_>,
) -> Result<Moved, Error> {
    author.check()?;
    if from == to {
        return Err(Error::Conflict("they are one student already"));
    }
    // Consumers first and in order: a disclosure under way holds its consumer's population, and we wait for it.
    let mut links = store::list_links(conn, &[from, to]).await?;
    let consumers: BTreeSet<ConsumerId> =
        links.iter().map(|link| consumer(&link.consumer)).collect::<Result<_, _>>()?;
    for consumer in &consumers {
        lock_consumer(conn, consumer).await?;
    }
    // What was decided while we waited counts.
    links = store::list_links(conn, &[from, to]).await?;
    if links.iter().any(|link| !consumers.iter().any(|known| known.as_str() == link.consumer)) {
        return Err(Error::Conflict("a match was made meanwhile: try again"));
    }
    let members = store::list_members(conn, persons).await?;
    let joined_since = members.iter().map(|member| member.from_at).min().unwrap_or(author.at);
    if store::close(conn, from, persons, author.at).await? != persons.len() as u64 {
        return Err(Error::Conflict("a person has been moved meanwhile: try again"));
    }
    store::open(conn, to, persons, (author.by, author.reason), author.at).await?;
    let is_empty = store::list_persons_of(conn, &[from]).await?.is_empty();
    let row = MoveRow {
        kind: kind.to_owned(),
        from_student: from,
        to_student: to,
        source_persons: persons.to_vec(),
        moved_at: author.at,
        is_undone: false,
    };
    let id = store::insert_move(conn, &row, joined_since, undoes, (author.by, author.reason)).await?;
    if is_empty {
        follow(conn, &links, (from, to), author).await?;
    } else {
        part(conn, &links, (from, to), author).await?;
    }
    for consumer in &consumers {
        rebuild(conn, consumer).await?;
    }
    let together = store::list_persons_of(conn, &[to]).await?;
    Ok(Moved {
        id,
        from: StudentId(from),
        to: StudentId(to),
        persons: persons.iter().map(|id| SourcePersonId(*id)).collect(),
        together: together.into_iter().map(|(id, _)| SourcePersonId(id)).collect(),
        links: links.iter().filter(|link| link.outcome == "match").map(link_of).collect::<Result<_, _>>()?,
        wrong_since: (!is_empty).then_some(joined_since),
    })
}

/// The whole student moved: what was decided of them holds for the student they are now. Two clients of one agency cannot both be that
/// student: the one that was there stays, the other waits for a person.
async fn follow(
    conn: &mut PgConnection,
    links: &[LinkRow],
    (from, to): (Uuid, Uuid),
    author: Author<'_>,
) -> Result<(), Error> {
    let moving: Vec<&LinkRow> = links.iter().filter(|link| link.student_id == from).collect();
    let there = |link: &&LinkRow| link.student_id == to;
    let mut kept = Vec::new();
    let mut doubtful = Vec::new();
    for link in &moving {
        let has_its_own = links.iter().filter(there).any(|other| other.client_id == link.client_id);
        let is_taken =
            links.iter().filter(there).any(|other| other.consumer == link.consumer && other.outcome == "match");
        match link.outcome.as_str() {
            "match" if is_taken => doubtful.push((link.decision_id, to, "review")),
            _ if has_its_own => {}
            "match" => kept.push((link.decision_id, to, "match")),
            "review" => kept.push((link.decision_id, to, "review")),
            _ => kept.push((link.decision_id, to, "non_match")),
        }
    }
    let ids: Vec<i64> = moving.iter().map(|link| link.decision_id).collect();
    supersede_decisions(conn, &ids, author.at).await?;
    let reason = format!("the students were merged: {}", author.reason);
    store::insert_copies(conn, &kept, None, &reason, author.at).await?;
    let reason = "another client of the agency is this student too";
    store::insert_copies(conn, &doubtful, Some(author.by), reason, author.at).await?;
    Ok(())
}

/// A student proved to be two: each client matched with either waits until a person says which one it is.
async fn part(
    conn: &mut PgConnection,
    links: &[LinkRow],
    (from, to): (Uuid, Uuid),
    author: Author<'_>,
) -> Result<(), Error> {
    let matched: Vec<&LinkRow> = links.iter().filter(|link| link.outcome == "match").collect();
    let concerned = |link: &&LinkRow| matched.iter().any(|one| one.client_id == link.client_id);
    let is_person_s = |link: &LinkRow| link.outcome == "non_match";
    let ids: Vec<i64> =
        links.iter().filter(concerned).filter(|link| !is_person_s(link)).map(|link| link.decision_id).collect();
    supersede_decisions(conn, &ids, author.at).await?;
    let excluded = |client: i64, student: Uuid| {
        links.iter().any(|link| is_person_s(link) && link.client_id == client && link.student_id == student)
    };
    let copies: Vec<_> = matched
        .iter()
        .flat_map(|link| [from, to].map(|student| (link, student)))
        .filter(|(link, student)| !excluded(link.client_id, *student))
        .map(|(link, student)| (link.decision_id, student, "review"))
        .collect();
    let reason = format!("the student proved to be two: {}", author.reason);
    store::insert_copies(conn, &copies, Some(author.by), &reason, author.at).await?;
    Ok(())
}

fn consumer(text: &str) -> Result<ConsumerId, Error> {
    text.parse().map_err(|_| Error::Conflict("a stored consumer's id does not read"))
}

fn link_of(row: &LinkRow) -> Result<Link, Error> {
    Ok(Link {
        consumer: consumer(&row.consumer)?,
        person_key: Masked::new(row.person_key.clone()),
        student: StudentId(row.student_id),
        since: row.decided_at,
    })
}
