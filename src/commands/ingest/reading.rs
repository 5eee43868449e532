//! The reading side: which files, from where, and the thread that reads ahead.

use super::fingerprint::Fingerprint;
use super::tolerance::{Seen, Tolerance};
use super::{Options, mending};
use crate::error::{Code, Error, Result};
use crate::format::unhex;
use crate::input::{self, BadRow, Checkpoint, InputOptions, InputRows, Limits};
use crate::results::ledger::{Entry, Ledger, Tail};
use crate::watch::Watch;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// Bad rows handed over at a time, so that a file full of them does not fill the memory.
const MANY: usize = 1024;

/// One file to read.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) path: PathBuf,
    /// True when its rows have lines.
    pub(super) text: bool,
    /// Its name in the ledger; `None` for what cannot be read twice.
    pub(super) key: Option<String>,
    pub(super) size: u64,
    pub(super) mtime_us: i64,
    /// Hash of the whole file, for binary formats.
    pub(super) content: Option<u128>,
    /// Where an earlier run stopped.
    from: Option<Checkpoint>,
    /// A row that an earlier run took from a line that has gone on since.
    pub(super) cut: Option<Tail>,
}

impl Job {
    /// Rows that an earlier run took in.
    pub(super) fn rows_known(&self) -> u64 {
        self.from.map_or(0, |c| c.rows)
    }
}

/// What a run reads.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) input: InputOptions,
    pub(super) jobs: Vec<Job>,
    pub(super) skipped: Vec<PathBuf>,
    pub(super) total: usize,
    pub(super) fingerprint: Fingerprint,
    /// What the sources hold beside the files that are read, a line for each.
    pub(super) left_out: Vec<String>,
    /// Files that cannot even be looked at, and why.
    pub(super) unreadable: Vec<(PathBuf, Error)>,
}

/// Expands the sources and asks the ledger about each file.
pub(super) fn plan(
    options: &Options,
    input: &InputOptions,
    ledger: &Ledger,
    fingerprint: Fingerprint,
    watch: &dyn Watch,
) -> Result<Plan> {
    let sources = input::expand_sources(&options.sources, input.format, options.allow_empty, watch)?;
    let mut out = Plan {
        input: input.clone(),
        jobs: Vec::new(),
        skipped: Vec::new(),
        total: sources.files.len(),
        fingerprint,
        left_out: sources.left_out,
        unreadable: Vec::new(),
    };
    for path in sources.files {
        watch.stop()?;
        match job(&path, options, input, ledger, fingerprint, watch) {
            Ok(Some(job)) => out.jobs.push(job),
            Ok(None) => out.skipped.push(path),
            Err(error) => {
                watch.stop()?;
                out.unreadable.push((path, error));
            }
        }
    }
    Ok(out)
}

/// The job for a file, or `None` when it was ingested before and has not changed.
fn job(
    path: &Path,
    options: &Options,
    input: &InputOptions,
    ledger: &Ledger,
    fingerprint: Fingerprint,
    watch: &dyn Watch,
) -> Result<Option<Job>> {
    let text = input::format_of(path, input)?.is_text();
    let mut job = Job {
        path: path.to_owned(),
        text,
        key: None,
        size: 0,
        mtime_us: 0,
        content: None,
        from: None,
        cut: None,
    };
    let meta = match std::fs::metadata(path) {
        Ok(m) if m.is_file() => m,
        // Standard input, a pipe or a device: read once, from the start.
        _ => return Ok(Some(job)),
    };
    job.size = meta.len();
    job.mtime_us = meta.modified().map_or(0, |t| match t.duration_since(std::time::UNIX_EPOCH) {
        Ok(d) => i64::try_from(d.as_micros()).unwrap_or(i64::MAX),
        Err(e) => -i64::try_from(e.duration().as_micros()).unwrap_or(i64::MAX),
    });
    job.key = path.canonicalize().ok().and_then(|p| p.to_str().map(str::to_owned));
    let entry = job.key.as_ref().and_then(|k| ledger.get(k));
    // A file that was read to its end is finished, with the bad rows that were tolerated. Of one that was
    // not, the bad rows are told again.
    let known = entry.filter(|e| fingerprint.is(e.options) && (e.rejected == 0 || e.done));
    if let Some(e) = known
        && e.done
        && e.size == job.size
        && ((options.trust_mtime && e.mtime_us == job.mtime_us)
            || hash_of(e) == Some(input::content_hash(path, watch)?.1))
    {
        return Ok(None);
    }
    // The bytes of a packed text are not those that its rows were counted in.
    let packed = text && input::is_packed(path)?;
    if !text || packed {
        job.content = Some(input::content_hash(path, watch)?.1);
    }
    if let Some(e) = entry.filter(|_| text && !packed) {
        job.cut = mending::continued(path, e, job.size, watch)?;
    }
    let Some(e) = known.filter(|_| !packed) else { return Ok(Some(job)) };
    job.from = match &job.cut {
        Some(cut) => unhex::<16>(&cut.hash).map(|prefix| Checkpoint {
            rows: cut.rows,
            byte: cut.byte,
            prefix: u128::from_be_bytes(prefix),
        }),
        None => hash_of(e)
            // A text file may have grown; a binary one must be the same.
            .filter(|hash| if text { e.byte <= job.size } else { job.content == Some(*hash) })
            .map(|prefix| Checkpoint { rows: e.rows, byte: e.byte, prefix }),
    };
    Ok(Some(job))
}

