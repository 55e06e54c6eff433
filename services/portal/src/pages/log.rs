//! An auditor's page of the log: its signed head, how the sequencer keeps up, and who has seen it from outside.

use axum::response::Response;
use chrono::{DateTime, Utc};
use ledger::{SignedCheckpoint, VerifierKey, witness::Refusal};
use pg::Role;

use super::sheet::{self, Align, Cell, Field, Form, Part, Table, sent};
use crate::{
    error::Failure,
    visit::Visit,
    witness::{self, State, Watched},
    words::{Words, fill},
};

/// Where the signed head is.
pub(super) const LOG: &str = "/log";
/// Letters of a checkpoint that somebody holds the log against.
const CHECKPOINT_MAX: usize = 8_000;

/// The page, and what becomes of a checkpoint that the log is held against.
pub(super) async fn show(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.auditor()?;
    if !visit.form.is_empty() {
        visit.check_form()?;
    }
    let words = visit.words();
    let watched = witness::list(visit.portal).await?;
    let is_alarm = watched.iter().any(|one| one.state.is_alarm());
    let mut parts = head(visit).await?;
    parts.push(witnesses(words, &watched));
    parts.push(kept(visit).await?);
    sheet::show(visit, &words.log, (&words.log_about, is_alarm.then_some(&*words.witness_alarm)), parts)
}

async fn head(visit: &Visit<'_>) -> Result<Vec<Part>, Failure> {
    let (words, deps) = (visit.words(), &visit.portal.deps);
    let found = pg::run_tx(&deps.pool, "portal.checkpoint", Role::Ledger, |tx| {
        let clock = &*deps.clock;
        Box::pin(async move {
            let (last, changes) = (ledger::find_last_head(tx).await?, ledger::list_key_changes(tx).await?);
            Ok::<_, ledger::Error>((last, changes, ledger::health(tx, clock).await?))
        })
    });
    let (last, changes, health) = found.await.map_err(Failure::of)?;
    let lag = health.lag.num_seconds().to_string();
    let mut facts = vec![
        (words.log_waiting.clone(), health.unsequenced.to_string()),
        (words.log_lag.clone(), fill(&words.log_seconds, &[("seconds", &lag)])),
        (
            words.log_keys.clone(),
            if changes.is_empty() { words.log_keys_none.clone() } else { changes.len().to_string() },
        ),
    ];
    let mut notes = vec![if health.is_green() { words.log_green.clone() } else { words.log_red.clone() }];
    match &last {
        None => notes.push(words.log_none.clone()),
        Some((text, made_at)) => {
            let opened = SignedCheckpoint::open(text, &deps.log_keys);
            let signed = if opened.is_ok() { &words.log_signed_ours } else { &words.log_signed_not };
            facts.push((words.log_signed.clone(), signed.clone()));
            facts.push((words.log_signed_at.clone(), instant(*made_at)));
            if let Ok(head) = opened {
                facts.push((words.log_origin.clone(), head.checkpoint().origin.clone()));
                facts.push((words.log_size.clone(), head.size().to_string()));
                facts.push((words.log_root.clone(), head.root().to_string()));
            }
        }
    }
    let mut parts = vec![Part { notes, facts, ..Part::default() }];
    parts.extend(last.map(|(text, _)| Part { text: Some(text), ..Part::named(&words.log_text) }));
    Ok(parts)
}

