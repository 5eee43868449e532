//! Whether all points of a window of time differ from those of another.
//!
//! | file | holds |
//! |---|---|
//! | `windows.rs` | the points that stand for a window |
//! | `compare.rs` | pairs of windows, their tests and rows |

mod compare;
pub mod windows;

use super::storing::Storing;
use super::{Outcome, Rows, Selection, Session, Watch};
use crate::analytics::Align;
use crate::analytics::population::{Adjust, Params, Test};
use crate::error::Result;
use crate::output::Time;
use crate::results::baseline::Baseline;
use crate::results::stored::What;
use crate::rows::{PopulationRow, SavedRow};
use crate::time::Duration;
use compare::{Comparisons, Side};

/// Windows of time, compared as populations.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which points.
    pub selection: Selection,
    /// What windows are compared with.
    pub reference: Reference,
    /// The windows that are compared.
    pub current: Current,
    /// Compare group by group, for each value of this metadata key.
    pub by: Option<String>,
    /// The tests, each once.
    pub tests: Vec<Test>,
    /// Random relabellings of a test at most, 0 for statistics alone; `None` for what `alpha` needs for the rows of the
    /// run.
    pub permutations: Option<usize>,
    /// Points of a window and group at most; more are sampled.
    pub max_points: usize,
    /// Level of the run.
    pub alpha: f64,
    /// How p-values are adjusted for the rows of the run.
    pub adjust: Adjust,
    /// Dimensions to name.
    pub top: usize,
    /// Store the sample of the reference under this name.
    pub save: Option<String>,
    /// What to do when embedding models differ.
    pub align: Align,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            selection: Selection::default(),
            reference: Reference::Previous,
            current: Current::None,
            by: None,
            tests: vec![Test::Mmd, Test::Centroid, Test::Norm],
            permutations: None,
            max_points: 2000,
            alpha: 0.05,
            adjust: Adjust::Holm,
            top: 10,
            save: None,
            align: Align::default(),
        }
    }
}

/// What windows are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// Each with the one before it.
    Previous,
    /// A window, a period or `A..B`.
    Window(String),
    /// The stored sample of this name.
    Baseline(String),
}

/// The windows that are compared with the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Current {
    /// None: the sample of the reference is only stored.
    None,
    /// One, a period or `A..B`.
    Window(String),
    /// Each cell of a calendar grid.
    Every(Duration),
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    /// Rows.
    pub tests: usize,
    /// Rows that see a drift.
    pub drifted: usize,
    /// The sample that was stored.
    pub saved: Option<SavedRow>,
    /// What was left unanswered.
    pub outcome: Outcome,
}

impl Request {
    fn params(&self, seed: u64) -> Params {
        Params {
            tests: self.tests.clone(),
            permutations: self.permutations.unwrap_or_default(),
            tail: self.permutations.is_none(),
            seed,
            top: self.top,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// Fails when a window cannot be read or two of them overlap, when the dataset, the selection or the stored sample cannot
/// be read, when the sample cannot be stored, when the watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<PopulationRow>,
) -> Result<Report> {
    let storing = Storing::begin(session, What::Baseline, request.save.as_deref())?;
    let selected = request.selection.resolve(session, watch)?;
    let mut comparisons = Comparisons::new(session, request, watch, &selected.select)?;
    let reference = comparisons.reference()?;
    let mut report = match request.current {
        Current::None => Report::default(),
        _ => {
            comparisons.run(reference.as_ref())?;
            comparisons.finish(out)?
        }
    };
    // What was found, or could not be compared, does not keep the sample from being stored.
    if let (Some(storing), Some(reference)) = (storing, reference) {
        report.saved = Some(store(session, request, storing, reference)?);
    }
    report.outcome = report.outcome.and(selected.outcome());
    Ok(report)
}

/// Stores the reference's sample.
fn store(session: &Session, request: &Request, storing: Storing, reference: Side) -> Result<SavedRow> {
    let snapshot = session.snapshot()?;
    let baseline = Baseline {
        dim: snapshot.settings().dim,
        by: request.by.clone(),
        window: (reference.range.first(), reference.range.last()),
        samples: reference.samples.into_values().collect(),
    };
    let head = storing.head(session, snapshot, serde_json::Value::Null);
    let row = SavedRow {
        name: head.name.clone(),
        rows: baseline.samples.iter().map(|s| s.entity.len() as u64).sum(),
        commit: head.commit,
        created: Time(head.created_us),
        command: head.command.clone(),
    };
    let (dir, id) = (snapshot.dir(), snapshot.config().id);
    storing.finish(|| baseline.write(dir, id, head))?;
    Ok(row)
}
