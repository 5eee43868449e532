//! Windows against windows: which pairs there are, their tests, and the rows of all of them.

use super::windows::Sampling;
use super::{Current, Reference, Report, Request};
use crate::analytics::population::{self, Params, Window};
use crate::analytics::{Align, Status};
use crate::commands::{Level, Outcome, Progress, Rows, Session, Watch};
use crate::dataset::{Select, Snapshot};
use crate::error::{Code, Error, Result};
use crate::format::checksum::hash64;
use crate::model::TimeRange;
use crate::output::Time;
use crate::results::baseline::{Baseline, Sample};
use crate::results::stored::{Stored, What};
use crate::rows::{PopulationRow, top_dims};
use crate::time::{Grid, TimeFormat, format_time, parse_period, parse_range};
use std::collections::{BTreeMap, BTreeSet};

/// One side of a comparison.
pub(super) struct Side {
    /// When.
    pub range: TimeRange,
    /// Its points, by group.
    pub samples: BTreeMap<Option<String>, Sample>,
}

/// All comparisons of a run.
pub(super) struct Comparisons<'a> {
    session: &'a Session,
    request: &'a Request,
    watch: &'a dyn Watch,
    snapshot: &'a Snapshot,
    sampling: Sampling<'a>,
    params: Params,
    /// Each with the least p-value that it could have had.
    rows: Vec<(PopulationRow, Option<f64>)>,
    windows: u64,
    points: u64,
    ungrouped: u64,
    /// Points of other embedding models than most of their window.
    left_out: u64,
    /// Cells of the grid that share points with the reference.
    overlapping: usize,
}

impl<'a> Comparisons<'a> {
    /// Nothing is read yet.
    pub fn new(
        session: &'a Session,
        request: &'a Request,
        watch: &'a dyn Watch,
        select: &'a Select,
    ) -> Result<Self> {
        let snapshot = session.snapshot()?;
        Ok(Comparisons {
            session,
            request,
            watch,
            snapshot,
            sampling: Sampling {
                snapshot,
                select,
                by: request.by.as_deref(),
                max_points: request.max_points,
                mixed: request.align == Align::Off,
                seed: session.seed(),
            },
            params: request.params(session.seed()),
            rows: Vec::new(),
            windows: 0,
            points: 0,
            ungrouped: 0,
            left_out: 0,
            overlapping: 0,
        })
    }

    /// The reference, unless it is the window before each.
    pub fn reference(&mut self) -> Result<Option<Side>> {
        match &self.request.reference {
            Reference::Previous => Ok(None),
            Reference::Baseline(name) => self.stored(name).map(Some),
            Reference::Window(text) => {
                let range = self.range(text, "ref")?;
                let range = self.within_selection(range, "ref");
                self.window(range).map(Some)
            }
        }
    }

    fn stored(&self, name: &str) -> Result<Side> {
        let (dir, id) = (self.snapshot.dir(), self.snapshot.config().id);
        let baseline = Baseline::read(&Stored::require(dir, id, What::Baseline, name)?)?;
        if baseline.dim != self.snapshot.settings().dim || baseline.by != self.request.by {
            let by = baseline.by.map_or("without ‹by›".to_string(), |by| format!("with ‹by {by}›"));
            return Err(Error::usage(format!("the baseline {name} was made {by}"))
                .fix("use it the same way, or save another one"));
        }
        let range = TimeRange::closed(baseline.window.0, baseline.window.1);
        let samples = baseline.samples.into_iter().map(|s| (s.group.clone(), s)).collect();
        Ok(Side { range, samples })
    }

    /// A range of times of an option.
    fn range(&self, text: &str, option: &str) -> Result<TimeRange> {
        let now = self.session.now(self.sampling.select, &[], Some(text))?;
        let read = if text.contains("..") { parse_range } else { parse_period };
        read(text, &now).map_err(|e| e.option(option))
    }

    /// The part of a window that the selected times leave. Warns when they cut it.
    fn within_selection(&self, range: TimeRange, option: &str) -> TimeRange {
        let cut = range.intersect(&self.sampling.select.time);
        if cut.is_empty() {
            let text = format!("‹from›, ‹to› or ‹in› leave nothing of ‹{option}›");
            self.watch.note(Level::Warning, &text);
            return range;
        } else if cut != range {
            let end = |t: Option<i64>| {
                t.filter(|t| *t > i64::MIN).map_or(String::new(), |t| format_time(t, TimeFormat::Rfc3339))
            };
            self.watch.note(
                Level::Warning,
                &format!(
                    "‹from›, ‹to› or ‹in› cut ‹{option}› to {}..{}",
                    end(Some(cut.first())),
                    end(cut.last().checked_add(1))
                ),
            );
        }
        cut
    }

