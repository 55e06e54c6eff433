//! Doubtful matches: the queue, a case, and what a steward decides on it. A case is opened through `disclosure::review`, which enters the access
//! before anything is shown; who decided is the steward as the issuer names them.

use askama::Template;
use axum::response::Response;
use disclosure::review::{self, Decided};
use hyper::StatusCode;
use identity::review::{Candidate, Case, Place, Verdict};
use model::{ConsumerId, Masked, StudentId};

use super::{
    Shell,
    desk::own_ask,
    sheet::{self, Align, Cell, Field, Form, Part, Table, sent},
};
use crate::{
    error::Failure,
    session::Session,
    visit::{Visit, page, redirect},
    words::{Language, Words, fill},
};

/// Where the queue is.
pub(super) const REVIEW: &str = "/review";
/// Letters of a reason.
const REASON_MAX: usize = 1_000;
/// A weight of so many bits fills its bar.
const BITS_FULL: f64 = 15.0;
/// Half of a bar, in its own units.
const BAR_HALF: f64 = 50.0;

/// What names a client of ours in an address of this session.
fn client_handle(session: &Session, client: i64) -> String {
    session.handle(&Masked::new(format!("case {client}")))
}

fn client_of(session: &Session, handle: &str) -> Result<i64, Failure> {
    let named = session.client(handle).ok_or(Failure::NotFound)?;
    named.expose().strip_prefix("case ").and_then(|number| number.parse().ok()).ok_or(Failure::NotFound)
}

/// The queue, most urgent first. It names nobody.
pub(super) async fn list(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.steward()?, visit.words());
    if !visit.form.is_empty() {
        visit.check_form()?;
    }
    let agency: Option<ConsumerId> = sent(visit, "agency").parse().ok();
    let after = Place::parse(sent(visit, "after"));
    let size = visit.portal.config.limits.page_clients as u32;
    let waiting = review::list(visit.portal.disclosure(), agency.as_ref(), after, size).await?;
    let columns: [(&str, Align); _] = [
        (&words.column_client, Align::Text),
        (&words.column_agency, Align::Text),
        (&words.column_urgency, Align::Text),
        (&words.column_candidates, Align::Number),
        (&words.column_best, Align::Number),
        (&words.column_waiting_since, Align::Number),
    ];
    let mut table = Table::new(&words.review, &words.review_none, &columns);
    for one in &waiting {
        let why = match (one.is_contested, one.has_authority) {
            (true, _) => Cell::marked(&words.contested),
            (false, true) => Cell::from(&words.authority_runs),
            (false, false) => Cell::default(),
        };
        table.rows.push(vec![
            Cell::link(format!("#{}", one.client), format!("/case/{}", client_handle(session, one.client))),
            Cell::from(one.consumer.to_uppercase()),
            why,
            Cell::from(one.candidates),
            Cell::from(percent(one.best)),
            Cell::from(Language::day_of(one.waiting_since, chrono_tz::Tz::UTC)),
        ]);
    }
    let form = Form {
        action: REVIEW.to_owned(),
        fields: vec![Field::choice(visit, "agency", &words.column_agency, visit.agencies())],
        hidden: Vec::new(),
        button: words.filter.clone(),
    };
    let last = waiting.last().filter(|_| waiting.len() == size as usize);
    let onward = last.map(|last| form.further(("after", last.place().to_text()), &words.show_more));
    let part = Part { form: Some(form), table: Some(table), onward, ..Part::default() };
    let told = match visit.query.get("done").map(String::as_str) {
        Some("match") => Some(&*words.case_done_match),
        Some("not") => Some(&*words.case_done_not),
        Some("undone") => Some(&*words.case_done_undone),
        _ => None,
    };
    let recalled = visit.query.get("recalled").and_then(|count| count.parse::<u32>().ok()).filter(|count| *count > 0);
    let recalled = recalled.map(|count| fill(&words.case_recalled, &[("count", &count.to_string())]));
    let told = told.map(|told| [told, recalled.as_deref().unwrap_or_default()].join(" "));
    sheet::show(visit, &words.review, (&words.review_about, told.as_deref()), vec![part])
}

