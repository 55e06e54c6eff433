//! What a record of disclosures is of: a student, a school, a request, or what they have in common.

use agreements::{Act, end_of_day, start_of_day};
use anyhow::{Context as _, bail, ensure};
use disclosure::{Ask, School};
use ledger::{Audience, Contents, Cursor, LISTED_ENTRIES_MAX, OfRequest, RecordScope, STUDENTS_MAX, Since};
use model::StudentId;
use pg::Role;
use uuid::Uuid;

use crate::{app::App, args::Disclosures};

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Of {
    /// The one student, if it is about one.
    pub student: Option<StudentId>,
    /// The school.
    pub school: Option<School>,
    /// The request, and the time.
    pub scope: RecordScope,
    /// The same in words, which name nobody but by our own ids.
    pub says: String,
}

impl Of {
    /// What the options name. A copy for a family names its child, one for a district its school or a child: a request may be about anybody's.
    pub async fn find(app: &App, options: &Disclosures, audience: Audience) -> anyhow::Result<Self> {
        let student = options.student.map(StudentId);
        match audience {
            Audience::Auditor => {}
            Audience::District => ensure!(
                student.is_some() || options.school.is_some(),
                "a district's copy names the school or district, or the student: --school or --student"
            ),
            Audience::Parent | Audience::EligibleStudent => {
                ensure!(student.is_some(), "a copy for a family names its child: --student");
            }
        }
        let own = app.consumer(app.own_consumer()?)?;
        let zone = agreements::parse(&own.agreement).context("the SEA's own agreement")?.zone();
        let request = match &options.request {
            Some(named) => Some(request(app, named).await?),
            None => None,
        };
        let scope = RecordScope {
            students: None,
            request,
            from: options.from.map(|day| start_of_day(day, zone)),
            to: options.to.map(|day| end_of_day(day, zone)),
        };
        let parts = [
            student.map(|student| format!("student {student}")),
            options.school.as_ref().map(|school| format!("school {}:{}", school.sea, school.code)),
            options.request.as_ref().map(|request| format!("request {request}")),
            options.from.map(|day| format!("from {day}")),
            options.to.map(|day| format!("to {day}")),
        ];
        let says = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        Ok(Self { student, school: options.school.clone(), scope, says })
    }

    /// The students it is about; `None`: whoever the request is about.
    pub async fn list_students(&self, app: &App, own: &Ask<'_>) -> anyhow::Result<Option<Vec<Since>>> {
        let of_school = match &self.school {
            Some(school) => Some(disclosure::list_students_of(app.disclosure(), own, school).await?),
            None => None,
        };
        Ok(match (of_school, self.student) {
            (Some(mut students), one) => {
                students.retain(|of_school| one.is_none_or(|one| one == of_school.student));
                Some(students)
            }
            (None, Some(student)) => Some(vec![Since { student, since: None }]),
            (None, None) => None,
        })
    }

    /// Which entries the audience is shown, oldest first.
    pub async fn list(&self, app: &App, students: Option<&[Since]>, audience: Audience) -> anyhow::Result<Contents> {
        let Some(students) = students else { return self.list_part(app, None, audience).await };
        // Of nobody there is an empty record.
        let mut parts = students.chunks(STUDENTS_MAX);
        let first = parts.next().unwrap_or_default();
        let mut contents = self.list_part(app, Some(first.to_vec()), audience).await?;
        for part in parts {
            contents.add(self.list_part(app, Some(part.to_vec()), audience).await?)?;
            bounded(app, &contents)?;
        }
        Ok(contents)
    }

    async fn list_part(&self, app: &App, students: Option<Vec<Since>>, audience: Audience) -> anyhow::Result<Contents> {
        let scope = &RecordScope { students, ..self.scope.clone() };
        let list = |after: Option<Cursor>| {
            pg::run_tx(app.pool(), "ledger.disclosures", Role::Ledger, move |tx| {
                Box::pin(async move { ledger::list_record(tx, scope, audience, after, LISTED_ENTRIES_MAX).await })
            })
        };
        let mut contents = list(None).await?;
        let mut is_last = contents.len() < LISTED_ENTRIES_MAX as usize;
        while !is_last {
            bounded(app, &contents)?;
            let more = list(contents.cursor()).await?;
            is_last = more.len() < LISTED_ENTRIES_MAX as usize;
            contents.add(more)?;
        }
        bounded(app, &contents)?;
        Ok(contents)
    }
}

/// Whether a copy is not too long.
fn bounded(app: &App, contents: &Contents) -> anyhow::Result<()> {
    let max = app.settings.ledger.record_entries_max;
    ensure!(contents.len() <= max, "more than {max} entries: ask for fewer days with --from and --to");
    Ok(())
}

/// What entries bear of a request: of a run or a disclosure its id; of what two stewards approved the words for it, and the run it was used for.
async fn request(app: &App, named: &str) -> anyhow::Result<OfRequest> {
    if named.contains('-') {
        let id: Uuid = named.parse().context("--request is the id of a run or disclosure, or a digest")?;
        return Ok(OfRequest { ids: vec![id], authorities: Vec::new() });
    }
    let agreements = &*app.agreements;
    let found = pg::run_tx(app.pool(), "cli.find_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_request(tx, named).await })
    })
    .await?;
    let Some(filed) = found else { bail!("there is no request {named}") };
    let act: Act = filed.asked.act();
    Ok(OfRequest { ids: filed.used_for.into_iter().collect(), authorities: vec![disclosure::named(act, filed.digest)] })
}
