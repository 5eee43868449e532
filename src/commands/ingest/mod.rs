//! From input files to durable points: reads ahead in a thread of its own, appends batch by
//! batch, keeps the ledger, counts.

mod command;
mod conflicts;
mod detection;
mod erased;
mod fingerprint;
mod mending;
mod planned;
mod reading;
mod rejects;
mod tolerance;

pub use command::{Request, preview, run};
pub use detection::Detect;
pub use planned::{Planned, plan};
use tolerance::Seen;
pub use tolerance::Tolerance;

use crate::analytics::changepoint::bocpd::Alarm;
use crate::config::{IdKind, Settings};
use crate::dataset::{self, Conflict, OnConflict, Sync, Writer};
use crate::error::{Code, Error, Result, Words};
use crate::format::hex;
use crate::input::{BadRow, InputOptions, Limits};
use crate::metric::Metric;
use crate::model::EntityId;
use crate::results::ledger::{Entry, Ledger, Tail};
use crate::watch::Watch;
use detection::Detection;
use erased::Erased;
use fingerprint::Fingerprint;
use reading::{Message, Plan, Reading};
use rejects::Rejects;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

/// The ledger is written at most this often; a kill in between costs reading those rows again.
const LEDGER_EVERY: Duration = Duration::from_secs(1);

/// How often a run that waits for input asks whether to stop.
const STOP_EVERY: Duration = Duration::from_millis(100);

/// What to ingest and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Files, directories, globs or `-`.
    pub sources: Vec<PathBuf>,
    /// How to read them; dimension and kind of ids are the dataset's.
    pub input: InputOptions,
    /// Other content for a stored key.
    pub on_conflict: OnConflict,
    /// Bad rows tolerated.
    pub max_errors: Tolerance,
    /// A pattern or directory may hold no file.
    pub allow_empty: bool,
    /// Where bad rows go, as JSON lines.
    pub rejects: Option<PathBuf>,
    /// Size of a durable batch.
    pub batch: Limits,
    /// Skip a finished file by its size and time of change, without reading it.
    pub trust_mtime: bool,
    /// Look for change points in what becomes durable.
    pub detect: Option<Detect>,
    /// How the file of bad rows names parameters.
    pub words: Words,
    /// Take rows of erased entities and points too, and lift their tombstones.
    pub allow_erased: bool,
}

impl Options {
    /// What becomes of rows whose key is stored. Where they replace others and their model or source is said,
    /// it counts: so one that was forgotten is set by ingesting the file again.
    fn on_conflict(&self) -> OnConflict {
        let InputOptions { model, source, map, .. } = &self.input;
        let model = model.is_some() || map.model.is_some();
        let source = source.is_some() || map.source.is_some();
        match self.on_conflict {
            OnConflict::Replace if model || source => OnConflict::Relabel { model, source },
            other => other,
        }
    }
}

/// What happened while ingesting.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The first `rows_durable` rows of this run are durable.
    Commit {
        /// Input rows of this run, those that changed nothing included.
        rows_durable: u64,
        /// The newest published version.
        commit: u64,
        /// Bytes of input behind these rows.
        bytes_read: u64,
    },
    /// A file is skipped: it was ingested before and has not changed.
    Skipped(PathBuf),
    /// A change point was noticed.
    Change {
        /// The entity.
        entity: EntityId,
        /// Its name, where entities have names.
        name: Option<String>,
        /// When.
        alarm: Alarm,
    },
    /// Something the user should know.
    Warning(String),
    /// Something that the user may want to know.
    Note(String),
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Files given.
    pub files: u64,
    /// Of those, files that were ingested before.
    pub files_skipped: u64,
    /// Rows read, bad ones included.
    pub rows_read: u64,
    /// Rows with a new key.
    pub rows_added: u64,
    /// Rows that were stored already.
    pub rows_unchanged: u64,
    /// Rows that replaced other content.
    pub rows_replaced: u64,
    /// Bad rows and conflicts.
    pub rows_rejected: u64,
    /// Rows of erased entities and erased points, which were left out.
    pub rows_erased: u64,
    /// Entities without a point before.
    pub entities_new: u64,
    /// Points in the dataset afterwards.
    pub points_total: u64,
    /// Bytes of input.
    pub bytes_read: u64,
    /// Bytes written to log and files.
    pub bytes_written: u64,
    /// Versions published.
    pub commits: u64,
    /// Sequence number of the first row stored.
    pub seq_from: u64,
    /// Sequence number behind the last row stored.
    pub seq_to: u64,
    /// Wall time.
    pub seconds: f64,
    /// Files that were not read to their end, and why. Rows before the fault are in.
    pub failed: Vec<Failed>,
}

