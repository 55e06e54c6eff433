//! Whether what is reported under one identifier is about one person.

use identity::persons::{Said, clear_differences, list_said};
use model::{Domain, Fact, Masked, SourcePersonId, Value};
use pg::Tx;

use super::{LoadError, Tally};
use crate::{Finding, Severity};

/// Finds records that are about another person than those before under the same identifier. They are loaded all the same: which of the two
/// the identifier belongs to, a steward decides.
pub(super) async fn check(
    tx: &mut Tx<'_, '_>,
    rows: &[(SourcePersonId, u32, &[Fact])],
    tally: &mut Tally,
    findings_max: usize,
) -> Result<(), LoadError> {
    let told: Vec<_> = rows.iter().filter_map(|(person, line, facts)| Some((*person, *line, said(facts)?))).collect();
    if told.is_empty() {
        return Ok(());
    }
    let persons: Vec<SourcePersonId> = told.iter().map(|(person, _, _)| *person).collect();
    let mut known = list_said(tx, &persons).await?;
    for (person, line, said) in told {
        let before = known.entry(person).or_default();
        if before.contains(&said) {
            continue;
        }
        // Whoever is like any of those before is one of them.
        let differ =
            before.iter().map(|other| clear_differences(other, &said)).min_by_key(Vec::len).unwrap_or_default();
        if !differ.is_empty() {
            let message = "these fields are clearly another person's than those reported under this identifier before; \
                check whose identifier it is. Both are kept";
            let rule = "person.two_under_one_identifier";
            let finding = Finding::new(line, rule, Severity::Warning, message.to_owned());
            tally.find(Finding { field: Some(differ.join(", ")), ..finding }, findings_max);
        }
        before.push(said);
    }
    Ok(())
}

/// What a record says of who the person is.
fn said(facts: &[Fact]) -> Option<Said> {
    let fact = facts.iter().find(|fact| fact.domain == Domain::Student && fact.payload.contains_key("last_surname"))?;
    let text =
        |element: &str| fact.payload.get(element).and_then(Value::as_text).map(|text| Masked::new(text.to_owned()));
    Some(Said {
        first_name: text("first_name"),
        last_name: text("last_surname"),
        birth_date: fact.payload.get("birth_date").and_then(Value::as_date).map(Masked::new),
    })
}
