//! The person or program that started the run: notes and progress on standard error, confirmations, signals.

use crate::progress::Bar;
use crate::signals;
use cvx::cli::Globals;
use cvx::cli::values::{LogForm, ProgressForm};
use cvx::commands::{Level, Progress, Watch};
use cvx::error::{Error, Result, Words};
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Mutex;

/// How the program speaks on standard error.
pub struct Console {
    quiet: bool,
    verbose: bool,
    yes: bool,
    form: Option<LogForm>,
    bar: Mutex<Bar>,
}

impl Console {
    /// As the options say.
    pub fn new(run: &Globals, progress: Option<ProgressForm>, form: Option<LogForm>) -> Console {
        let bar = Mutex::new(Bar::new(progress.unwrap_or(ProgressForm::Auto), run.quiet));
        Console { quiet: run.quiet, verbose: run.verbose, yes: run.yes, form, bar }
    }

    /// Asks before something that cannot be undone, where somebody can answer; `--yes` answers.
    /// `what` is what would happen; `else_fix` says what to do where nobody is asked.
    pub fn confirm(&self, what: &str, else_fix: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Error::usage(format!("{what} needs a confirmation")).fix(else_fix));
        }
        let mut answer = String::new();
        let _ = write!(std::io::stderr(), "{what}. Go on? [y/N] ");
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.map_err(|e| Error::io("read", std::path::Path::new("standard input"), &e))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::usage("nothing was changed")),
        }
    }

    /// A line that is no error.
    pub fn note(&self, text: &str) {
        self.say("note", text);
    }

    /// A line about something that may be wrong.
    pub fn warn(&self, text: &str) {
        self.say("warning", text);
    }

    /// A line for those who asked for more.
    pub fn detail(&self, text: &str) {
        if self.verbose {
            self.say("note", text);
        }
    }

    fn say(&self, level: &str, text: &str) {
        if self.quiet {
            return;
        }
        // Names come from data; a terminal must not obey them, nor a line look like two.
        let text = &Words::Options.write(text).replace(|c: char| c.is_control(), "\u{fffd}");
        let line = match self.form {
            Some(LogForm::Json) => serde_json::json!({"level": level, "message": text}).to_string(),
            _ => format!("{level}: {text}"),
        };
        self.bar().aside(|| drop(writeln!(std::io::stderr(), "{line}")));
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Watch for Console {
    fn stop(&self) -> Result<()> {
        signals::check()
    }

    fn progress(&self, progress: &Progress<'_>) {
        self.bar().show(progress);
    }

    fn note(&self, level: Level, text: &str) {
        match level {
            Level::Detail => self.detail(text),
            Level::Note => self.note(text),
            Level::Warning => self.warn(text),
        }
    }
}