/// A file that was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The file.
    pub path: PathBuf,
    /// Why, with the place.
    pub why: String,
    /// How to mend it.
    pub fix: Option<String>,
}

/// Ingests into the dataset in `dir`. On an error, what was durable before it stays. With
/// [`Sync::Commit`] a file that cannot be read, or has too many bad rows, does not keep the others from
/// being read: it is listed in [`Report::failed`], unless it was the only one. `stop` is asked between
/// batches and ends the run early with its error.
pub fn ingest(
    dir: &Path,
    writer: dataset::Options,
    options: &Options,
    on_event: &mut dyn FnMut(Event) -> Result<()>,
    watch: &dyn Watch,
) -> Result<Report> {
    let started = Instant::now();
    let sync = writer.sync;
    let rejects = options.rejects.as_deref().map(|p| Rejects::new(p, dir, options.words)).transpose()?;
    if options.detect.is_some() && sync != Sync::Commit {
        return Err(Error::usage(
            "changes are told of rows that are durable, and with this ‹sync› none is until the end",
        )
        .fix("leave out ‹sync› or ‹detect›"));
    }
    let writer = Writer::open(dir, writer)?;
    let mut run = Run::new(dir, writer, options, rejects, on_event)?;
    run.detection = options.detect.as_ref().map(|d| Detection::open(dir, d, run.on_event)).transpose()?;
    let mut plan = run.plan(watch)?;
    let unreadable = std::mem::take(&mut plan.unreadable);
    let plan = Arc::new(plan);
    if let Some(r) = &run.rejects {
        let skipped = plan.skipped.iter().map(|p| p.as_path());
        r.check_inputs(plan.jobs.iter().map(|j| j.path.as_path()).chain(skipped))?;
    }
    for (path, error) in unreadable {
        run.fail(&plan, &path, error)?;
    }
    run.mend(&plan)?;
    let outcome = run.read_all(&plan, watch);
    if outcome.is_err() && sync != Sync::Commit {
        // Nothing was published, and nothing will be.
        return Err(outcome.err().unwrap_or_else(|| Error::internal("an error that is none")));
    }
    let finished = run.finish();
    outcome?;
    let mut report = finished?;
    report.files = plan.total as u64;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// One run: the writer and everything that is counted.
struct Run<'a> {
    dir: &'a Path,
    writer: Writer,
    options: &'a Options,
    input: InputOptions,
    rejects: Option<Rejects>,
    on_event: &'a mut dyn FnMut(Event) -> Result<()>,
    report: Report,
    ledger: Ledger,
    ledger_written: Instant,
    ledger_dirty: bool,
    first_commit: u64,
    zero_vectors: u64,
    /// Floats of metadata that JSON does not have.
    lost_floats: u64,
    /// The file whose other rows are passed over, because it has failed.
    given_up: Option<usize>,
    /// Bytes of the files that are finished.
    bytes_finished: u64,
    /// Rows refused in them.
    rejected_before: u64,
    detection: Option<Detection>,
    /// The last row of the current file, when its line has no end.
    tail: Option<Tail>,
    /// The first names were looked at.
    named: bool,
    erased: Erased,
}