fn percent(probability: f64) -> String {
    format!("{:.1} %", (probability * 1000.0).floor() / 10.0)
}

#[derive(Template)]
#[template(path = "case.html")]
struct Opened<'v> {
    shell: Shell<'v>,
    heading: String,
    /// Where what is decided is sent.
    action: String,
    candidates: Vec<Side>,
    past: Table,
    has_past: bool,
}

/// A student beside the client.
struct Side {
    heading: String,
    likely: Option<String>,
    is_taken: bool,
    /// What the student is called in the form that is sent.
    student: String,
    values: Vec<Pair>,
    weights: Vec<Weight>,
    /// For the command, where the engine did not put the student forward.
    command: Option<String>,
    is_label: String,
    is_not_label: String,
    is_key: String,
    is_not_key: String,
    place: usize,
}

/// One thing that both sides may say.
struct Pair {
    what: &'static str,
    client: String,
    student: String,
    verdict: Alike,
}

/// How two values stand to each other, letter by letter: the engine's own view is in the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alike {
    Same,
    Differs,
    Unknown,
}

impl Pair {
    fn is_different(&self) -> bool {
        self.verdict == Alike::Differs
    }

    fn word<'w>(&self, words: &'w Words) -> &'w str {
        match self.verdict {
            Alike::Same => &words.case_same,
            Alike::Differs => &words.case_differs,
            Alike::Unknown => &words.case_unknown,
        }
    }
}

/// A comparison's weight as a bar.
struct Weight {
    comparison: String,
    level: String,
    said: String,
    is_for: bool,
    /// Where the bar begins and how long it is, of 100.
    from: String,
    length: String,
}

/// A case side by side. The access is entered before it is shown.
pub(super) async fn open(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.steward()?, visit.words());
    let client = client_of(session, handle)?;
    let case = review::open(visit.portal.disclosure(), &own_ask(session), client).await?;
    let count = case.candidates.len().to_string();
    let side = |(at, one)| side(session, words, &case, (at, one), &count);
    let opened = Opened {
        shell: Shell::new(visit, &words.case_title),
        heading: format!("{}, {} #{client}", words.case_client, case.consumer.as_str().to_uppercase()),
        action: format!("/case/{handle}"),
        candidates: case.candidates.iter().enumerate().map(side).collect(),
        has_past: !case.past.is_empty(),
        past: past(words, &case),
    };
    Ok(page(StatusCode::OK, opened.render()?))
}

fn past(words: &Words, case: &Case) -> Table {
    let columns: [(&str, Align); _] = [
        (&words.column_day, Align::Number),
        (&words.column_outcome, Align::Text),
        (&words.column_who, Align::Text),
        (&words.column_cause, Align::Text),
    ];
    let mut table = Table::new(&words.case_past, "", &columns);
    table.rows = case
        .past
        .iter()
        .map(|one| {
            let outcome = one.outcome.replace('_', "-");
            let outcome = if one.superseded_at.is_some() { format!("({outcome})") } else { outcome };
            vec![
                Cell::from(Language::day_of(one.decided_at, chrono_tz::Tz::UTC)),
                Cell::from(outcome),
                Cell::from(&one.decided_by),
                Cell::from(&one.reason),
            ]
        })
        .collect();
    table
}

fn side(session: &Session, words: &Words, case: &Case, (at, one): (usize, &Candidate), count: &str) -> Side {
    let number = at + 1;
    let likely = one.probability.map(|p| fill(&words.case_likely, &[("percent", percent(p).trim_end_matches(" %"))]));
    let is_proposed = one.outcome != "non_match";
    let command = (!is_proposed).then(|| {
        format!(
            "throughline identity review override {} --student {} --by NAME --reason TEXT",
            case.client, one.student
        )
    });
    // The first pair has the letters that one remembers; the others go by their number.
    let (is_key, is_not_key) = match number {
        1 => ("m".to_owned(), "n".to_owned()),
        2..=4 => (number.to_string(), (number + 4).to_string()),
        _ => (String::new(), String::new()),
    };
    let label = |text: &str, key: &str| {
        if key.is_empty() { text.split(" (").next().unwrap_or(text).to_owned() } else { fill(text, &[("key", key)]) }
    };
    Side {
        heading: fill(&words.case_candidate, &[("number", &number.to_string()), ("count", count)]),
        likely,
        is_taken: one.is_taken,
        student: session.handle(&Masked::new(format!("student {}", one.student))),
        values: pairs(case, one),
        weights: one.comparisons.iter().map(|part| weight(words, part)).collect(),
        command,
        is_label: label(&words.case_is, &is_key),
        is_not_label: label(&words.case_is_not, &is_not_key),
        is_key,
        is_not_key,
        place: number,
    }
}

