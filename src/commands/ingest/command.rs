//! The command: what it takes, its rows, its outcome.

use super::{Event, Options, Report, ingest, plan};
use crate::analytics::changepoint::bocpd::Alarm;
use crate::commands::{Level, Outcome, Progress, Rows, Session, Watch};
use crate::dataset::{self, Sync};
use crate::error::{Code, Error, Result};
use crate::input::Names;
use crate::output::{Id, Time};
use crate::rows::{EventRow, IngestPlanRow, IngestRow};
use std::path::PathBuf;

/// Files to read into a dataset.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which, and how to read them.
    pub options: Options,
    /// Names for the ids of the input, in a dataset with names: a file with id and name.
    pub names: Option<PathBuf>,
    /// When rows become durable.
    pub sync: Sync,
}

impl Request {
    fn prepared(&self, session: &Session) -> Result<Options> {
        let mut options = self.options.clone();
        let input = &options.input;
        let both = [
            (input.model.is_some() && input.map.model.is_some(), "model"),
            (input.source.is_some() && input.map.source.is_some(), "source"),
        ];
        if let Some((_, name)) = both.iter().find(|(both, _)| *both) {
            let text = format!("both ‹{name}› and ‹map {name}=COL› say what the {name} is");
            return Err(Error::usage(text).fix("leave one of them out"));
        }
        options.input.names = self.names.as_deref().map(Names::read).transpose()?;
        // A batch is in memory as text, as rows, and as what is written.
        options.batch.bytes = options.batch.bytes.min(session.memory() / 8).max(1 << 20);
        options.input.memory = session.memory();
        options.words = session.settings().words;
        if let Some(detect) = &mut options.detect {
            detect.command.clone_from(&session.settings().command_line);
        }
        Ok(options)
    }
}

/// Reads the files. `changes` receives the change points that are noticed on the way. Rows that were left out and
/// files that could not be read to their end make the outcome incomplete.
///
/// # Errors
/// Fails when no file can be read, when the dataset cannot be written, when the watch stops the run, and when `changes`
/// fails; what was durable stays.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    changes: &mut dyn Rows<EventRow>,
) -> Result<(IngestRow, Outcome)> {
    let options = request.prepared(session)?;
    if request.sync == Sync::None {
        watch.note(Level::Note, "‹sync none›: a power cut may lose everything this run writes");
    }
    let writing = dataset::Options { sync: request.sync, ..session.writing("ingest") };
    let mut on_event = |event| {
        match event {
            Event::Commit { rows_durable: rows, commit, bytes_read: bytes } => {
                watch.progress(&Progress::Durable { rows, commit, bytes });
            }
            Event::Skipped(path) => {
                let text = format!("skipped {}: it was ingested before", path.display());
                watch.note(Level::Detail, &text);
            }
            Event::Change { entity, name, alarm } => changes.row(event_row(entity, name, &alarm))?,
            Event::Warning(text) => watch.note(Level::Warning, &text),
            Event::Note(text) => watch.note(Level::Note, &text),
        }
        Ok(())
    };
    let report = ingest(session.dir(), writing, &options, &mut on_event, watch)?;
    changes.end()?;
    let outcome = match report.rows_rejected {
        _ if !report.failed.is_empty() => Outcome::of(Err(failed(watch, &report))),
        0 => Outcome::COMPLETE,
        n => Outcome::of(Err(partial(n, options.rejects.is_some()))),
    };
    Ok((row(&report), outcome))
}

/// Which files would be read, from where.
///
/// # Errors
/// Fails when a file or the dataset cannot be read, when the watch stops the run, and when `out` fails.
pub fn preview(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<IngestPlanRow>,
) -> Result<()> {
    let (files, left_out) = plan(session.dir(), &request.prepared(session)?, watch)?;
    left_out.iter().for_each(|line| watch.note(Level::Note, line));
    for file in files {
        out.row(IngestPlanRow {
            file: file.path.display().to_string(),
            format: file.format.as_str().to_string(),
            bytes: file.bytes,
            action: match file.rows_known {
                None => "skip",
                Some(0) => "read",
                Some(_) => "resume",
            },
            rows_known: file.rows_known,
        })?;
    }
    out.end()
}

/// The error about files that were not read to their end. The first is in it, so that it is seen where notes are not.
fn failed(watch: &dyn Watch, report: &Report) -> Error {
    report.failed.iter().skip(1).for_each(|f| watch.note(Level::Warning, &f.why));
    let first = &report.failed[0];
    let message = match report.failed.len() {
        1 => format!("1 of {} files was not read to its end: {}", report.files, first.why),
        n => format!("{n} of {} files were not read to their end; the first: {}", report.files, first.why),
    };
    let error = Error::new(Code::Partial, message).file(&first.path);
    error.fix(first.fix.as_deref().unwrap_or("mend the file and run the command again"))
}

fn partial(rejected: u64, listed: bool) -> Error {
    let error = Error::new(
        Code::Partial,
        match rejected {
            1 => "1 row was left out, all others are in".to_owned(),
            n => format!("{n} rows were left out, all others are in"),
        },
    );
    error.fix(if listed { "the rejects file says why" } else { "‹rejects FILE› says which and why" })
}

fn event_row(entity: u64, name: Option<String>, alarm: &Alarm) -> EventRow {
    EventRow {
        event: "change",
        entity_id: Id(entity),
        entity: name,
        t: Time(alarm.t),
        detected_at: Time(alarm.detected_at),
        method: "bocpd",
        kind: alarm.kind.as_str(),
        p_recent: alarm.p_recent,
        severity: alarm.severity,
    }
}

fn row(r: &Report) -> IngestRow {
    IngestRow {
        files: r.files,
        rows_read: r.rows_read,
        rows_added: r.rows_added,
        rows_unchanged: r.rows_unchanged,
        rows_replaced: r.rows_replaced,
        rows_rejected: r.rows_rejected,
        rows_erased: r.rows_erased,
        entities_new: r.entities_new,
        points_total: r.points_total,
        bytes_read: r.bytes_read,
        bytes_written: r.bytes_written,
        commits: r.commits,
        seq_from: r.seq_from,
        seq_to: r.seq_to,
        seconds: r.seconds,
        rows_per_s: r.rows_read as f64 / r.seconds,
        files_skipped: r.files_skipped,
        files_failed: r.failed.len() as u64,
    }
}
