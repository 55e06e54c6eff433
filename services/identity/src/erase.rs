//! Erasing a student: names, identifiers, crosswalk, matches with their evidence, and the client details of rosters.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked, Sea, SourcePersonId, StudentId};
use sqlx::PgConnection;

use crate::{
    Error,
    store::{crosswalk, erase as store, placements, rosters::lock_consumer},
};

/// A source person of a student, with the identifier that the state knows them by.
#[derive(Clone, Debug)]
pub struct Person {
    /// Our own id.
    pub id: SourcePersonId,
    /// Whose identifier it is.
    pub sea: Sea,
    /// The identifier.
    pub state_id: Masked<String>,
}

/// A client who is, or was, matched with a student.
#[derive(Clone, Debug)]
pub struct Client {
    /// Our own id.
    pub id: i64,
    /// The agency.
    pub consumer: ConsumerId,
    /// Its client, by its own id.
    pub person_key: Masked<String>,
    /// Whether the match stands. One that was undone is another child's client.
    pub is_current: bool,
    /// When they were first matched.
    pub since: DateTime<Utc>,
}

/// Somebody who is to be erased: in a database restored from a backup perhaps still several students.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The source persons.
    pub persons: Vec<Person>,
    /// The students they are now.
    pub students: Vec<StudentId>,
    /// Everybody who was ever matched with them, whoever undid it since.
    pub clients: Vec<Client>,
}

/// The source persons of a student.
pub async fn list_persons_of(conn: &mut PgConnection, student: StudentId) -> Result<Vec<SourcePersonId>, Error> {
    let persons = crosswalk::list_persons_of(conn, &[student.0]).await?;
    Ok(persons.into_iter().map(|(person, _)| SourcePersonId(person)).collect())
}

/// Whoever these source persons are; of those that are gone nothing.
pub async fn load(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<Subject, Error> {
    let of_persons = ids(persons);
    let mut subject = Subject { persons: Vec::new(), students: Vec::new(), clients: Vec::new() };
    for (id, sea, state_id, student) in store::list_persons(conn, &of_persons).await? {
        let sea = sea.parse().map_err(|_| Error::Conflict("a stored name of a state cannot be read"))?;
        subject.persons.push(Person { id: SourcePersonId(id), sea, state_id: Masked::new(state_id) });
        if !subject.students.contains(&StudentId(student)) {
            subject.students.push(StudentId(student));
        }
    }
    let students: Vec<_> = subject.students.iter().map(|student| student.0).collect();
    for row in store::list_clients(conn, &students, &of_persons).await? {
        let consumer =
            row.consumer.parse().map_err(|_| Error::Conflict("a stored name of an agency cannot be read"))?;
        let person_key = Masked::new(row.person_key);
        let (id, is_current, since) = (row.client_id, row.is_current, row.since);
        subject.clients.push(Client { id, consumer, person_key, is_current, since });
    }
    Ok(subject)
}

/// The client of an agency whose id is the one that is sought, on a roster or in a report of stays, and whether they are, or ever were, matched with a student.
pub async fn find_client(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    is_it: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Option<(Client, bool)>, Error> {
    let found = store::list_keys(conn, consumer.as_str()).await?.into_iter().find(|(key, ..)| is_it(key));
    Ok(found.map(|(key, id, was_matched)| {
        // Who is on no roster has no number of ours, and no client of ours has this one.
        let id = id.unwrap_or_default();
        let (consumer, person_key, since) = (consumer.clone(), Masked::new(key), DateTime::UNIX_EPOCH);
        (Client { id, consumer, person_key, is_current: true, since }, was_matched)
    }))
}

/// Whether a hold of the law is in force on a whole person.
pub async fn is_held(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    store::is_held(conn, &ids(persons), at).await
}

/// Of whom records are kept: of these students, whoever a source person is or once was, wherever moves have put it since; of these clients, whoever is, was or
/// may be one.
pub async fn list_kept(
    conn: &mut PgConnection,
    students: &BTreeSet<StudentId>,
    clients: &BTreeSet<(ConsumerId, String)>,
) -> Result<(BTreeSet<StudentId>, BTreeSet<(ConsumerId, String)>), Error> {
    let ids: Vec<_> = students.iter().map(|student| student.0).collect();
    let students = store::list_kept_students(conn, &ids).await?.into_iter().map(StudentId).collect();
    let (consumers, keys): (Vec<_>, Vec<_>) = clients.iter().map(|(one, key)| (one.to_string(), key.clone())).unzip();
    let kept = store::list_kept_clients(conn, &consumers, &keys).await?.into_iter().map(|(consumer, key)| {
        let consumer = consumer.parse().map_err(|_| Error::Conflict("a stored name of an agency cannot be read"))?;
        Ok((consumer, key))
    });
    Ok((students, kept.collect::<Result<_, Error>>()?))
}

/// Takes the crosswalk, and the populations of these clients' agencies, for the rest of the transaction: whatever is being disclosed ends first.
pub async fn lock(conn: &mut PgConnection, clients: &[Client]) -> Result<(), Error> {
    crosswalk::lock(conn, true).await?;
    let consumers: BTreeSet<&ConsumerId> = clients.iter().map(|client| &client.consumer).collect();
    for consumer in consumers {
        lock_consumer(conn, consumer).await?;
    }
    Ok(())
}

/// Everything that names a student goes, under the lock of [`lock`]: identifiers, crosswalk and its moves, restrictions and orders that wait,
/// matches and reviews with their evidence, overrides, the clients who are matched with them, and these clients' stays in facilities. Our own random id of the student stays: it names nobody.
pub async fn erase(conn: &mut PgConnection, subject: &Subject) -> Result<(), Error> {
    let current = subject.clients.iter().filter(|client| client.is_current);
    let of_clients: Vec<i64> = current.map(|client| client.id).collect();
    let of_persons: Vec<i64> = subject.persons.iter().map(|person| person.id.0).collect();
    let students: Vec<_> = subject.students.iter().map(|student| student.0).collect();
    let current = subject.clients.iter().filter(|client| client.is_current);
    let (reporters, keys): (Vec<_>, Vec<_>) =
        current.map(|client| (client.consumer.to_string(), client.person_key.expose().clone())).unzip();
    placements::erase(conn, &reporters, &keys).await?;
    store::delete_matches(conn, &students, &of_persons, &of_clients).await?;
    store::delete_clients(conn, &of_clients).await?;
    store::delete_moves(conn, &of_persons).await?;
    store::delete_persons(conn, &of_persons).await?;
    Ok(())
}

fn ids(persons: &[SourcePersonId]) -> Vec<i64> {
    persons.iter().map(|person| person.0).collect()
}
