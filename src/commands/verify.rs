//! The files of a dataset against what must be true of them.

use super::{Outcome, Rows, Session, Watch, index};
use crate::dataset::{self, Status};
use crate::error::{Code, Error, Result};
use crate::rows::Check;
use std::collections::BTreeSet;
use std::path::Path;

pub use crate::dataset::Level as Depth;

/// Stored points that the deep level asks for.
const SAMPLE: usize = 1000;
/// An index that finds less is worth building anew: it looks for 0.97.
const LEAST_RECALL: f64 = 0.9;

/// How much to look at.
#[derive(Debug, Clone)]
pub struct Request {
    /// How deep.
    pub level: Depth,
    /// Stop at the first damage.
    pub fail_fast: bool,
    /// Stored points asked of the index and of a scan; `None` for 1000 at the deep level, else none.
    pub recall_sample: Option<usize>,
}

impl Default for Request {
    fn default() -> Self {
        Request { level: Depth::Quick, fail_fast: false, recall_sample: None }
    }
}

/// Runs the command. What is damaged or can be mended makes the outcome incomplete, with [`Code::Damaged`] or
/// [`Code::Finding`].
///
/// # Errors
/// Fails where there is no dataset, when the watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<Check>,
) -> Result<Outcome> {
    let dir = session.dir();
    if !dir.join(crate::config::FILE).exists() && !dir.join("CURRENT").exists() {
        return Err(crate::config::no_dataset(dir));
    }
    let mut found = 0_u64;
    let (mut away, mut mends) = (Vec::new(), BTreeSet::new());
    let words = session.settings().words;
    let read_at = session.settings().read_at;
    let mut worst = dataset::verify(dir, read_at, request.level, request.fail_fast, &mut |f| {
        watch.stop()?;
        if f.status != Status::Ok {
            found += 1;
            mends.insert(mend(f.check));
        }
        if f.check == dataset::STORE {
            away.push(f.object.clone());
        }
        let detail = words.write(&f.detail).into_owned();
        out.row(Check { check: f.check, object: f.object, status: f.status.as_str(), detail })
    })?;
    let sample = request.recall_sample.or((request.level == Depth::Deep).then_some(SAMPLE));
    if let Some(sample) = sample.filter(|n| *n > 0 && worst != Status::Damaged)
        && let Some(row) = recall(session, sample, watch)?
    {
        if row.status != Status::Ok.as_str() {
            (found, worst) = (found + 1, Status::Repairable);
            mends.insert(mend(row.check));
        }
        out.row(row)?;
    }
    out.end()?;
    let error = match worst {
        Status::Ok => return Ok(Outcome::COMPLETE),
        Status::Repairable => {
            let e = Error::new(Code::Finding, format!("{} found something to mend", checks(found)));
            e.file(dir).fix(mends.into_iter().collect::<Vec<_>>().join("; "))
        }
        Status::Damaged if found == away.len() as u64 => Error::damaged(
            away.first().map_or(dir, |a| Path::new(a)),
            "the directory of cold blocks is away; the files in it were not looked at, all others are sound",
        )
        .fix("mount it, or move it back to this path, and run the command again"),
        Status::Damaged => Error::damaged(dir, format!("{} failed", checks(found)))
            .fix("restore the files named in the rows from a backup, or ingest their points again"),
    };
    Ok(Outcome::of(Err(error)))
}

/// What mends a finding that is no damage.
fn mend(check: &str) -> &'static str {
    match check {
        "index" | "recall" => "`cvx index build ‹rebuild›` builds the index again",
        "ledger" => "the next `cvx ingest` reads its files again and writes a new ledger",
        "result" => "the command that stored a result stores it again",
        _ => "any writing command, such as `cvx compact`, removes what an interrupted one left",
    }
}

fn checks(n: u64) -> String {
    if n == 1 { "1 check".into() } else { format!("{n} checks") }
}

/// How much of the truth the index finds; `None` without an index.
fn recall(session: &Session, sample: usize, watch: &dyn Watch) -> Result<Option<Check>> {
    let measured = index::recall(session.snapshot()?, sample, session.seed(), watch)?;
    Ok(measured.map(|m| {
        let status = if m.recall < LEAST_RECALL { Status::Repairable } else { Status::Ok };
        let detail = format!("recall@10 {:.4} over {} stored points", m.recall, m.queries);
        Check { check: "recall", object: "index".into(), status: status.as_str(), detail }
    }))
}
