//! The index of a dataset: what it lacks goes into a new part, together with parts that have
//! become small beside it; the others stay as they are.
//!
//! A build works in `tmp/` without the writer's lock and takes it to publish, so points can be
//! ingested, deleted and searched meanwhile. Interrupted, it leaves the old index.
//!
//! | file | holds |
//! |---|---|
//! | `command.rs` | the commands build, status and drop, and their rows |
//! | `plan.rs` | which points go into which parts |
//! | `input.rs` | their keys and vectors in the order of time |
//! | `recall.rs` | how many of the true neighbours the index finds |

mod command;
mod input;
mod plan;
mod recall;

pub use crate::index::PROMISED;
pub use command::{Request, remove, run, status};
pub use plan::{Plan, plan};
pub use recall::{Known, Recall, recall};

use crate::dataset::{self, FILE_ID, NewIndex, Snapshot, Staging, Writer};
use crate::error::{Code, Error, Result};
use crate::format::container::{Container, Expect, Kind, Writer as ContainerWriter};
use crate::fsio;
use crate::index;
use crate::metric::Metric;
use crate::model::TimeRange;
use crate::watch::{Progress, Watch};
use input::Rows;
use std::path::Path;
use std::time::Duration;

/// Bytes of keys, candidates and edges a row holds in memory while a part is built, beside its 8-bit code.
const WORKING: u64 = 1300;

/// A build that is done waits at least so long for the lock rather than be thrown away.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often a build starts again because another one has published.
const ATTEMPTS: usize = 3;

/// How to build.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The metric; without it that of the parts there are, else the dataset's.
    pub metric: Option<Metric>,
    /// Only points of these times; without it those of the parts there are, else all.
    pub time: Option<TimeRange>,
    /// Build a graph where it pays.
    pub graph: bool,
    /// Keep the vectors beside their codes.
    pub exact: bool,
    /// Build everything anew.
    pub rebuild: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Bytes of memory to work in; more points than fit become several parts.
    pub memory: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            metric: None,
            time: None,
            graph: true,
            exact: true,
            rebuild: false,
            seed: 0,
            memory: 4 << 30,
        }
    }
}

impl Options {
    /// Rows that a part can have within the memory.
    fn most_rows(&self, dim: usize) -> u64 {
        (self.memory / (dim as u64 + 64 + WORKING)).max(10_000)
    }
}

/// What a build did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Built {
    /// Points that were worked in.
    pub points: u64,
    /// New parts.
    pub parts_new: usize,
    /// Parts that were kept.
    pub parts_kept: usize,
    /// Bytes of the new parts.
    pub bytes_written: u64,
    /// The version with the new index; the newest one when there was nothing to do.
    pub commit: u64,
}

/// Reports a stage, before it begins and again and again while it reads. The watch's error ends the build with the old
/// index in place.
fn stage(watch: &dyn Watch, name: &str, done: u64, of: u64) -> Result<()> {
    watch.stop()?;
    watch.progress(&Progress::Stage { name, done, of });
    Ok(())
}

/// Brings the index of the dataset in `dir` up to date. Other writers may work meanwhile; points that
/// they add or move are scanned until the next build.
pub fn build(dir: &Path, options: &Options, writing: dataset::Options, watch: &dyn Watch) -> Result<Built> {
    // Says early that the directory is no dataset, or cannot be written.
    drop(Snapshot::open(dir, None)?);
    let staging = Staging::open(dir, "index", &writing.command, writing.lock_timeout)?;
    // A finished part is worth waiting for.
    let patient = dataset::Options { lock_timeout: writing.lock_timeout.max(PATIENCE), ..writing };
    for _ in 0..ATTEMPTS {
        if let Some(built) = attempt(dir, options, &patient, &staging, watch)? {
            return Ok(built);
        }
    }
    Err(Error::new(Code::Failed, "another build changed the index each time that this one was done")
        .file(dir)
        .fix("let one host build the index of this dataset"))
}

/// Builds from the newest version. `None` when another build has published meanwhile, which only
/// happens on file systems without locks.
fn attempt(
    dir: &Path,
    options: &Options,
    writing: &dataset::Options,
    staging: &Staging,
    watch: &dyn Watch,
) -> Result<Option<Built>> {
    let snapshot = Snapshot::open(dir, None)?;
    let plan = plan(&snapshot, options)?;
    let mut built =
        Built { parts_kept: plan.kept.len(), commit: snapshot.manifest().commit, ..Built::default() };
    if plan.new.is_empty() && plan.dropped.is_empty() {
        return Ok(Some(built));
    }
    let needed = plan.points() * plan.row_bytes(&snapshot);
    let free = fsio::available_bytes(dir)?;
    if free < needed {
        let text = format!("the index needs about {needed} bytes, {free} are free");
        return Err(Error::new(Code::NoSpace, text).file(dir).fix("free some space, or build with ‹lean›"));
    }
    let mut parts = Vec::new();
    for (i, seqs) in plan.new.iter().enumerate() {
        let rows = Rows::of(&snapshot, &plan, *seqs, staging, watch)?;
        if rows.len() == 0 {
            continue;
        }
        let part = write(&snapshot, &plan, options, &rows, staging, i)?;
        built.points += part.rows;
        built.bytes_written += part.seal.len;
        parts.push(part);
    }
    built.parts_new = parts.len();
    stage(watch, "publishing", 0, 0)?;
    let mut writer = Writer::open(dir, writing.clone())?;
    let dropped: Vec<u64> = plan.dropped.iter().map(|p| p.id).collect();
    let published = writer.publish_index(parts, &dropped, &snapshot)?;
    built.commit = writer.finish()?.0;
    Ok(published.then_some(built))
}

/// Builds one part and reads it back.
fn write(
    snapshot: &Snapshot,
    plan: &Plan,
    options: &Options,
    rows: &Rows<'_>,
    staging: &Staging,
    number: usize,
) -> Result<NewIndex> {
    let file = staging.file(&format!("part-{number}"))?;
    let path = file.path().to_owned();
    let dataset = snapshot.config().id;
    let mut container = ContainerWriter::create(file, Kind::Index, dataset, FILE_ID)?;
    let mut how = index::Options {
        seed: options.seed,
        exact: options.exact,
        neighbour_codes: options.exact,
        ..index::Options::new(plan.metric)
    };
    if !options.graph {
        how.graph_from = usize::MAX;
    }
    index::build(rows, &how, &mut container)?;
    let seqs = rows.seqs();
    container.write_section(index::layout::SEQUENCE, &seqs)?;
    let finished = container.finish()?;
    let seal = finished.1;
    index::Input::stage(rows, "checking")?;
    let expect = Expect { kind: Kind::Index, dataset, id: FILE_ID, seal };
    index::Part::from_container(Container::open(&path, &expect)?)?.verify()?;
    let bounds = seqs.iter().fold((u64::MAX, 0), |(a, b), seq| (a.min(*seq), b.max(*seq)));
    NewIndex::new(finished, rows.len() as u64, bounds, plan.time)
}

#[cfg(test)]
mod interleave_tests;