fn instant(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Who watches the log, when each looked last, and how far behind it is.
fn witnesses(words: &Words, watched: &[Watched]) -> Part {
    let columns: [(&str, Align); _] = [
        (&words.column_witness, Align::Text),
        (&words.column_cosigned, Align::Number),
        (&words.log_size, Align::Number),
        (&words.column_behind, Align::Number),
        (&words.column_state, Align::Text),
    ];
    let mut table = Table::new(&words.log_witnesses, &words.witness_none, &columns);
    table.rows = watched
        .iter()
        .map(|one| {
            let seen = one.state.seen();
            let behind = match &one.state {
                State::Holds { behind, .. } => behind.to_string(),
                _ => String::new(),
            };
            vec![
                Cell::from(&one.name),
                Cell::from(seen.map(|seen| instant(seen.at)).unwrap_or_default()),
                Cell::from(seen.map(|seen| seen.size.to_string()).unwrap_or_default()),
                Cell::from(behind),
                said(words, &one.state),
            ]
        })
        .collect();
    Part { notes: vec![words.log_witnesses_about.clone()], table: Some(table), ..Part::named(&words.log_witnesses) }
}

fn said(words: &Words, state: &State) -> Cell {
    match state {
        State::Never => Cell::marked(&words.witness_never),
        State::NotBelieved => Cell::marked(&words.witness_not_believed),
        State::Refused(refusal, _) => Cell::marked(refused(words, refusal)),
        State::Holds { is_late: true, .. } => Cell::marked(&words.witness_late),
        State::Holds { .. } => Cell::from(&words.witness_holds),
    }
}

fn refused<'w>(words: &'w Words, refusal: &Refusal) -> &'w str {
    match refusal {
        Refusal::OtherLog => &words.witness_other_log,
        Refusal::RolledBack { .. } => &words.witness_rolled_back,
        Refusal::Forked { .. } | Refusal::TileMissing { .. } => &words.witness_forked,
    }
}

/// Holds the log against a checkpoint that somebody has at hand.
async fn kept(visit: &Visit<'_>) -> Result<Part, Failure> {
    let words = visit.words();
    let form = Form {
        action: LOG.to_owned(),
        fields: vec![Field::long(visit, "checkpoint", &words.kept_checkpoint, CHECKPOINT_MAX)],
        hidden: Vec::new(),
        button: words.kept_check.clone(),
    };
    let mut notes = vec![words.kept_about.clone()];
    let text = sent(visit, "checkpoint");
    let mut facts = Vec::new();
    if !text.is_empty() {
        if text.chars().count() > CHECKPOINT_MAX {
            return Err(Failure::Invalid);
        }
        facts = held(visit, text).await?;
        if facts.is_empty() {
            notes.push(words.kept_not_believed.clone());
        }
    }
    let command = "throughline ledger verify --checkpoint SEEN --witness KEY".to_owned();
    Ok(Part { notes, facts, form: Some(form), text: Some(command), ..Part::named(&words.kept) })
}

/// What a checkpoint says and how the log stands to it; empty: the log did not sign it.
async fn held(visit: &Visit<'_>, text: &str) -> Result<Vec<(String, String)>, Failure> {
    let (words, portal) = (visit.words(), visit.portal);
    let witnesses: Vec<VerifierKey> = portal.config.witness.iter().filter_map(crate::Witness::key).collect();
    let trusted: Vec<VerifierKey> = portal.deps.log_keys.iter().chain(&witnesses).cloned().collect();
    // Forms end lines as they like, and a note ends with a line.
    let text = format!("{}\n", text.replace("\r\n", "\n"));
    let Ok(head) = SignedCheckpoint::open(&text, &trusted) else { return Ok(Vec::new()) };
    let verdict = match witness::hold_against(portal, &head).await? {
        Ok(_) => &words.witness_holds,
        Err(refusal) => refused(words, &refusal),
    };
    let by: Vec<String> = witnesses
        .iter()
        .filter_map(|key| Some(format!("{} ({})", key.name(), instant(head.cosigned_at(key)?))))
        .collect();
    let by = if by.is_empty() { words.kept_by_nobody.clone() } else { by.join(", ") };
    Ok(vec![
        (words.kept_verdict.clone(), verdict.to_owned()),
        (words.log_origin.clone(), head.checkpoint().origin.clone()),
        (words.log_size.clone(), head.size().to_string()),
        (words.column_cosigned.clone(), by),
    ])
}