impl<'a> Run<'a> {
    fn new(
        dir: &'a Path,
        writer: Writer,
        options: &'a Options,
        rejects: Option<Rejects>,
        on_event: &'a mut dyn FnMut(Event) -> Result<()>,
    ) -> Result<Self> {
        let settings = writer.config().settings;
        let recovered = writer.recovered();
        if recovered.torn > 0 {
            on_event(Event::Warning(format!(
                "an earlier ingest was interrupted: {} bytes of a batch that was never acknowledged are dropped",
                recovered.torn
            )))?;
        }
        let ledger = match Ledger::read(dir) {
            Ok(l) => l,
            Err(e) => {
                on_event(Event::Warning(format!(
                    "{e}; files are read again, rows stored already change nothing"
                )))?;
                Ledger::default()
            }
        };
        let erased = Erased::open(dir, writer.config().id, options.allow_erased)?;
        let input = input_of(&settings, options);
        let report = Report { seq_from: writer.next_seq(), ..Report::default() };
        Ok(Run {
            dir,
            first_commit: writer.commit(),
            writer,
            options,
            input,
            rejects,
            on_event,
            report,
            ledger,
            ledger_written: Instant::now(),
            ledger_dirty: false,
            zero_vectors: 0,
            lost_floats: 0,
            given_up: None,
            bytes_finished: 0,
            rejected_before: 0,
            detection: None,
            tail: None,
            named: false,
            erased,
        })
    }

    /// Which files to read, and from where.
    fn plan(&mut self, watch: &dyn Watch) -> Result<Plan> {
        let fingerprint = Fingerprint::of(&self.input, self.options.on_conflict);
        // A finished file may hold rows that were left out as erased.
        let none = Ledger::default();
        let known = if self.options.allow_erased { &none } else { &self.ledger };
        let plan = reading::plan(self.options, &self.input, known, fingerprint, watch)?;
        for line in &plan.left_out {
            (self.on_event)(Event::Note(line.clone()))?;
        }
        for path in &plan.skipped {
            (self.on_event)(Event::Skipped(path.clone()))?;
        }
        self.report.files_skipped = plan.skipped.len() as u64;
        Ok(plan)
    }

