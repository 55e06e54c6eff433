//! An erasure as the control journal holds it.

use anyhow::Context as _;
use intake::erase::{Buried, ClientName, Erasure, FactName, Order, Tombstone};
use model::{Domain, NaturalKey, SourcePersonId, StudentId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One erasure as the journal holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureLine {
    /// The erasure.
    pub erasure: Uuid,
    request: String,
    student: Uuid,
    source_persons: Vec<i64>,
    fact: Option<FactLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<ClientLine>,
    ground: String,
    order_number: String,
    approved_by: Vec<String>,
    begun_at: chrono::DateTime<chrono::Utc>,
    tombstones: Vec<StoneLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactLine {
    source_person: i64,
    domain: String,
    natural_key: Uuid,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientLine {
    consumer: String,
    hash: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoneLine {
    of: String,
    hash: String,
    id_length: Option<usize>,
}

impl ErasureLine {
    /// The line of an erasure with its tombstones.
    pub fn of(erasure: &Erasure, stones: &[Tombstone]) -> Self {
        let Order { id, request, student, fact, client, ground, order_number, approved_by } = &erasure.order;
        let stone = |stone: &Tombstone| {
            let (of, id_length) = match stone.buried {
                Buried::Fact => ("fact", None),
                Buried::Person(length) => ("person", Some(length)),
                Buried::Client => ("client", None),
            };
            StoneLine { of: of.to_owned(), hash: hex::encode(stone.hash), id_length }
        };
        Self {
            erasure: *id,
            request: hex::encode(request),
            student: student.0,
            source_persons: erasure.persons.iter().map(|person| person.0).collect(),
            fact: fact.as_ref().map(|fact| FactLine {
                source_person: fact.person.0,
                domain: fact.domain.name().to_owned(),
                natural_key: Uuid::from_bytes(fact.key.0),
            }),
            client: client
                .as_ref()
                .map(|one| ClientLine { consumer: one.consumer.to_string(), hash: hex::encode(one.hash) }),
            ground: ground.as_str().to_owned(),
            order_number: order_number.clone(),
            approved_by: approved_by.clone(),
            begun_at: erasure.begun_at,
            tombstones: stones.iter().map(stone).collect(),
        }
    }

    /// The keyed hashes of identifiers that were erased.
    pub fn persons(&self) -> impl Iterator<Item = &str> {
        self.tombstones.iter().filter(|stone| stone.of == "person").map(|stone| stone.hash.as_str())
    }

    /// The erasure that the line is of: the order, the source persons, the tombstones.
    pub fn read(&self) -> anyhow::Result<(Order, Vec<SourcePersonId>, Vec<Tombstone>)> {
        let damaged = || format!("the line of erasure {} in the journal is damaged", self.erasure);
        let hash = |text: &str| hex::decode(text).ok().and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let stone = |stone: &StoneLine| {
            let buried = match (stone.of.as_str(), stone.id_length) {
                ("fact", None) => Buried::Fact,
                ("person", Some(length)) => Buried::Person(length),
                ("client", None) => Buried::Client,
                _ => return None,
            };
            Some(Tombstone { hash: hash(&stone.hash)?, buried })
        };
        let fact = self.fact.as_ref().map(|fact| {
            let domain: Domain = fact.domain.parse().ok()?;
            let key = NaturalKey(*fact.natural_key.as_bytes());
            Some(FactName { person: SourcePersonId(fact.source_person), domain, key })
        });
        let fact = match fact {
            Some(read) => Some(read.with_context(damaged)?),
            None => None,
        };
        let client = self
            .client
            .as_ref()
            .map(|one| Some(ClientName { consumer: one.consumer.parse().ok()?, hash: hash(&one.hash)? }));
        let client = match client {
            Some(read) => Some(read.with_context(damaged)?),
            None => None,
        };
        let order = Order {
            id: self.erasure,
            request: hash(&self.request).with_context(damaged)?,
            student: StudentId(self.student),
            fact,
            client,
            ground: self.ground.parse().ok().with_context(damaged)?,
            order_number: self.order_number.clone(),
            approved_by: self.approved_by.clone(),
        };
        let stones = self.tombstones.iter().map(stone).collect::<Option<Vec<_>>>().with_context(damaged)?;
        Ok((order, self.source_persons.iter().map(|person| SourcePersonId(*person)).collect(), stones))
    }
}
