//! Windows against windows: which pairs there are, their tests, and the rows of all of them.

use super::{Args, Kept};
use crate::batch::Sink;
use crate::cmd::drift::top_dims;
use crate::context::Context;
use crate::cuts::Aligns;
use crate::progress::Progress;
use crate::rows::PopulationRow;
use crate::signals;
use cvx::analytics::Status;
use cvx::analytics::population::{self, Params, Window, holm};
use cvx::dataset::{Select, Snapshot};
use cvx::error::{Error, Result};
use cvx::format::checksum::hash64;
use cvx::model::TimeRange;
use cvx::output::{Json, Time};
use cvx::results::baseline::{Baseline, Sample};
use cvx::results::stored::{Stored, What};
use cvx::time::{Grid, parse_period, parse_range};
use cvx::windows::Sampling;
use std::collections::{BTreeMap, BTreeSet};

/// One side of a comparison.
pub struct Side {
    /// When.
    pub range: TimeRange,
    /// Its points, by group.
    pub samples: BTreeMap<Option<String>, Sample>,
}

/// All comparisons of a run.
pub struct Comparisons<'a> {
    context: &'a Context,
    args: &'a Args,
    snapshot: &'a Snapshot,
    sampling: Sampling<'a>,
    params: Params,
    rows: Vec<PopulationRow>,
    progress: Progress,
    windows: u64,
    points: u64,
    ungrouped: u64,
}

impl<'a> Comparisons<'a> {
    /// Nothing is read yet.
    pub fn new(context: &'a Context, args: &'a Args, snapshot: &'a Snapshot, select: &'a Select) -> Self {
        let (by, seed) = (args.by.as_deref(), context.seed());
        Comparisons {
            context,
            args,
            snapshot,
            sampling: Sampling { snapshot, select, by, max_points: args.max_points, seed },
            params: args.params(context),
            rows: Vec::new(),
            progress: Progress::new(context),
            windows: 0,
            points: 0,
            ungrouped: 0,
        }
    }

    /// The reference, unless it is the window before each.
    pub fn reference(&mut self, kept: Kept<'_>) -> Result<Option<Side>> {
        if let Kept::Use(name) = kept {
            return self.stored(name).map(Some);
        }
        match self.args.reference.as_deref() {
            None | Some("previous") => Ok(None),
            Some(text) => {
                let range = self.range(text, "--ref")?;
                self.window(range).map(Some)
            }
        }
    }

    fn stored(&self, name: &str) -> Result<Side> {
        let (dir, id) = (self.snapshot.dir(), self.snapshot.config().id);
        let baseline = Baseline::read(&Stored::require(dir, id, What::Baseline, name)?)?;
        if baseline.dim != self.snapshot.settings().dim || baseline.by != self.args.by {
            let by = baseline.by.map_or("without --by".to_string(), |by| format!("with --by {by}"));
            return Err(Error::usage(format!("the baseline {name} was made {by}"))
                .fix("use it the same way, or save another one"));
        }
        let range = TimeRange::closed(baseline.window.0, baseline.window.1);
        let samples = baseline.samples.into_iter().map(|s| (s.group.clone(), s)).collect();
        Ok(Side { range, samples })
    }

    /// A range of times of an option.
    fn range(&self, text: &str, option: &str) -> Result<TimeRange> {
        let now = self.context.now(self.snapshot, self.sampling.select, &[], Some(text))?;
        let read = if text.contains("..") { parse_range } else { parse_period };
        read(text, &now).map_err(|e| e.what(format!("option {option}")))
    }

    fn window(&mut self, range: TimeRange) -> Result<Side> {
        signals::check()?;
        let window = self.sampling.window(range)?;
        self.windows += 1;
        self.points += window.points;
        self.ungrouped += window.ungrouped;
        self.progress.compared(self.windows, self.points);
        Ok(Side { range, samples: window.samples })
    }

    /// Compares what is to be compared, and prints it.
    pub fn run(mut self, reference: Option<&Side>) -> Result<()> {
        let hidden: &[&str] = if self.args.by.is_none() { &["group"] } else { &[] };
        let out = self.context.rows_of::<PopulationRow>(self.snapshot, hidden)?;
        let sink = Sink::new(out, &self.args.gate)?;
        match (&self.args.current, &self.args.every, reference) {
            (Some(text), _, Some(reference)) => {
                let range = self.range(text, "--cur")?;
                let current = self.window(range)?;
                self.compare(reference, &current);
            }
            (_, Some(step), Some(reference)) => {
                for cell in self.cells(&Grid::new(*step)?)? {
                    let current = self.window(cell)?;
                    self.compare(reference, &current);
                }
            }
            (_, Some(step), None) => self.one_after_another(&Grid::new(*step)?)?,
            _ => {}
        }
        self.print(sink)
    }