    fn read_all(&mut self, plan: &Arc<Plan>, watch: &dyn Watch) -> Result<()> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let reading =
            Reading { plan: plan.clone(), limits: self.options.batch, max_errors: self.options.max_errors };
        // Not a scoped thread: when a signal ends the run, a read of standard input may wait
        // for ever. Dropping the receiver ends the thread at its next batch.
        let thread = std::thread::Builder::new().name("input".into()).spawn(move || reading.run(&sender));
        let thread = thread.map_err(|e| {
            Error::new(Code::Io, format!("no thread can be started: {e}"))
                .fix("the limit of processes is reached: raise it with ulimit -u, or end other processes")
        })?;
        loop {
            let message = receiver.recv_timeout(STOP_EVERY);
            watch.stop()?;
            match message {
                Ok(message) => self.take(plan, message)?,
                // Where no worker could be started this thread is the only one, and parses too.
                Err(RecvTimeoutError::Timeout) => drop(rayon::yield_now()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        thread.join().map_err(|_| Error::internal("the reading thread failed"))
    }

    /// Notes a file that failed; the error ends the run where no other file is read.
    fn fail(&mut self, plan: &Plan, path: &Path, error: Error) -> Result<()> {
        if plan.total == 1 || !self.durable_by_batch() {
            return Err(error);
        }
        self.rejected_before = self.report.rows_rejected;
        self.tail = None;
        let (why, fix) = (error.marked(), error.hint().map(str::to_owned));
        self.report.failed.push(Failed { path: path.to_owned(), why, fix });
        Ok(())
    }

    fn take(&mut self, plan: &Plan, message: Message) -> Result<()> {
        match message {
            Message::Batch { job, .. } | Message::Done { job, .. } | Message::Failed { job, .. }
                if self.given_up == Some(job) =>
            {
                Ok(())
            }
            Message::Batch { job, mut rows, bad, checkpoint, tail } => {
                self.report.rows_read += (rows.len() + bad.len()) as u64;
                self.lost_floats += rows.lost;
                self.refuse(bad)?;
                let (last, count) = (mending::Last::of(&rows, tail), rows.len() as u64);
                let added = match self.append(&plan.jobs[job], &mut rows) {
                    Err(e) if e.code() == Code::Conflict => {
                        self.given_up = Some(job);
                        return self.fail(plan, &plan.jobs[job].path, e);
                    }
                    other => other?,
                };
                // Only a row that this run stored can be taken back.
                self.tail = match last.filter(|_| added == count) {
                    Some(last) => self.tail(last)?,
                    None => None,
                };
                self.report.bytes_read = self.bytes_finished + checkpoint.byte;
                if self.durable_by_batch() {
                    (self.on_event)(Event::Commit {
                        rows_durable: self.report.rows_read,
                        commit: self.writer.commit(),
                        bytes_read: self.report.bytes_read,
                    })?;
                }
                self.note(plan, job, &checkpoint, false)
            }
            Message::Bad(bad) => {
                self.report.rows_read += bad.len() as u64;
                self.refuse(bad)
            }
            Message::Done { job, checkpoint, bytes } => {
                self.bytes_finished += bytes;
                self.report.bytes_read = self.bytes_finished;
                let rows = checkpoint.rows.saturating_sub(plan.jobs[job].rows_known());
                let bad = self.report.rows_rejected - self.rejected_before;
                // With the conflicts, which the reader does not know.
                if self.options.max_errors.is_exceeded_at_end(Seen { refused: bad, rows, bad }) {
                    let path = &plan.jobs[job].path;
                    return self.fail(plan, path, reading::too_many(path, rows, bad));
                }
                self.note(plan, job, &checkpoint, true)?;
                self.tail = None;
                self.rejected_before = self.report.rows_rejected;
                Ok(())
            }
            Message::Failed { job, bad, error } => {
                self.refuse(bad)?;
                self.fail(plan, &plan.jobs[job].path, error)
            }
        }
    }

    fn durable_by_batch(&self) -> bool {
        self.writer.sync() == Sync::Commit
    }

    /// Stores a batch; returns how many of its rows are new.
    fn append(&mut self, job: &reading::Job, rows: &mut crate::input::InputRows) -> Result<u64> {
        let named = self.writer.config().settings.ids == IdKind::String;
        self.report.rows_erased += self.erased.filter(rows);
        self.zero_vectors +=
            rows.points.x.chunks_exact(rows.points.dim).filter(|x| x.iter().all(|v| *v == 0.0)).count()
                as u64;
        let names = named.then(|| std::mem::take(&mut rows.names));
        if let Some(names) = names.as_ref().filter(|n| !self.named && !n.is_empty()) {
            self.named = true;
            let number = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
            if self.input.names.is_none() && names.iter().all(number) {
                (self.on_event)(Event::Note(
                    "the entities are numbers, and each is its own name; ‹names FILE› gives them others"
                        .into(),
                ))?;
            }
        }
        let watched = self.detection.is_some().then(|| rows.points.clone());
        let room = self.options.max_errors.room(self.report.rows_rejected);
        let mut conflicts: Vec<Conflict> = Vec::new();
        let appended =
            self.writer.append(&mut rows.points, names.as_ref(), self.options.on_conflict(), &mut |c| {
                conflicts.push(c);
                match room {
                    Some(r) if conflicts.len() as u64 > r => Err(Error::internal("a conflict too many")),
                    _ => Ok(()),
                }
            });
        // Their rows are still there: nothing of a batch with conflicts was moved out of it.
        let mut told = conflicts::rows(job, rows, names.as_ref(), &conflicts);
        let appended = match (appended, room) {
            (Ok(appended), _) => appended,
            (Err(_), Some(r)) if told.len() as u64 > r => {
                let (label, bad) = told.swap_remove(told.len() - 1);
                return Err(bad.into_error().entity(label));
            }
            (Err(e), _) => return Err(e),
        };
        self.report.rows_added += appended.added;
        self.report.rows_unchanged += appended.unchanged;
        self.report.rows_replaced += appended.replaced;
        self.report.entities_new += appended.new_entities;
        if let (Some(detection), Some(points)) = (&mut self.detection, watched) {
            detection.take(points, names.as_ref(), appended.added, self.writer.dict(), self.on_event)?;
        }
        self.refuse(told.into_iter().map(|(_, bad)| bad).collect())?;
        Ok(appended.added)
    }

    /// Counts and writes down tolerated rows.
    fn refuse(&mut self, bad: Vec<BadRow>) -> Result<()> {
        self.report.rows_rejected += bad.len() as u64;
        match &mut self.rejects {
            Some(r) => r.write(&bad),
            None => Ok(()),
        }
    }

    /// Notes in the ledger how far a file is durable.
    fn note(&mut self, plan: &Plan, job: usize, at: &crate::input::Checkpoint, done: bool) -> Result<()> {
        let job = &plan.jobs[job];
        let Some(key) = &job.key else { return Ok(()) };
        let entry = Entry {
            size: job.size,
            mtime_us: job.mtime_us,
            options: plan.fingerprint.now,
            rows: at.rows,
            rejected: self.report.rows_rejected - self.rejected_before,
            byte: at.byte,
            hash: hex(&job.content.unwrap_or(at.prefix).to_be_bytes()),
            done,
            tail: self.tail.clone(),
        };
        self.ledger.set(key.clone(), entry);
        self.ledger_dirty = true;
        if self.durable_by_batch() && self.ledger_written.elapsed() >= LEDGER_EVERY {
            self.write_ledger()?;
        }
        Ok(())
    }

    fn write_ledger(&mut self) -> Result<()> {
        if self.ledger_dirty {
            self.ledger.write(self.dir)?;
            self.ledger_dirty = false;
        }
        self.ledger_written = Instant::now();
        Ok(())
    }

    /// Seals, publishes, and completes the report.
    fn finish(mut self) -> Result<Report> {
        if self.durable_by_batch() {
            self.write_ledger()?;
        }
        self.writer.seal()?;
        let mut report = self.report;
        report.seq_to = self.writer.next_seq();
        let sync = self.writer.sync();
        let settings = self.writer.config().settings;
        report.bytes_written = self.writer.bytes_written();
        report.points_total = self.writer.points();
        let seen = (self.writer.commit(), self.writer.next_seq());
        let dataset = self.writer.config().id;
        let late = self.detection.as_ref().map_or(0, Detection::late);
        let (dir, erased) = (self.dir, self.erased);
        let (commit, _) = self.writer.finish_with(|| {
            if sync != Sync::Commit && self.ledger_dirty {
                self.ledger.write(self.dir)?;
            }
            erased.finish(dir)?;
            self.detection.map_or(Ok(()), |d| d.finish(self.dir, dataset, seen))
        })?;
        if report.rows_erased > 0 {
            (self.on_event)(Event::Warning(format!(
                "{} rows belong to entities or points that were erased, and were left out; ‹allow-erased› takes them",
                report.rows_erased
            )))?;
        }
        if late > 0 {
            (self.on_event)(Event::Warning(format!(
                "{late} points came at times that the detectors had passed, and were left out by them"
            )))?;
        }
        report.commits = commit - self.first_commit;
        if let Some(r) = self.rejects
            && report.rows_read > 0
        {
            r.finish()?;
        }
        if self.zero_vectors > 0 && settings.metric == Metric::Cosine {
            let vectors = match self.zero_vectors {
                1 => "1 vector is all zeros: it is stored, and has".to_owned(),
                n => format!("{n} vectors are all zeros: they are stored, and have"),
            };
            (self.on_event)(Event::Warning(format!("{vectors} no cosine distance to anything")))?;
        }
        if self.lost_floats > 0 {
            let values = match self.lost_floats {
                1 => "1 value of the metadata is NaN or infinite".to_owned(),
                n => format!("{n} values of the metadata are NaN or infinite"),
            };
            (self.on_event)(Event::Note(format!("{values}, which JSON does not have: left out")))?;
        }
        Ok(report)
    }
}

/// How to read input for a dataset.
fn input_of(settings: &Settings, options: &Options) -> InputOptions {
    let ids = match settings.ids {
        IdKind::U64 => crate::input::IdKind::U64,
        IdKind::String => crate::input::IdKind::Name,
    };
    InputOptions { dim: settings.dim, ids, ..options.input.clone() }
}

#[cfg(test)]
mod tests;
