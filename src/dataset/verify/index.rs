//! Checks the parts of the index.

use crate::dataset::coverage::Coverage;
use crate::dataset::index::IndexPart;
use crate::dataset::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::index::Check;
use crate::manifest::FileEntry;

/// Holds the parts of the index against the points of the dataset: each row that counts stands for one
/// point, and the files that the manifest says are held are.
pub(super) fn check(
    s: &Snapshot,
    whole: bool,
    out: &mut dyn FnMut(&FileEntry, Result<String>) -> Result<()>,
) -> Result<()> {
    let mut sound = Vec::new();
    for entry in s.manifest().index_parts() {
        let mut look = || -> Result<String> {
            let open = s.index_part(&entry)?;
            let alive = entry.rows - open.dead.len();
            if !open.part.is_current() {
                let text = "built by an older program and not used; `cvx index build` builds it again";
                return Ok(text.to_owned());
            }
            let told = format!("{alive} points, {} dead rows", open.dead.len());
            if whole {
                open.part.verify()?;
                let found = points_found(s, &open)?;
                if found != alive {
                    let path = s.dir().join(entry.path());
                    return Err(Error::damaged(
                        &path,
                        format!("{alive} rows count, {found} of them are points"),
                    ));
                }
            }
            sound.push(open);
            Ok(told)
        };
        out(&entry, look())?;
    }
    if whole { verify_covered(s, &sound, out) } else { Ok(()) }
}

/// Points that have a row in a part.
fn points_found(s: &Snapshot, open: &IndexPart) -> Result<u64> {
    let readers = [open.part.reader(Check::Whole)?];
    let coverage = Coverage::new(std::slice::from_ref(open), &readers);
    let mut found = 0;
    for part in s.parts()? {
        let mut live = Vec::new();
        part.live_ranges(0..part.rows(), &mut live);
        coverage.places(part, &live, &mut |_, place| found += u64::from(place.is_some()))?;
    }
    Ok(found)
}

/// Reports the files that the manifest says are held by the index and are not.
fn verify_covered(
    s: &Snapshot,
    parts: &[IndexPart],
    out: &mut dyn FnMut(&FileEntry, Result<String>) -> Result<()>,
) -> Result<()> {
    let readers = parts.iter().map(|p| p.part.reader(Check::Lazy)).collect::<Result<Vec<_>>>()?;
    let coverage = Coverage::new(parts, &readers);
    for i in 0..s.part_count() {
        let Some(entry) = s.part_entry(i).copied().filter(|f| s.manifest().is_covered(f, &[])) else {
            continue;
        };
        let part = s.part(i)?;
        if !coverage.holds_all(part)? {
            out(&entry, Err(part.damaged("the index lacks points of this file, and searches miss them")))?;
        }
    }
    Ok(())
}
