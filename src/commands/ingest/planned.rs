//! What a run would do, without doing it.

use super::fingerprint::Fingerprint;
use super::tolerance::{Seen, Tolerance};
use super::{Options, input_of, reading};
use crate::config::Config;
use crate::error::Result;
use crate::input::{self, Format, InputOptions, InputRows, Limits};
use crate::results::ledger::Ledger;
use crate::watch::Watch;
use std::path::{Path, PathBuf};

/// What a run would do with one of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The file.
    pub path: PathBuf,
    /// Its format.
    pub format: Format,
    /// Its length; 0 for a pipe.
    pub bytes: u64,
    /// Rows that an earlier run took in; `None` when all of it is stored already.
    pub rows_known: Option<u64>,
}

/// What `ingest` would read, by the names of the files and the ledger, and what it would leave
/// out. The first row of each regular file is read, so that a column that is not there is found;
/// nothing is changed.
///
/// # Errors
/// As `ingest` for sources and columns; for a first row that is bad, where no bad row is tolerated.
pub fn plan(dir: &Path, options: &Options, watch: &dyn Watch) -> Result<(Vec<Planned>, Vec<String>)> {
    let input = input_of(&Config::read(dir)?.settings, options);
    let ledger = Ledger::read(dir).unwrap_or_default();
    let fingerprint = Fingerprint::of(&input, options.on_conflict);
    let plan = reading::plan(options, &input, &ledger, fingerprint, watch)?;
    if let Some((_, error)) = plan.unreadable.into_iter().next() {
        return Err(error);
    }
    for job in plan.jobs.iter().filter(|j| j.key.is_some()) {
        watch.stop()?;
        first_row(job, &input, options.max_errors)?;
    }
    let read = plan.jobs.iter().map(|j| (&j.path, j.size, Some(j.rows_known())));
    let skipped = plan.skipped.iter().map(|p| (p, std::fs::metadata(p).map_or(0, |m| m.len()), None));
    let all = read.chain(skipped).map(|(path, bytes, rows_known)| {
        let format = input::format_of(path, &input)?;
        Ok(Planned { path: path.clone(), format, bytes, rows_known })
    });
    Ok((all.collect::<Result<_>>()?, plan.left_out))
}

fn first_row(job: &reading::Job, input: &InputOptions, max_errors: Tolerance) -> Result<()> {
    let mut rows = InputRows::new(input.dim);
    let mut reader = input::open(&job.path, input, None)?;
    let mut seen = Seen::default();
    reader.next_batch(&mut rows, Limits { rows: 1, bytes: 1 << 20 }, &mut |bad| {
        if max_errors.is_exceeded(seen) {
            return Err(bad.into_error());
        }
        seen.refused += 1;
        Ok(())
    })?;
    Ok(())
}
