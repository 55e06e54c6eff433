//! Who somebody is here, by what the issuer says of them.

use agreements::{Actor, PopulationRule, Terms};
use chrono::NaiveDate;
use disclosure::Asker;
use model::{ConsumerId, Masked};
use serde_json::{Map, Value};

use crate::config::{ClaimNames, RoleMapping};

/// A person of a party, in a role of its agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) name: Masked<String>,
    pub(crate) standing: Standing,
}

/// What somebody's pages are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// The clients of their agency.
    Clients,
    /// Placements of their district's students, of which they are told.
    Notices,
    /// The state's records: what came, who is who, what is delivered.
    Stewardship,
    /// What was disclosed, to whom and why.
    Audit,
    /// What agreements say, and nothing of any student.
    Law,
}

impl Work {
    /// The work of a role of the SEA's own agreement.
    fn of_role(role: &str) -> Option<Self> {
        match role {
            "steward" => Some(Self::Stewardship),
            "auditor" => Some(Self::Audit),
            "lawyer" => Some(Self::Law),
            _ => None,
        }
    }

    /// What the SEA's agreement in force lets a role do. Who may follows from its terms: every student is its population, and it names the role. A
    /// lawyer it need not name: one whom it does not name is given no record by it.
    pub(crate) fn in_force(terms: &Terms, role: &str) -> Option<Self> {
        let is_named = terms.access.roles.iter().any(|one| one.name == role);
        let work = Self::of_role(role).filter(|work| is_named || *work == Self::Law);
        work.filter(|_| terms.population.rule == PopulationRule::EveryStudent)
    }
}

/// What somebody may ask as. When it changes, their session is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) consumer: ConsumerId,
    pub(crate) role: String,
    pub(crate) office: Option<String>,
    pub(crate) officer: Option<String>,
    pub(crate) trained_on: Option<NaiveDate>,
}

impl Standing {
    /// What claims stand for; `None`: none of the roles is known here.
    pub(crate) fn of(claims: &Map<String, Value>, names: &ClaimNames, roles: &[RoleMapping]) -> Option<Self> {
        let held = texts(find(claims, &names.role));
        let mapping = roles.iter().find(|mapping| held.contains(&mapping.claim.as_str()))?;
        let one = |name: &str| texts(find(claims, name)).first().map(|text| (*text).trim().to_owned());
        Some(Self {
            consumer: mapping.consumer.parse().ok()?,
            role: mapping.role.clone(),
            office: one(&names.office).filter(|text| !text.is_empty()),
            officer: one(&names.officer).filter(|text| !text.is_empty()),
            trained_on: one(&names.trained_on).and_then(|text| text.parse().ok()),
        })
    }
}

impl Person {
    /// As the agreement judges them.
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor::Person {
            role: &self.standing.role,
            office: self.standing.office.as_deref(),
            officer: self.standing.officer.as_deref(),
            trained_on: self.standing.trained_on,
        }
    }

    /// As decisions name who made them: by name, and by what tells them apart from a namesake.
    pub(crate) fn signature(&self) -> String {
        format!("{} ({} at {})", self.name.expose(), self.subject, self.issuer)
    }

    /// As the record of disclosures names them.
    pub(crate) fn asker(&self) -> Asker {
        let who = self.signature();
        Asker { person: Some(Masked::new(who)), system: Some("portal".to_owned()), on_behalf_of: None }
    }
}

/// The claim of a name, or of a path into objects.
fn find<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_stand_for_the_first_role_that_is_listed_or_for_nobody() {
        let mapping = |claim: &str, consumer: &str, role: &str| RoleMapping {
            claim: claim.to_owned(),
            consumer: consumer.to_owned(),
            role: role.to_owned(),
        };
        let roles = [mapping("po", "cssd", "probation_officer"), mapping("worker", "dcf", "caseworker")];
        let check = |names: &ClaimNames, claims: Value, expect: Option<(&str, Option<&str>)>| {
            let standing = Standing::of(claims.as_object().unwrap(), names, &roles);
            let found = standing.as_ref().map(|one| (one.role.as_str(), one.office.as_deref()));
            assert_eq!(found, expect, "{claims}");
        };
        let names = ClaimNames::default();
        check(&names, serde_json::json!({"roles": "po"}), Some(("probation_officer", None)));
        check(
            &names,
            serde_json::json!({"roles": ["worker", "po"], "office": " Hartford "}),
            Some(("probation_officer", Some("Hartford"))),
        );
        check(&names, serde_json::json!({"roles": ["worker"], "office": ""}), Some(("caseworker", None)));
        check(&names, serde_json::json!({"roles": ["stranger"]}), None);
        check(&names, serde_json::json!({"roles": {"po": true}}), None);
        check(&names, serde_json::json!({}), None);
        let nested = ClaimNames { role: "realm_access.roles".to_owned(), ..ClaimNames::default() };
        check(&nested, serde_json::json!({"realm_access": {"roles": ["worker"]}}), Some(("caseworker", None)));
        check(&nested, serde_json::json!({"realm_access.roles": ["worker"]}), Some(("caseworker", None)));
        check(&nested, serde_json::json!({"realm_access": ["worker"]}), None);
    }
}
