//! The record as an accessible document and as a page. Elements stand by domain and number there; CSV and JSON name each.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use ledger::{Audience, RecordedEntry};
use summary::{Listing, ListingColumn, Renderer, RendererOptions};

use super::Of;

/// As PDF, in the fonts that summaries are set in: parties are people too.
pub fn pdf(listing: &Listing, fonts: &RendererOptions) -> anyhow::Result<Vec<u8>> {
    Ok(Renderer::new(fonts)?.render_listing(listing)?)
}

/// The document, still without its rows.
pub fn listing(of: &Of, audience: Audience, today: NaiveDate) -> Listing {
    const COLUMNS: [(&str, f32); 6] = [
        ("Date and time (UTC)", 0.9),
        ("Party", 1.4),
        ("Legitimate interest", 1.9),
        ("Legal basis and clause", 1.5),
        ("Records", 1.5),
        ("May disclose further to", 1.5),
    ];
    let is_of_one = of.student.is_some();
    let student = (!is_of_one).then_some(("Student", 1.2));
    let columns = COLUMNS.into_iter().chain(student);
    let columns = columns.map(|(title, width)| ListingColumn { title: title.to_owned(), width });
    let running = of.student.map_or_else(|| of.says.clone(), |student| format!("Student {student}"));
    Listing {
        title: "Record of Disclosures".to_owned(),
        notice: "Each request for, and each disclosure of, personally identifiable information from the education record, with the parties and \
                 their legitimate interests (34 CFR 99.32; for special education 34 CFR 300.614)."
            .to_owned(),
        remark: Some(format!("Copy for: {}. Of: {}.", audience.as_str().replace('_', " "), of.says)),
        report_date: today,
        running,
        footer: if is_of_one { "Confidential student record" } else { "Confidential student records" }.to_owned(),
        heading: "Requests and disclosures".to_owned(),
        columns: columns.collect(),
        rows: Vec::new(),
        none: "Nothing is recorded that this copy may show.".to_owned(),
    }
}

/// An entry's row in it.
pub fn listed(row: &RecordedEntry, audience: Audience, is_of_one: bool) -> Vec<String> {
    let mut domains: BTreeMap<&str, usize> = BTreeMap::new();
    for element in row.elements.iter() {
        *domains.entry(element.split_once('.').map_or(element.as_str(), |(domain, _)| domain)).or_default() += 1;
    }
    let records = domains.iter().map(|(domain, count)| format!("{} ({count})", domain.replace('_', " ")));
    let mut party = row.party.clone();
    if audience == Audience::Auditor {
        let who = row.person.as_ref().map(|person| person.expose().clone()).or_else(|| row.system.clone());
        if let Some(who) = who {
            party = format!("{party}; asked by {who}");
        }
    }
    let clause = row.clause.as_ref().map(|clause| {
        format!(
            "{}; {} version {}, {}",
            row.legal_basis.clone().unwrap_or_default(),
            clause.agreement,
            clause.version,
            clause.clause
        )
    });
    let onward: Vec<String> =
        row.onward.iter().map(|onward| format!("{} ({})", onward.party, onward.interest)).collect();
    let what = if row.kind == ledger::Kind::Disclosure {
        records.collect::<Vec<_>>().join(", ")
    } else {
        row.kind.to_string()
    };
    let mut purpose = row.purpose.clone().unwrap_or_default();
    // Absent where this audience does not read it.
    if let Some(threat) = &row.threat {
        purpose = format!("{purpose}; in an emergency, for this threat: {}", threat.expose());
    }
    let mut cells = vec![
        row.decided_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        party,
        purpose,
        clause.unwrap_or_default(),
        what,
        onward.join("; "),
    ];
    if !is_of_one {
        cells.push(row.student.map(|student| student.to_string()).unwrap_or_default());
    }
    cells
}
