//! `ledger disclosures`: a student's record of disclosures, as one audience may have it.
//!
//! That child welfare or a court asked is itself confidential: who is hidden from sees nothing, not even a count, and a copy that may
//! name such a disclosure leaves only when a steward has looked at it. Whoever asks for a record is entered in the ledger first.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use anyhow::{Context as _, anyhow, bail};
use chrono::NaiveDate;
use disclosure::{Ask, Occasion};
use ledger::{Audience, RecordedEntry, Showing, to_csv, to_json};
use model::{Domain, StudentId};
use pg::Role;
use summary::{Listing, ListingColumn, Renderer, RendererOptions};

use super::super::{Outcome, own_ask};
use crate::{app::App, console, keys::private_key};

/// One copy of a record of disclosures.
pub struct Copy {
    /// Whose record.
    pub student: StudentId,
    /// For whom.
    pub audience: Audience,
    /// `csv`, `json` or `pdf`.
    pub format: String,
    /// Where to; `None`: standard output.
    pub out: Option<PathBuf>,
    /// A steward has looked at it.
    pub release: Option<Release>,
    /// Who asks.
    pub by: String,
}

/// A steward's release of a copy.
pub struct Release {
    /// The steward's private key; in the sandbox none is needed.
    pub key: Option<PathBuf>,
    /// Entries held back from this copy.
    pub holds: Vec<uuid::Uuid>,
}

/// Writes the copy, if the audience may have it.
pub async fn run(app: &App, copy: Copy) -> anyhow::Result<Outcome> {
    if !["csv", "json", "pdf"].contains(&copy.format.as_str()) {
        bail!("there is no format {:?} for a record of disclosures; there are: csv, json, pdf", copy.format);
    }
    if copy.format == "pdf" && copy.out.is_none() {
        bail!("a PDF needs --out FILE");
    }
    let role = if copy.audience == Audience::Auditor { "auditor" } else { "steward" };
    let own = own_ask(app.own_consumer()?, role, &copy.by);
    let births = births(app, &own, copy.student).await?;
    let rights = Rights::of(&births, app.clock().now().date_naive());
    if let Some(words) = rights.refuse(copy.audience) {
        app.sequence().await?;
        console::warn(words);
        return Ok(Outcome::Found);
    }
    app.sequence().await?;
    let mut rows = entries(app, copy.student, copy.audience).await?;
    let is_family = matches!(copy.audience, Audience::Parent | Audience::EligibleStudent);
    let waits = rows.iter().any(|row| row.showing == Showing::AfterReview) || (is_family && rights == Rights::Doubtful);
    match &copy.release {
        None if waits => {
            console::warn(
                "this copy waits for a steward: whoever asks may be a party to the case. A steward who has looked at the auditor's \
                 record releases it with --release --key FILE, and may leave entries out with --hold ENTRY",
            );
            return Ok(Outcome::Found);
        }
        None => {}
        Some(release) => {
            let holds: BTreeSet<uuid::Uuid> = release.holds.iter().copied().collect();
            rows.retain(|row| !holds.contains(&row.id.0));
            let steward = steward(app, release)?;
            let what = format!("copy for {}: {} entries shown, {} held back", copy.audience, rows.len(), holds.len());
            disclosure::record_release(app.disclosure(), &own, copy.student, &steward, &what).await?;
            app.sequence().await?;
        }
    }
    write(&copy, &rows, app.clock().now().date_naive())?;
    Ok(Outcome::Done)
}

fn write(copy: &Copy, rows: &[RecordedEntry], today: NaiveDate) -> anyhow::Result<()> {
    let bytes = match copy.format.as_str() {
        "csv" => to_csv(rows).into_bytes(),
        "json" => to_json(rows)?.into_bytes(),
        _ => document(copy, rows, today)?,
    };
    match &copy.out {
        Some(path) => fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display())),
        None => console::text(std::str::from_utf8(&bytes)?),
    }
}

/// The record as an accessible document. Elements stand by domain and number there; CSV and JSON name each.
fn document(copy: &Copy, rows: &[RecordedEntry], today: NaiveDate) -> anyhow::Result<Vec<u8>> {
    const COLUMNS: [(&str, f32); 6] = [
        ("Date and time (UTC)", 0.9),
        ("Party", 1.4),
        ("Legitimate interest", 1.9),
        ("Legal basis and clause", 1.5),
        ("Records", 1.5),
        ("May disclose further to", 1.5),
    ];
    let columns = COLUMNS.map(|(title, width)| ListingColumn { title: title.to_owned(), width }).to_vec();
    let listing = Listing {
        title: "Record of Disclosures".to_owned(),
        notice: "Each request for, and each disclosure of, personally identifiable information from the education record, with the parties and \
                 their legitimate interests (34 CFR 99.32; for special education 34 CFR 300.614)."
            .to_owned(),
        remark: Some(format!("Copy for: {}.", copy.audience.as_str().replace('_', " "))),
        report_date: today,
        running: format!("Student {}", copy.student),
        footer: "Confidential student record".to_owned(),
        heading: "Requests and disclosures".to_owned(),
        columns,
        rows: rows.iter().map(|row| document_row(row, copy.audience)).collect(),
        none: "Nothing is recorded that this copy may show.".to_owned(),
    };
    Ok(Renderer::new(&RendererOptions::default())?.render_listing(&listing)?)
}

