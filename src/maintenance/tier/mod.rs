//! Old Parquet into cold blocks, and back.

mod codebook;
mod demote;
mod estimate;
mod plan;
mod preview;
mod purge;
mod restore;
mod status;

pub use estimate::totals;
pub use plan::{Move, Policy, plan};
pub use preview::{boundary, preview, waiting};
pub use purge::{Purged, purge};
pub use restore::{Restored, restore, restore_plan};
pub use status::{Group, status};

use super::attempt::{ATTEMPTS, Attempt, patient};
use super::{Limits, compact};
use crate::dataset::{self, Exchange, Snapshot, Workshop, Writer};
use crate::error::{Error, Result};
use crate::fsio::refuse_inside_dataset;
use codebook::Codebook;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// Warm files that became blocks.
    pub partitions: u64,
    /// Points in them.
    pub points: u64,
    /// Bytes of the warm files.
    pub bytes_before: u64,
    /// Bytes of the blocks, of new codebooks, and of originals that were kept.
    pub bytes_after: u64,
    /// Relative errors: of each measure that of the worst block.
    pub errors: [f64; 3],
    /// Files that stay warm: above the largest error allowed, or not exact any more.
    pub skipped: u64,
    /// Files that another process changed meanwhile.
    pub lost: u64,
    /// Files that a limit left for the next run.
    pub left: u64,
    /// Codebooks trained.
    pub codebooks: u64,
    /// Files that were cut in two, or came from hot, so that their older points could go.
    pub cut: u64,
    /// Points that are old enough and not cold.
    pub waiting: u64,
    /// Wall time.
    pub seconds: f64,
    /// The newest version.
    pub commit: u64,
}