pub(super) fn hash_of(e: &Entry) -> Option<u128> {
    unhex::<16>(&e.hash).map(u128::from_be_bytes)
}

/// What the reading thread hands over.
#[derive(Debug)]
pub(super) enum Message {
    /// The next rows of a file.
    Batch {
        job: usize,
        rows: Box<InputRows>,
        bad: Vec<BadRow>,
        checkpoint: Checkpoint,
        /// Where its last row begins, if that may be a part of what its writer meant.
        tail: Option<Checkpoint>,
    },
    /// Bad rows, many of them, before the rows of the next batch.
    Bad(Vec<BadRow>),
    /// The end of a file of so many bytes.
    Done { job: usize, checkpoint: Checkpoint, bytes: u64 },
    /// No more of a file: the bad rows since the last batch, and why.
    Failed { job: usize, bad: Vec<BadRow>, error: Error },
}

/// The reading thread.
pub(super) struct Reading {
    pub(super) plan: Arc<Plan>,
    pub(super) limits: Limits,
    pub(super) max_errors: Tolerance,
}

impl Reading {
    /// Reads all files in order, as long as the receiver is there.
    pub(super) fn run(&self, out: &SyncSender<Message>) {
        let mut seen = Seen::default();
        for job in 0..self.plan.jobs.len() {
            seen = Seen { refused: seen.refused, ..Seen::default() };
            match self.read(job, &mut seen, out) {
                Ok(true) => {}
                Ok(false) => return,
                Err((bad, error)) => {
                    if out.send(Message::Failed { job, bad, error }).is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// False when nobody listens any more.
    fn read(
        &self,
        at: usize,
        seen: &mut Seen,
        out: &SyncSender<Message>,
    ) -> Result<bool, (Vec<BadRow>, Error)> {
        let Plan { jobs, input, .. } = &*self.plan;
        let job = &jobs[at];
        let mut reader = input::open(&job.path, input, job.from.as_ref()).map_err(|e| (Vec::new(), e))?;
        loop {
            let mut rows = Box::new(InputRows::new(input.dim));
            let mut bad = Vec::new();
            let more = reader.next_batch(&mut rows, self.limits, &mut |b: BadRow| {
                // Rows of a binary format are counted as they come, those of texts batch by batch.
                let rows = b.row.map_or(seen.rows, |row| (row - 1).saturating_sub(job.rows_known()));
                if self.max_errors.is_exceeded(Seen { rows, ..*seen }) {
                    return Err(b.into_error());
                }
                seen.refused += 1;
                seen.bad += 1;
                bad.push(b);
                if bad.len() >= MANY && out.send(Message::Bad(std::mem::take(&mut bad))).is_err() {
                    return Err(Error::internal("nobody takes the rows"));
                }
                Ok(())
            });
            match more {
                Err(e) => return Err((bad, e)),
                Ok(more) => {
                    let checkpoint = reader.checkpoint();
                    let tail = reader.tail().filter(|_| job.key.is_some() && job.content.is_none());
                    seen.rows = checkpoint.rows.saturating_sub(job.rows_known());
                    if !more && self.max_errors.is_exceeded_at_end(*seen) {
                        return Err((bad, too_many(&job.path, seen.rows, seen.bad)));
                    }
                    let had_rows = !rows.is_empty() || !bad.is_empty();
                    let batch = Message::Batch { job: at, rows, bad, checkpoint, tail };
                    if had_rows && out.send(batch).is_err() {
                        return Ok(false);
                    }
                    if !more {
                        let bytes = if job.size > 0 { job.size } else { checkpoint.byte };
                        return Ok(out.send(Message::Done { job: at, checkpoint, bytes }).is_ok());
                    }
                }
            }
        }
    }
}

/// The error of a file that was read to its end with too large a share of bad rows.
pub(super) fn too_many(path: &Path, rows: u64, bad: u64) -> Error {
    Error::new(Code::BadFile, format!("{bad} of {rows} rows are bad, more than ‹max-errors› allows"))
        .file(path)
        .fix("‹rejects FILE› says which and why; the good rows are in")
}
