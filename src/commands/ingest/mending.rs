//! Rows of lines that their writer had not finished.
//!
//! The last line of a table may lack its line end because its writer leaves it out, or because it
//! was stopped inside the last number: `4.2` of `4.25`. Both read as a whole row, so the row is
//! taken, and remembered with the place of its line. When the file is read again and the line has
//! gone on, the stored row is removed and the line read from its start.

use super::Run;
use super::reading::{Plan, hash_of};
use crate::dataset::Snapshot;
use crate::error::{Error, Result};
use crate::format::checksum::Hasher128;
use crate::format::{hex, unhex};
use crate::input::{Checkpoint, InputRows};
use crate::model::VectorSource;
use crate::results::ledger::{Entry, Tail};
use crate::segment::content_hash;
use crate::watch::Watch;
use roaring::RoaringBitmap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The row of an earlier run whose line has gone on since, `None` when the file did not grow or
/// grew by whole lines.
pub(super) fn continued(path: &Path, e: &Entry, size: u64, watch: &dyn Watch) -> Result<Option<Tail>> {
    let Some(tail) = e.tail.clone().filter(|t| size > e.byte && t.byte < e.byte) else { return Ok(None) };
    let io = |e: std::io::Error| Error::io("read", path, &e);
    let mut file = File::open(path).map_err(io)?;
    let (mut hasher, mut left) = (Hasher128::new(), e.byte);
    let mut buffer = vec![0u8; 1 << 20];
    while left > 0 {
        watch.stop()?;
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let got = file.read(&mut buffer[..want]).map_err(io)?;
        if got == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..got]);
        left -= got as u64;
    }
    let mut next = [0u8];
    let got = file.read(&mut next).map_err(io)?;
    let goes_on = got == 1 && !matches!(next[0], b'\n' | b'\r');
    Ok((goes_on && hash_of(e) == Some(hasher.finish())).then_some(tail))
}

/// The last row of a batch, as far as it is known before it is stored.
pub(super) struct Last {
    at: Checkpoint,
    entity: u64,
    name: Option<String>,
    t: i64,
    content: u128,
}

impl Last {
    /// The last row of `rows`, whose line begins at `at`.
    pub(super) fn of(rows: &InputRows, at: Option<Checkpoint>) -> Option<Last> {
        let (at, i) = (at?, rows.len().checked_sub(1)?);
        let points = &rows.points;
        let content = content_hash(points.row(i), points.meta.get(i));
        let name = (!rows.names.is_empty()).then(|| rows.names.get(i).to_owned());
        Some(Last { at, entity: points.entity[i], name, t: points.t[i], content })
    }
}

impl Run<'_> {
    /// What the ledger keeps of the last row, once it is stored.
    pub(super) fn tail(&self, last: Last) -> Result<Option<Tail>> {
        let entity = match &last.name {
            None => Some(last.entity),
            Some(name) => self.writer.dict().id(name)?,
        };
        Ok(entity.map(|entity| Tail {
            rows: last.at.rows,
            byte: last.at.byte,
            hash: hex(&last.at.prefix.to_be_bytes()),
            entity,
            t: last.t,
            content: hex(&last.content.to_be_bytes()),
        }))
    }

    /// Removes the rows of lines that have gone on. A run that ends here reads these lines again
    /// next time, so that nothing is lost.
    pub(super) fn mend(&mut self, plan: &Plan) -> Result<()> {
        let cuts: Vec<&Tail> = plan.jobs.iter().filter_map(|j| j.cut.as_ref()).collect();
        if cuts.is_empty() {
            return Ok(());
        }
        let snapshot = Snapshot::open(self.dir, None)?;
        let mut dead = Vec::new();
        for cut in cuts {
            let Some((part, row)) = snapshot.state_at(cut.entity, cut.t)? else { continue };
            let Some(entry) = part.entry.filter(|_| part.times()[row] == cut.t && !part.is_lossy()) else {
                continue;
            };
            let mut buffer = Vec::new();
            let stored = content_hash(part.vectors(row..row + 1, &mut buffer)?, &part.meta(row)?);
            // Another run may have replaced it: then it is no longer ours.
            if unhex::<16>(&cut.content).map(u128::from_be_bytes) == Some(stored) {
                let row = u32::try_from(row).map_err(|_| Error::internal("a row beyond 32 bits"))?;
                dead.push((entry.id, RoaringBitmap::from_iter([row])));
            }
        }
        drop(snapshot);
        if !dead.is_empty() {
            self.writer.delete(&dead)?;
        }
        Ok(())
    }
}