    fn window(&mut self, range: TimeRange) -> Result<Side> {
        self.watch.stop()?;
        let window = self.sampling.window(range)?;
        self.windows += 1;
        self.points += window.points;
        self.ungrouped += window.ungrouped;
        self.left_out += window.samples.values().map(|s| s.left_out).sum::<u64>();
        self.watch.progress(&Progress::Compared { windows: self.windows, points: self.points });
        Ok(Side { range, samples: window.samples })
    }

    /// Compares what is to be compared.
    pub fn run(&mut self, reference: Option<&Side>) -> Result<()> {
        match (&self.request.current, reference) {
            (Current::Window(text), Some(reference)) => {
                let range = self.range(text, "cur")?;
                if range.overlaps(&reference.range) {
                    return Err(Error::usage(
                        "the two windows overlap: points of both would be compared with themselves",
                    )
                    .option("cur")
                    .fix("choose windows that share no time; a period like 2024 ends before 2025"));
                }
                let range = self.within_selection(range, "cur");
                let current = self.window(range)?;
                let groups: BTreeSet<_> = reference.samples.keys().chain(current.samples.keys()).collect();
                self.plan(groups.len());
                self.compare(reference, &current)?;
            }
            (Current::Every(step), Some(reference)) => {
                for cell in self.cells(&Grid::new(*step)?)? {
                    if cell.overlaps(&reference.range) {
                        self.overlapping += 1;
                        continue;
                    }
                    let current = self.window(cell)?;
                    self.compare(reference, &current)?;
                }
            }
            (Current::Every(step), None) => self.one_after_another(&Grid::new(*step)?)?,
            _ => {}
        }
        Ok(())
    }

    /// Chooses the number of relabellings for `pairs` pairs of samples, unless the request did.
    fn plan(&mut self, pairs: usize) {
        if self.request.permutations.is_none() {
            let rows = pairs * self.params.tests.len();
            self.params.permutations = population::enough(self.request.adjust, rows, self.request.alpha);
        }
    }