    /// The cells that hold points, in order.
    fn cells(&self, grid: &Grid) -> Result<Vec<TimeRange>> {
        let starts = self.sampling.occupied(grid)?;
        Ok(starts.into_iter().map(|s| TimeRange::half_open(Some(s), grid.after(s))).collect())
    }

    /// Each cell against the one before it, which may be empty.
    fn one_after_another(&mut self, grid: &Grid) -> Result<()> {
        let mut previous: Option<Side> = None;
        for cell in self.cells(grid)? {
            let current = self.window(cell)?;
            if let Some(previous) = previous {
                let touches = previous.range.last().checked_add(1) == Some(cell.first());
                let before = match cell.first().checked_sub(1) {
                    Some(end) if !touches => {
                        let range = TimeRange::half_open(Some(grid.floor(end)?), Some(cell.first()));
                        Side { range, samples: BTreeMap::new() }
                    }
                    _ => previous,
                };
                self.compare(&before, &current);
            }
            previous = Some(current);
        }
        Ok(())
    }

    /// All tests of all groups of two windows.
    fn compare(&mut self, reference: &Side, current: &Side) {
        let groups: BTreeSet<&Option<String>> =
            reference.samples.keys().chain(current.samples.keys()).collect();
        let empty = Sample::default();
        for group in groups {
            let a = reference.samples.get(group).unwrap_or(&empty);
            let b = current.samples.get(group).unwrap_or(&empty);
            let label = format!("{}\u{0}{}", group.as_deref().unwrap_or(""), current.range.first());
            let found = self.tests(a, b, hash64(label.as_bytes()));
            let row = |r: population::Row| row(group.as_deref(), (reference, current), (a, b), r);
            self.rows.extend(found.into_iter().map(row));
        }
    }

    fn tests(&self, a: &Sample, b: &Sample, group: u64) -> Vec<population::Row> {
        let models: BTreeSet<&String> = a.models.iter().chain(&b.models).collect();
        if models.len() > 1 && self.args.align == Aligns::Error {
            let one = |&test| population::Row::empty(test, Status::ModelBreak);
            return self.params.tests.iter().map(one).collect();
        }
        let dim = self.snapshot.settings().dim;
        let [a, b] = [a, b].map(|s| Window { entity: &s.entity, x: &s.x, dim });
        population::compare(&a, &b, group, &self.params)
    }

    /// Adjusts the p-values and prints the rows.
    fn print(mut self, mut sink: Sink<'_, PopulationRow>) -> Result<()> {
        let adjusted = holm(&self.rows.iter().map(|r| r.p_value).collect::<Vec<_>>());
        for (row, p) in self.rows.iter_mut().zip(adjusted) {
            row.p_adjusted = p;
            row.drift = p.is_some_and(|p| p <= self.args.alpha);
        }
        drop(self.progress);
        self.rows.iter().try_for_each(|r| sink.row(r))?;
        let drifted = self.rows.iter().filter(|r| r.drift).count();
        let broken = self.rows.iter().filter(|r| r.status == Status::ModelBreak.as_str()).count();
        if drifted > 0 && self.args.gate.fail_on.is_none() {
            self.context.note(&format!(
                "{drifted} of {} tests see a drift; --fail-on EXPR makes findings end with exit status 4",
                self.rows.len()
            ));
        }
        let few = self.rows.iter().filter(|r| r.status == Status::FewPoints.as_str()).count();
        if self.rows.is_empty() {
            self.context.note("no window holds a point: nothing was compared");
        } else if few > 0 {
            self.context.note(&format!(
                "{few} of {} tests could not be made (status few_points): a window needs two points, and entities that can change places",
                self.rows.len()
            ));
        }
        if broken > 0 {
            self.context.note(
                "windows hold points of several embedding models (status model_break); --model NAME selects one of them",
            );
        }
        if self.ungrouped > 0 {
            let key = self.args.by.as_deref().unwrap_or_default();
            self.context.warn(&format!("{} points have no \"{key}\" and belong to no group", self.ungrouped));
        }
        sink.finish()
    }
}

fn row(
    group: Option<&str>,
    (reference, current): (&Side, &Side),
    (a, b): (&Sample, &Sample),
    r: population::Row,
) -> PopulationRow {
    let from = |range: &TimeRange| (range.first() > i64::MIN).then(|| Time(range.first()));
    let to = |range: &TimeRange| range.last().checked_add(1).map(Time);
    PopulationRow {
        group: group.map(str::to_string),
        ref_from: from(&reference.range),
        ref_to: to(&reference.range),
        cur_from: from(&current.range),
        cur_to: to(&current.range),
        n_ref: a.entity.len() as u64,
        n_cur: b.entity.len() as u64,
        test: r.test.as_str(),
        statistic: r.statistic,
        p_value: r.p_value,
        p_adjusted: None,
        drift: false,
        effect: r.effect,
        top_dims: Json(top_dims(&r.top_dims)),
        status: r.status.as_str(),
        cosine: r.cosine,
        approx: r.statistic.is_some() && (a.approx || b.approx),
    }
}
