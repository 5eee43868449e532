//! The command: which points and entities, the row, what is left.

use super::{Report, Request as Engine, Subjects, check_stores, erase, plan};
use crate::commands::{Level, Outcome, Selection, Session, Watch};
use crate::dataset::{Select, Snapshot};
use crate::error::{Code, Error, Result};
use crate::rows::EraseRow;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is to be erased.
#[derive(Debug, Clone)]
pub struct Request {
    /// Entities by name alone leave as a whole, name included; otherwise the selected points leave.
    pub selection: Selection,
    /// How long to wait for readers that hold older versions.
    pub wait: Duration,
}

impl Default for Request {
    fn default() -> Self {
        Request { selection: Selection::default(), wait: Duration::from_secs(60) }
    }
}

/// What a confirmation sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasing {
    /// Points that would leave.
    pub points: u64,
    /// Entities that would leave as a whole.
    pub entities: usize,
}

/// Erases; in a dry run counts. `confirm` sees the numbers first, and ends the run with an error. What could not be
/// removed makes the outcome incomplete.
///
/// # Errors
/// Fails when nothing is selected, when the dataset or one of its stores cannot be read or written, when `confirm` does,
/// and when the watch stops the run; the same request again completes it.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    confirm: &mut dyn FnMut(&Erasing) -> Result<()>,
) -> Result<(EraseRow, Outcome)> {
    if request.selection.is_all() {
        return Err(Error::usage("erase needs a selection")
            .fix("select with ‹entity›, ‹entities-from›, ‹where›, ‹from› or ‹to›"));
    }
    let dir = session.dir();
    let engine = engine(session, request, watch)?;
    if session.settings().dry_run {
        let found = plan(dir, &engine)?;
        let report = Report {
            points: found.selected,
            entities: found.entities.len() as u64,
            left: vec!["nothing was erased: a dry run".into()],
            ..Report::default()
        };
        return Ok((row(&report), Outcome::COMPLETE));
    }
    let ask = |found: &Subjects| confirm(&Erasing { points: found.selected, entities: found.entities.len() });
    let report = erase(dir, &session.writing("erase"), &engine, ask, watch)?;
    if !report.models.is_empty() {
        let text = format!(
            "models that were trained before stay: {}; train them again to leave the erased points out of them",
            report.models.join(", ")
        );
        watch.note(Level::Note, &text);
    }
    if report.index_parts > 0 {
        let text = "parts of the index were dropped: `cvx index build` covers their points again";
        watch.note(Level::Note, text);
    }
    let outcome = match report.left.is_empty() {
        true => Outcome::COMPLETE,
        false => {
            let left = report.left.join("; ");
            Outcome::of(Err(Error::new(Code::Partial, format!("something is left: {left}"))
                .fix("run the same command again when no reader holds an older version")))
        }
    };
    Ok((row(&report), outcome))
}

/// The request with its entities looked up. The version that is read for it is let go, since erasing waits for
/// readers.
fn engine(session: &Session, request: &Request, watch: &dyn Watch) -> Result<Engine> {
    let labels = request.selection.labels()?;
    let reading = session.reading();
    let snapshot = reading.snapshot()?;
    check_stores(snapshot)?;
    let select = match labels.is_empty() {
        true => request.selection.resolve(&reading, watch)?.select,
        // A name that is gone already may still have bytes to erase.
        false => Select { entities: Some(known(snapshot, &labels)?), ..Select::default() },
    };
    Ok(Engine { select, labels, wait: request.wait })
}

/// The ids of the entities that the dataset holds.
fn known(snapshot: &Snapshot, labels: &[String]) -> Result<BTreeSet<u64>> {
    let mut out = BTreeSet::new();
    for label in labels {
        match snapshot.entity(label) {
            Ok(id) => drop(out.insert(id)),
            Err(e) if e.code() == Code::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(out)
}

fn row(r: &Report) -> EraseRow {
    EraseRow {
        points: r.points,
        entities: r.entities,
        names: r.names,
        index_parts: r.index_parts,
        results_rewritten: r.results_rewritten,
        results_dropped: r.results_dropped,
        files_rewritten: r.files_rewritten,
        points_purged: r.points_purged,
        tombstones: r.tombstones,
        clean: r.left.is_empty(),
        left: (!r.left.is_empty()).then(|| r.left.join("; ")),
        commit: r.commit,
    }
}
