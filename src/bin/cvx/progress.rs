//! How far a long command is, on standard error: a bar, lines, or JSON objects.

use crate::context::Context;
use crate::values::ProgressForm;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two lines of `plain`.
const PLAIN_EVERY: Duration = Duration::from_secs(30);
/// Time between two objects of `json` that stand for no durable batch.
const JSON_EVERY: Duration = Duration::from_secs(5);
/// Time between two changes of the bar.
const BAR_EVERY: Duration = Duration::from_millis(100);

/// The progress of a command.
pub struct Progress {
    form: ProgressForm,
    /// Only where it is drawn: a hidden bar still costs.
    bar: Option<ProgressBar>,
    said: Instant,
    quiet: bool,
}

impl Progress {
    /// As `--progress` and the terminal say.
    pub fn new(context: &Context) -> Progress {
        let form = context.settings.progress.unwrap_or(ProgressForm::Auto);
        let drawn = form == ProgressForm::Auto && !context.run.quiet && std::io::stderr().is_terminal();
        let bar = drawn.then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
                bar.set_style(style);
            }
            bar
        });
        Progress { form, bar, said: Instant::now(), quiet: context.run.quiet }
    }

    /// The first `rows` rows are durable, in `commit`; they took `bytes` of input.
    pub fn durable(&mut self, rows: u64, commit: u64, bytes: u64) {
        let text = || format!("{rows} rows durable, {:.1} MB read", bytes as f64 / 1e6);
        if let Some(bar) = &self.bar {
            bar.set_message(text());
            bar.tick();
        }
        match self.form {
            ProgressForm::Json => {
                self.line(&format!("{{\"event\":\"commit\",\"rows_durable\":{rows},\"commit\":{commit}}}"));
            }
            ProgressForm::Plain if !self.quiet && self.said.elapsed() >= PLAIN_EVERY => {
                self.said = Instant::now();
                self.line(&text());
            }
            _ => {}
        }
    }

    /// So many entities and points have been analysed.
    pub fn analysed(&mut self, entities: u64, points: u64) {
        self.step(
            || format!("{entities} entities, {points} points"),
            || format!("{{\"event\":\"progress\",\"entities\":{entities},\"points\":{points}}}"),
        );
    }

    /// So many windows and their points have been compared.
    pub fn compared(&mut self, windows: u64, points: u64) {
        self.step(
            || format!("{windows} windows, {points} points"),
            || format!("{{\"event\":\"progress\",\"windows\":{windows},\"points\":{points}}}"),
        );
    }

    /// Something began that says nothing until it ends.
    pub fn begin(&mut self, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_string());
            bar.tick();
        }
    }

    /// Something went on: a text for people, an object for programs. Said now and then.
    pub fn step(&mut self, text: impl FnOnce() -> String, object: impl FnOnce() -> String) {
        let every = match self.form {
            _ if self.bar.is_some() => BAR_EVERY,
            ProgressForm::Plain if !self.quiet => PLAIN_EVERY,
            ProgressForm::Json => JSON_EVERY,
            _ => return,
        };
        if self.said.elapsed() < every {
            return;
        }
        self.said = Instant::now();
        match &self.bar {
            Some(bar) => {
                bar.set_message(text());
                bar.tick();
            }
            None if self.form == ProgressForm::Json => self.line(&object()),
            None => self.line(&text()),
        }
    }

    fn line(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Runs something that writes to standard error, with the bar out of the way.
    pub fn aside(&self, say: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of a command that works in stages.
pub struct Stages {
    progress: std::sync::Mutex<Progress>,
}

impl Stages {
    /// As `--progress` and the terminal say.
    pub fn new(context: &Context) -> Stages {
        Stages { progress: std::sync::Mutex::new(Progress::new(context)) }
    }

    /// `done` of `of` are through `stage`; 0 of 0 where nobody knows.
    pub fn at(&self, stage: &str, done: u64, of: u64) {
        let mut progress = self.progress.lock().unwrap_or_else(|e| e.into_inner());
        let text = if done > 0 { format!("{stage}: {done} of {of}") } else { stage.to_owned() };
        if let Some(bar) = &progress.bar {
            bar.set_message(text.clone());
            bar.tick();
        }
        let due = progress.said.elapsed();
        match progress.form {
            ProgressForm::Json if done == 0 || due >= JSON_EVERY => {
                let line = serde_json::json!({"event": "stage", "stage": stage, "done": done, "of": of});
                progress.said = Instant::now();
                progress.line(&line.to_string());
            }
            ProgressForm::Plain if !progress.quiet && due >= PLAIN_EVERY => {
                progress.said = Instant::now();
                progress.line(&text);
            }
            _ => {}
        }
    }
}