fn pairs(case: &Case, one: &Candidate) -> Vec<Pair> {
    let (client, person) = (&case.details, &one.person);
    let joined = |parts: &[&str]| parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let names = person.names.iter().map(|name| joined(&[&name.first, &name.middle, &name.last, &name.suffix]));
    let name = joined(&[&client.first_name, &client.middle_name, &client.last_name, &client.suffix]);
    let days = person.birth_dates.iter().map(|day| Language::day(*day));
    let towns = person.addresses.iter().map(|address| address.town.clone());
    [
        ("name", name, names.collect::<Vec<_>>()),
        ("birth date", client.birth_date.map(Language::day).unwrap_or_default(), days.collect()),
        ("sex", client.sex.clone(), person.sex.iter().cloned().collect()),
        ("race", client.race.clone(), person.race.iter().cloned().collect()),
        ("town", client.town.clone(), towns.collect()),
        ("SASID", client.sasid.clone(), person.sasids.clone()),
    ]
    .into_iter()
    .map(|(what, client, mut said)| {
        said.retain(|text| !text.is_empty());
        said.dedup();
        // A sex is reported as a letter by one and as a word by the other.
        let seen = |text: &str| match what {
            "sex" => text.chars().take(1).collect::<String>().to_lowercase(),
            _ => text.to_lowercase(),
        };
        let is_same = said.iter().any(|text| seen(text) == seen(&client));
        let verdict = match (client.is_empty() || said.is_empty(), is_same) {
            (true, _) => Alike::Unknown,
            (false, true) => Alike::Same,
            (false, false) => Alike::Differs,
        };
        Pair { what, client, student: said.join(" / "), verdict }
    })
    .collect()
}

fn weight(words: &Words, part: &identity::review::Comparison) -> Weight {
    let length = (part.bits.abs() / BITS_FULL).min(1.0) * BAR_HALF;
    let is_for = part.bits >= 0.0;
    let bits = format!("{:.1}", part.bits.abs());
    Weight {
        comparison: part.comparison.replace('_', " "),
        level: part.level.replace('_', " "),
        said: fill(if is_for { &words.case_for } else { &words.case_against }, &[("bits", &bits)]),
        is_for,
        from: format!("{:.1}", if is_for { BAR_HALF } else { BAR_HALF - length }),
        length: format!("{length:.1}"),
    }
}

/// Takes a decision, or takes the last one back.
pub(super) async fn decide(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.check_form()?;
    let session = visit.steward()?;
    let client = client_of(session, handle)?;
    let by = session.person.signature();
    let reason: String = sent(visit, "reason").chars().take(REASON_MAX).collect();
    if reason.is_empty() {
        return Err(Failure::Invalid);
    }
    let student = || {
        let named = session.client(sent(visit, "student")).ok_or(Failure::Invalid)?;
        let id = named.expose().strip_prefix("student ").and_then(|id| id.parse().ok());
        id.map(StudentId).ok_or(Failure::Invalid)
    };
    let context = visit.portal.disclosure();
    let author = (by.as_str(), reason.as_str());
    let (decided, done) = match sent(visit, "verdict") {
        "is" => (review::decide(context, client, Verdict::Is(student()?), author).await, "match"),
        "is_not" => (review::decide(context, client, Verdict::IsNot(student()?), author).await, "not"),
        "is_nobody" => (review::decide(context, client, Verdict::IsNobody, author).await, "not"),
        "undo" => (review::undo(context, client, author).await, "undone"),
        _ => return Err(Failure::Invalid),
    };
    let Decided { recalled, .. } = decided?;
    Ok(redirect(&format!("{REVIEW}?done={done}&recalled={}", recalled.len())))
}