fn document_row(row: &RecordedEntry, audience: Audience) -> Vec<String> {
    let mut domains: BTreeMap<&str, usize> = BTreeMap::new();
    for element in &row.elements {
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
    vec![
        row.decided_at.format("%Y-%m-%d %H:%M:%S").to_string(),
        party,
        row.purpose.clone().unwrap_or_default(),
        clause.unwrap_or_default(),
        what,
        onward.join("; "),
    ]
}

async fn entries(app: &App, student: StudentId, audience: Audience) -> anyhow::Result<Vec<RecordedEntry>> {
    let mut rows: Vec<RecordedEntry> = Vec::new();
    loop {
        let after = rows.last().map(RecordedEntry::cursor);
        let page = pg::run_tx(app.pool(), "ledger.disclosures", Role::Ledger, |tx| {
            Box::pin(
                async move { ledger::disclosures_of(tx, student, audience, after, ledger::PAGE_ENTRIES_MAX).await },
            )
        })
        .await?;
        let last = page.len() < ledger::PAGE_ENTRIES_MAX as usize;
        rows.extend(page);
        if last {
            return Ok(rows);
        }
    }
}

fn steward(app: &App, release: &Release) -> anyhow::Result<String> {
    match (&release.key, app.sandbox_steward()) {
        (Some(key), _) => {
            let key = private_key(key)?.verifying_key();
            let steward = app.agreements.stewards().find_by_key(&key);
            Ok(steward.ok_or_else(|| anyhow!("the key is no registered steward's"))?.id.clone())
        }
        (None, Some(steward)) => Ok(steward.to_owned()),
        (None, None) => bail!("a release needs the steward's key: --key FILE"),
    }
}

/// Enters the access, and gives the birth dates that the state's records hold: who has the rights depends on them.
async fn births(app: &App, own: &Ask<'_>, student: StudentId) -> anyhow::Result<Vec<NaiveDate>> {
    let students = BTreeSet::from([student]);
    let access = disclosure::record_access(app.disclosure(), own, students, Occasion::Scheduled).await?;
    let histories = disclosure::access_chunk(app.disclosure(), own, &access, &[student]).await?;
    let rows =
        histories.iter().filter_map(|history| history.find_section(Domain::Student)).flat_map(|section| &section.rows);
    Ok(rows.filter_map(|row| row.find_date("birth_date")).collect())
}

/// Whose the rights are: the parents' until the 18th birthday, the student's from then on (34 CFR 99.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    Parent,
    Student,
    /// No birth date is known, or several on both sides.
    Doubtful,
}

impl Rights {
    fn of(births: &[NaiveDate], today: NaiveDate) -> Self {
        const MAJORITY: u32 = 18 * 12;
        let is_adult = |birth: &NaiveDate| {
            birth.checked_add_months(chrono::Months::new(MAJORITY)).is_some_and(|majority| majority <= today)
        };
        match (births.iter().any(is_adult), births.iter().all(is_adult)) {
            (true, true) => Self::Student,
            (false, false) => Self::Parent,
            _ => Self::Doubtful,
        }
    }

    const fn refuse(self, audience: Audience) -> Option<&'static str> {
        match (self, audience) {
            (Self::Student, Audience::Parent) => {
                Some("the student is 18: the rights are the student's own (34 CFR 99.5); ask as eligible_student")
            }
            (Self::Parent, Audience::EligibleStudent) => {
                Some("the student is not yet 18: the rights are the parents' (34 CFR 99.5); ask as parent")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_pass_on_the_eighteenth_birthday_and_doubt_waits() {
        let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
        let of =
            |births: &[&str], today: &str| Rights::of(&births.iter().map(|b| day(b)).collect::<Vec<_>>(), day(today));
        assert_eq!(of(&["2008-11-22"], "2026-11-21"), Rights::Parent);
        assert_eq!(of(&["2008-11-22"], "2026-11-22"), Rights::Student);
        assert_eq!(of(&["2008-11-22", "2009-11-22"], "2026-11-22"), Rights::Doubtful);
        assert_eq!(of(&[], "2026-11-22"), Rights::Doubtful);
        assert!(Rights::Student.refuse(Audience::Parent).is_some());
        assert!(Rights::Parent.refuse(Audience::EligibleStudent).is_some());
        assert!(Rights::Student.refuse(Audience::Auditor).is_none());
    }
}
