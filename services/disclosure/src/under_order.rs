//! What orders in force do to an explanation: the steward is told which order keeps an element back, the recipient what it would be told of
//! somebody of whom nothing is reported, or who is not its client.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use agreements::Explanation;
use identity::inspection::PersonRestriction;
use model::{Domain, Element, SourcePersonId};
use sqlx::PgConnection;

use crate::{Error, store::under_order as store};

/// Elements that tell where a student lives: an order over contacts takes them out of the student's own record and of enrollments, in the view
/// `history.disclosable`.
pub const WHERE_A_STUDENT_LIVES: [&str; 9] = [
    "resident_town",
    "street_address",
    "street_address_2",
    "state_abbreviation",
    "postal_code",
    "telephone_numbers",
    "electronic_mail_addresses",
    "homeless_residence",
    "nexus_district_id",
];

/// An order in force over a domain of a student, or over one fact of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) domain: Domain,
    pub(crate) is_of_fact: bool,
    pub(crate) kind: String,
    pub(crate) number: String,
}

impl Order {
    /// Whether it keeps back all that a recipient could be told of an element.
    fn covers(&self, element: &Element) -> bool {
        // Moves between schools are made of enrollments.
        let of = if element.domain == Domain::Mobility { Domain::Enrollment } else { element.domain };
        !self.is_of_fact && (self.domain == of || (self.domain == Domain::Contact && tells_where(element)))
    }

    fn words(&self) -> String {
        let Self { domain, kind, number, .. } = self;
        if self.is_of_fact {
            return format!(
                "Order {number} ({kind}) is in force over single records of {domain}: these do not leave the SEA."
            );
        }
        let mut words = format!("Order {number} ({kind}) is in force over {domain}: nothing of it leaves the SEA");
        if *domain == Domain::Contact {
            words.push_str(", nor does where the student lives");
        }
        words + "."
    }
}

fn tells_where(element: &Element) -> bool {
    matches!(element.domain, Domain::Student | Domain::Enrollment) && WHERE_A_STUDENT_LIVES.contains(&element.name)
}

/// The orders over a student, and what they leave.
#[derive(Default)]
pub(crate) struct UnderOrder {
    of_person: Vec<PersonRestriction>,
    orders: Vec<Order>,
    left: BTreeMap<Domain, BTreeSet<String>>,
}

impl UnderOrder {
    pub(crate) async fn load(
        conn: &mut PgConnection,
        persons: &[SourcePersonId],
        of_person: Vec<PersonRestriction>,
    ) -> Result<Self, Error> {
        let names = WHERE_A_STUDENT_LIVES.map(str::to_owned);
        let orders = store::list_orders(conn, persons).await?;
        Ok(Self { of_person, orders, left: store::list_left(conn, persons, &names).await? })
    }

    /// Whether an order keeps everything back.
    pub(crate) fn is_of_person(&self) -> bool {
        !self.of_person.is_empty()
    }

    /// Each order in a sentence, for stewards.
    pub(crate) fn facts(&self) -> impl Iterator<Item = String> {
        let of_person = self.of_person.iter().map(|one| {
            format!("Order {} ({}) is in force: nothing of the student leaves the SEA.", one.order_number, one.kind)
        });
        of_person.chain(self.orders.iter().map(Order::words))
    }

    fn is_left(&self, element: &Element) -> bool {
        let of = if element.domain == Domain::Mobility { Domain::Enrollment } else { element.domain };
        self.left.get(&of).is_some_and(|stated| !tells_where(element) || stated.contains(element.name))
    }

    /// What an explanation becomes. `of_nobody` is what the recipient is told about whoever is not its client.
    ///
    /// What a recipient is told of an element that is permitted follows from what is left alone, so that nothing tells an order from a record that
    /// nobody ever made.
    pub(crate) fn apply(&self, element: &Element, mut why: Explanation, of_nobody: String) -> Explanation {
        let person = self.of_person.first().map(|one| (&one.order_number, &one.kind));
        let order = person.or_else(|| {
            let order = self.orders.iter().find(|order| order.covers(element))?;
            Some((&order.number, &order.kind))
        });
        let was_permitted = why.permitted;
        if let Some((number, kind)) = order.filter(|_| was_permitted) {
            why.permitted = false;
            why.lines.pop();
            let mut line = format!("{} is permitted by the agreement, and not disclosed", element.id());
            // Cannot fail: writing to a text.
            let _ = write!(line, ": order {number} ({kind}) is in force.");
            why.lines.push(line);
        }
        if self.is_of_person() {
            why.public = of_nobody;
        } else if was_permitted && !self.is_left(element) {
            why.public = format!("{} is not reported", element.label);
        }
        why
    }
}
