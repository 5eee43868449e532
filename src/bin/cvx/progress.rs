//! How far a long command is, on standard error: a bar, lines, or JSON objects.

use cvx::cli::values::ProgressForm;
use cvx::commands::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two lines of `plain`.
const PLAIN_EVERY: Duration = Duration::from_secs(30);
/// Time between two objects of `json` that stand for no durable batch.
const JSON_EVERY: Duration = Duration::from_secs(5);
/// Time between two changes of the bar.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// Draws or writes the progress of a command.
pub struct Bar {
    form: ProgressForm,
    /// Only where it is drawn: a hidden bar still costs.
    bar: Option<ProgressBar>,
    said: Instant,
    quiet: bool,
}

/// When an event is written as a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Every time in JSON: the event is a promise, such as durability.
    Every,
    /// At once in JSON, since a new stage began; later now and then.
    First,
    /// Now and then.
    Now,
}

impl Bar {
    /// As `--progress` and the terminal say.
    pub fn new(form: ProgressForm, quiet: bool) -> Bar {
        let drawn = form == ProgressForm::Auto && !quiet && std::io::stderr().is_terminal();
        Bar { form, bar: drawn.then(spinner), said: Instant::now(), quiet }
    }

    /// Shows how far the run has come, as often as the form allows.
    pub fn show(&mut self, progress: &Progress<'_>) {
        let pace = match progress {
            Progress::Durable { .. } => Pace::Every,
            Progress::Stage { done: 0, .. } => Pace::First,
            _ => Pace::Now,
        };
        let every = match self.form {
            _ if self.bar.is_some() && pace == Pace::Now => BAR_EVERY,
            _ if self.bar.is_some() => Duration::ZERO,
            ProgressForm::Json if pace == Pace::Now => JSON_EVERY,
            ProgressForm::Json => Duration::ZERO,
            ProgressForm::Plain if !self.quiet => PLAIN_EVERY,
            _ => return,
        };
        if self.said.elapsed() < every {
            return;
        }
        self.said = Instant::now();
        match &self.bar {
            Some(bar) => {
                bar.set_message(text(progress));
                bar.tick();
            }
            None if self.form == ProgressForm::Json => line(&object(progress)),
            None => line(&text(progress)),
        }
    }

    /// Runs something that writes to standard error, with the bar out of the way.
    pub fn aside(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
        bar.set_style(style);
    }
    bar
}

fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// For people.
fn text(progress: &Progress<'_>) -> String {
    match progress {
        Progress::Analysed { entities, points } => format!("{entities} entities, {points} points"),
        Progress::Compared { windows, points } => format!("{windows} windows, {points} points"),
        Progress::Stage { name, done: 0, .. } => (*name).to_owned(),
        Progress::Stage { name, done, of } => format!("{name}: {done} of {of}"),
        Progress::Durable { rows, bytes, .. } => {
            format!("{rows} rows durable, {:.1} MB read", *bytes as f64 / 1e6)
        }
        Progress::Epoch { epoch, of, loss, validation_loss, best } => {
            format!("epoch {epoch} of {of}: loss {loss:.4}, held out {validation_loss:.4}, best at {best}")
        }
        _ => String::new(),
    }
}

/// For programs.
fn object(progress: &Progress<'_>) -> String {
    match progress {
        Progress::Analysed { entities, points } => {
            format!("{{\"event\":\"progress\",\"entities\":{entities},\"points\":{points}}}")
        }
        Progress::Compared { windows, points } => {
            format!("{{\"event\":\"progress\",\"windows\":{windows},\"points\":{points}}}")
        }
        Progress::Durable { rows, commit, .. } => {
            format!("{{\"event\":\"commit\",\"rows_durable\":{rows},\"commit\":{commit}}}")
        }
        Progress::Stage { name, done, of } => {
            json!({"event": "stage", "stage": name, "done": done, "of": of}).to_string()
        }
        Progress::Epoch { epoch, loss, validation_loss, best, .. } => json!({
            "event": "epoch",
            "epoch": epoch,
            "loss": loss,
            "validation_loss": validation_loss,
            "best_epoch": best,
        })
        .to_string(),
        _ => json!({"event": "progress"}).to_string(),
    }
}
