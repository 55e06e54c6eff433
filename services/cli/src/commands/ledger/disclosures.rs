//! `ledger disclosures`: the record of disclosures of a student, of a school or of a request, as one audience may have it.
//!
//! That child welfare or a court asked is itself confidential: who is hidden from sees nothing, not even a count, and a copy that may
//! name such a disclosure leaves only when a steward has looked at it. Whoever asks for a record is entered in the ledger first.

mod copy;
mod document;
mod of;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{anyhow, bail, ensure};
use chrono::NaiveDate;
use disclosure::{Ask, Occasion};
use ledger::{Audience, Contents};
use model::{Domain, StudentId};

pub use self::{copy::Copy, of::Of};
use super::super::{Outcome, exchange::WholeFile, own_ask};
use crate::{app::App, args::Disclosures, console, keys::private_key};

/// A steward's release of a copy.
struct Release {
    /// The steward's private key; in the sandbox none is needed.
    key: Option<PathBuf>,
    /// Entries held back from this copy.
    holds: BTreeSet<uuid::Uuid>,
}

/// Writes the copy, if the audience may have it.
pub async fn run(app: &App, options: Disclosures) -> anyhow::Result<Outcome> {
    if !["csv", "json", "html", "pdf"].contains(&options.format.as_str()) {
        bail!("there is no format {:?} for a record of disclosures; there are: csv, json, html, pdf", options.format);
    }
    ensure!(options.format != "pdf" || options.out.is_some(), "a PDF needs --out FILE");
    let audience = options.audience.parse::<Audience>();
    let audience = audience.map_err(|_| anyhow!("an audience is parent, eligible_student, district or auditor"))?;
    let role = if audience == Audience::Auditor { "auditor" } else { "steward" };
    let own = own_ask(app.own_consumer()?, role, &options.by);
    let of = Of::find(app, &options, audience).await?;
    let is_family = matches!(audience, Audience::Parent | Audience::EligibleStudent);
    let rights = match of.student.filter(|_| is_family) {
        Some(student) => Rights::of(&births(app, &own, student).await?, app.clock().now().date_naive()),
        None => Rights::Doubtful,
    };
    if let Some(words) = rights.refuse(audience).filter(|_| is_family) {
        app.sequence().await?;
        console::warn(words);
        return Ok(Outcome::Found);
    }
    let mut contents = gather(app, &own, &of, audience).await?;
    app.sequence().await?;
    // A district's copy of a school may be about children who have left it: somebody looks.
    let is_doubtful = match audience {
        Audience::Auditor => false,
        Audience::District => of.school.is_some(),
        Audience::Parent | Audience::EligibleStudent => rights == Rights::Doubtful,
    };
    let waits = is_doubtful || contents.needs_review();
    let release =
        options.release.then(|| Release { key: options.key.clone(), holds: options.holds.iter().copied().collect() });
    match &release {
        None if waits => {
            console::warn(
                "this copy waits for a steward: whoever asks may be a party to the case. A steward who has looked at the auditor's \
                 record releases it with --release --key FILE, and may leave entries out with --hold ENTRY",
            );
            return Ok(Outcome::Found);
        }
        None => {}
        Some(release) => {
            contents.hold_back(&release.holds);
            let steward = steward(app, release)?;
            let (shown, held) = (contents.len(), release.holds.len());
            let what = format!("copy for {audience} of {}: {shown} entries shown, {held} held back", of.says);
            disclosure::record_release(app.disclosure(), &own, of.student, &steward, &what).await?;
            app.sequence().await?;
        }
    }
    let copy = Copy::new(&options.format, &of, &contents, (audience, app.clock().now().date_naive()))?;
    write(app, copy, options.out.as_deref()).await?;
    Ok(Outcome::Done)
}

/// Which entries the audience is shown, after it has been entered that they were asked for.
pub async fn gather(app: &App, own: &Ask<'_>, of: &Of, audience: Audience) -> anyhow::Result<Contents> {
    let students = of.list_students(app, own).await?;
    let contents = of.list(app, students.as_deref(), audience).await?;
    let named: BTreeSet<StudentId> = match &students {
        Some(students) => students.iter().map(|one| one.student).collect(),
        None => contents.students(),
    };
    let what = format!("record of disclosures of {} for {audience}", of.says);
    disclosure::record_asking(app.disclosure(), own, (&what, &named), of.student).await?;
    Ok(contents)
}

/// Writes a copy page by page: a file whole or not at all, standard output as it comes.
async fn write(app: &App, mut copy: Copy<'_>, out: Option<&Path>) -> anyhow::Result<()> {
    let mut file = out.map(WholeFile::begin).transpose()?;
    while let Some(bytes) = copy.next(app).await? {
        match &mut file {
            Some(file) => file.write(&bytes)?,
            None => console::text(std::str::from_utf8(&bytes)?)?,
        }
    }
    file.map_or(Ok(()), WholeFile::finish)
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