    /// The cells that hold points, in order.
    fn cells(&mut self, grid: &Grid) -> Result<Vec<TimeRange>> {
        let cells = self.sampling.occupied(grid)?;
        self.plan(cells.starts.len() * cells.groups);
        let cell = |s| TimeRange::half_open(Some(s), grid.after(s));
        Ok(cells.starts.into_iter().map(cell).collect())
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
                self.compare(&before, &current)?;
            }
            previous = Some(current);
        }
        Ok(())
    }

    /// All tests of all groups of two windows.
    fn compare(&mut self, reference: &Side, current: &Side) -> Result<()> {
        let groups: BTreeSet<&Option<String>> =
            reference.samples.keys().chain(current.samples.keys()).collect();
        let empty = Sample::default();
        for group in groups {
            let a = reference.samples.get(group).unwrap_or(&empty);
            let b = current.samples.get(group).unwrap_or(&empty);
            let label = format!("{}\u{0}{}", group.as_deref().unwrap_or(""), current.range.first());
            self.watch.stop()?;
            let found = self.tests(a, b, hash64(label.as_bytes()));
            let row = |r: population::Row| {
                let least = r.least_p;
                (row(group.as_deref(), (reference, current), (a, b), r), least)
            };
            self.rows.extend(found.into_iter().map(row));
        }
        Ok(())
    }

    fn tests(&self, a: &Sample, b: &Sample, group: u64) -> Vec<population::Row> {
        let models: BTreeSet<&String> = a.models.iter().chain(&b.models).collect();
        if models.len() > 1 && self.request.align == Align::Error {
            let one = |&test| population::Row::empty(test, Status::ModelBreak);
            return self.params.tests.iter().map(one).collect();
        }
        let dim = self.snapshot.settings().dim;
        let [a, b] = [a, b].map(|s| Window { entity: &s.entity, x: &s.x, dim });
        population::compare(&a, &b, group, &self.params)
    }

    /// Adjusts the p-values and hands the rows over.
    pub fn finish(mut self, out: &mut dyn Rows<PopulationRow>) -> Result<Report> {
        let p_values: Vec<Option<f64>> = self.rows.iter().map(|(r, _)| r.p_value).collect();
        let adjusted = population::adjust(self.request.adjust, &p_values);
        for ((row, _), p) in self.rows.iter_mut().zip(adjusted) {
            row.p_adjusted = p;
            row.drift = p.is_some_and(|p| p <= self.request.alpha);
        }
        self.note();
        let report = Report {
            tests: self.rows.len(),
            drifted: self.rows.iter().filter(|(r, _)| r.drift).count(),
            outcome: Outcome::of(self.verdict()),
            saved: None,
        };
        self.rows.into_iter().try_for_each(|(r, _)| out.row(r))?;
        out.end()?;
        Ok(report)
    }

    /// What a reader of the rows should know.
    fn note(&self) {
        let all = self.rows.len();
        let least: Vec<Option<f64>> = self.rows.iter().map(|(_, least)| *least).collect();
        let hopeless = population::unreachable(self.request.adjust, &least, self.request.alpha);
        if hopeless > 0 {
            let made = least.iter().flatten().count();
            let low = least.iter().flatten().copied().fold(0.0, f64::max);
            self.watch.note(Level::Warning, &format!(
                "{hopeless} of {made} tests cannot reach ‹alpha {}› after the adjustment for {made} tests: their p-values \
                 are {low:.2e} at least; compare more entities, make fewer tests, or use ‹adjust fdr› or more ‹permutations›",
                self.request.alpha
            ));
        }
        for (status, why) in [
            (Status::FewPoints, "a window needs two points"),
            (
                Status::FewEntities,
                "a comparison of populations needs two entities with points in both windows, or two in each; \
                 `cvx drift ‹entity ID› ‹from A..B› ‹to C..D›` compares two periods of one entity",
            ),
            (
                Status::ModelBreak,
                "the windows hold points of several embedding models; ‹model NAME› selects one of them",
            ),
        ] {
            let n = self.count(status);
            if n > 0 {
                let word = status.as_str();
                self.watch.note(
                    Level::Note,
                    &format!("{n} of {all} tests could not be made (status {word}): {why}"),
                );
            }
        }
        if self.left_out > 0 {
            self.watch.note(Level::Warning, &format!(
                "{} points were left out: they belong to another embedding model than most points of their window \
                 (left_out in the rows)",
                self.left_out
            ));
        }
        if self.overlapping > 0 {
            self.watch.note(
                Level::Warning,
                &format!(
                    "{} cells of the grid overlap the reference and were not compared with it",
                    self.overlapping
                ),
            );
        }
        if self.ungrouped > 0 && self.ungrouped < self.points {
            let key = self.request.by.as_deref().unwrap_or_default();
            self.watch.note(
                Level::Warning,
                &format!("{} points have no \"{key}\" and belong to no group", self.ungrouped),
            );
        }
    }

    fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|(r, _)| r.status == status).count()
    }

    /// What could not be compared.
    fn verdict(&self) -> Result<()> {
        let key = self.request.by.as_deref().unwrap_or_default();
        if self.points > 0 && self.ungrouped == self.points {
            return Err(Error::new(Code::NotFound, format!("no point of the windows has a \"{key}\""))
                .option("by")
                .fix("‹by› takes a key of the metadata, like a or a.b; `cvx export -f jsonl` shows what points have"));
        }
        let undone = [Status::FewPoints, Status::FewEntities, Status::ModelBreak];
        let undone: usize = undone.into_iter().map(|s| self.count(s)).sum();
        let partial = |text: String| Err(Error::new(Code::Partial, text));
        match (self.rows.is_empty(), self.points) {
            (true, 0) => partial("no window holds a point: nothing was compared".into()),
            (true, _) => partial("there is only one window with points: nothing was compared".into()),
            _ if undone > 0 => partial(format!("{undone} of {} tests could not be made", self.rows.len())),
            _ => Ok(()),
        }
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
        entities: r.entities as u64,
        left_out: a.left_out + b.left_out,
        test: r.test.as_str(),
        statistic: r.statistic,
        p_value: r.p_value,
        p_adjusted: None,
        drift: false,
        effect: r.effect,
        permutations: r.permutations as u64,
        top_dims: top_dims(&r.top_dims),
        status: r.status,
        cosine: r.cosine,
        approx: r.statistic.is_some() && (a.approx || b.approx),
    }
}
