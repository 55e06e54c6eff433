//! What people see: bars on a terminal, plain lines elsewhere, JSON when asked. Results go to standard output, progress to standard error.

#![expect(clippy::disallowed_macros, reason = "the command line's own output")]

use std::{
    io::{IsTerminal as _, Write as _},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// Says why a command failed, with all causes, on one line each.
pub fn error(error: &anyhow::Error) {
    eprintln!("throughline: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// Says on standard error why a result is kept back, or what it lacks.
pub fn warn(text: &str) {
    eprintln!("throughline: {text}");
}

/// A line of result for people; nothing when JSON is asked for.
pub fn line(json: bool, text: impl AsRef<str>) {
    if !json {
        // A reader that has gone away wants no more; the exit code says how the work ended.
        let _gone = writeln!(std::io::stdout(), "{}", text.as_ref());
    }
}

/// A unit of work as one JSON object on a line.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Writes text to standard output as it is.
pub fn text(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Progress of a long piece of work.
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    total: u64,
    told: AtomicU64,
}

impl Progress {
    /// Begins; `total` 0 means that the end is not known.
    pub fn begin(what: &str, total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
            let template = if total == 0 {
                "{spinner} {msg} {human_pos}"
            } else {
                "{bar:30} {percent:>3}% {msg} {human_pos}/{human_len} ({eta})"
            };
            // Cannot fail: the templates are constants.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(what.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, what: what.to_owned(), total, told: AtomicU64::new(0) }
    }

    /// How far it is.
    pub fn at(&self, done: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(done),
            None if self.total > 0 => {
                // Plain lines: one each quarter.
                let quarter = done.saturating_mul(4) / self.total.max(1);
                if self.told.fetch_max(quarter, Ordering::Relaxed) < quarter && quarter < 4 {
                    eprintln!("{}: {} %", self.what, quarter * 25);
                }
            }
            None => {}
        }
    }

    /// Done.
    pub fn done(self, said: &str) {
        match self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                eprintln!("{}: {said}", self.what);
            }
            None => eprintln!("{}: {said}", self.what),
        }
    }
}