/// Sends files to cold as the policy says, each in a version of its own. `stop` ends it early
/// with its error; what was published stays.
pub fn run(
    dir: &Path,
    writing: &dataset::Options,
    policy: &Policy,
    limits: &Limits,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Report> {
    let started = Instant::now();
    if let Some(target) = policy.target.as_deref().filter(|t| !t.contains("://")) {
        refuse_inside_dataset(Path::new(target), "target")?;
    }
    let patient = patient(writing);
    let mut report = cut_files(dir, writing, policy, limits, stop)?;
    let mut stays = HashSet::new();
    for attempt in 0..ATTEMPTS {
        let first = if attempt == 0 { writing } else { &patient };
        let Attempt { shop, snapshot, commit, .. } = Attempt::begin(dir, first)?;
        policy.codec.check_dim(snapshot.settings().dim)?;
        (report.commit, report.lost) = (commit, 0);
        let mut moves = plan(snapshot.manifest(), policy);
        moves.retain(|m| !stays.contains(&m.file.id));
        let codebook = codebook::newest(&snapshot, policy)?;
        let writing = patient.clone();
        let mut run = Run { dir, writing, policy, shop, snapshot: &snapshot, codebook, stop, report, stays };
        for (i, m) in moves.iter().enumerate() {
            if !limits.allow(run.report.bytes_before, started) {
                run.report.left = (moves.len() - i) as u64;
                break;
            }
            stop()?;
            run.demote(m, &moves[i..])?;
        }
        (report, stays) = (run.report, run.stays);
        if report.lost == 0 || report.left > 0 {
            break;
        }
    }
    if report.partitions > 0 {
        super::collect(dir, writing)?;
    }
    report.waiting = waiting(&Snapshot::open(dir, None)?, policy.before)?;
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Makes old hot points warm, and cuts files that span the boundary.
fn cut_files(
    dir: &Path,
    writing: &dataset::Options,
    policy: &Policy,
    limits: &Limits,
    stop: &(dyn Fn() -> Result<()> + Sync),
) -> Result<Report> {
    // The log is sealed, so that its points are in a file.
    Writer::open(dir, writing.clone())?.finish()?;
    let how = {
        let snapshot = Snapshot::open(dir, None)?;
        compact::Options { policy: preview::cutting(&snapshot, policy), limits: *limits }
    };
    if compact::preview(dir, &how)?.1.is_empty() {
        return Ok(Report::default());
    }
    let done = compact::compact(dir, writing, &how, stop)?;
    Ok(Report { cut: done.files_in, lost: done.jobs_lost, left: done.jobs_left, ..Report::default() })
}

struct Run<'a> {
    dir: &'a Path,
    writing: dataset::Options,
    policy: &'a Policy,
    shop: Workshop,
    snapshot: &'a Snapshot,
    codebook: Option<Codebook>,
    stop: &'a (dyn Fn() -> Result<()> + Sync),
    report: Report,
    /// Files that were looked at and stay warm.
    stays: HashSet<u64>,
}

impl Run<'_> {
    /// Codes one file, measures, and publishes the block in its place.
    fn demote(&mut self, m: &Move, to_come: &[Move]) -> Result<()> {
        let Some(part) = self.snapshot.part_of(m.file.id)? else {
            return Err(Error::internal("a planned file that is not live"));
        };
        let inexact = (0..part.rows()).any(|r| part.is_live(r) && part.is_approx(r));
        // Codes are made from exact vectors only.
        if m.points == 0 || (inexact && !self.policy.codec.is_lossless()) {
            self.report.skipped += u64::from(m.points > 0);
            self.stays.insert(m.file.id);
            return Ok(());
        }
        let codebook = self.fitting(part, to_come)?;
        let (made, errors) = demote::block(self.snapshot, &self.shop, part, &codebook, self.stop)?;
        if self.policy.max_error.is_some_and(|most| errors.p99 > most) {
            self.report.skipped += 1;
            self.stays.insert(m.file.id);
            return Ok(());
        }
        let block = made.entry;
        let mut bytes = block.seal.len + if self.policy.keep_original { m.file.seal.len } else { 0 };
        let mut files = vec![made];
        if codebook.fresh {
            let file = demote::codebook_file(self.snapshot, &self.shop, &codebook)?;
            bytes += file.entry.seal.len;
            // The manifest names a codebook before its blocks.
            files.insert(0, file);
        }
        let mut writer = Writer::open(self.dir, self.writing.clone())?;
        let done = writer.exchange(Exchange {
            replaced: vec![m.file.id],
            made: files,
            kept: if self.policy.keep_original { vec![(m.file.id, block.id)] } else { Vec::new() },
            target: self.policy.target.clone(),
            ..Exchange::new(self.snapshot)
        })?;
        self.report.commit = writer.finish()?.0;
        if done.is_none() {
            self.report.lost += 1;
            return Ok(());
        }
        self.report.codebooks += u64::from(codebook.fresh);
        self.codebook = Some(Codebook { fresh: false, ..codebook });
        self.report.partitions += 1;
        self.report.points += block.rows;
        self.report.bytes_before += m.file.seal.len;
        self.report.bytes_after += bytes;
        for (worst, e) in self.report.errors.iter_mut().zip([errors.p50, errors.p99, errors.max]) {
            *worst = worst.max(e);
        }
        Ok(())
    }

    /// The codebook at hand while it fits the part; else one trained on what is to come.
    fn fitting(&mut self, part: &dataset::Part, to_come: &[Move]) -> Result<Codebook> {
        if let Some(book) = &self.codebook {
            let trained = self.policy.codec.is_trained();
            if !trained
                || !codebook::drift(book, part, self.policy.seed)?.exceeds(self.policy.drift_threshold)
            {
                return Ok(book.clone());
            }
        }
        let mut parts = Vec::new();
        for m in to_come {
            parts.extend(self.snapshot.part_of(m.file.id)?);
        }
        let quantizer = codebook::train(&parts, self.policy, self.snapshot.settings().dim)?;
        let book = Codebook { quantizer: Arc::new(quantizer), id: self.shop.take_id()?, fresh: true };
        self.codebook = Some(book.clone());
        Ok(book)
    }
}
