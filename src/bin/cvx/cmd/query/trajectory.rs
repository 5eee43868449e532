//! `cvx query trajectory`: the points of entities, in time order.

use crate::context::Context;
use crate::rows::TrajectoryRow;
use crate::select::SelectArgs;
use crate::signals;
use crate::values::duration;
use clap::ValueEnum;
use cvx::analytics::{cosine_distance, l2_distance};
use cvx::dataset::{Rows, Select, Snapshot, Trajectories};
use cvx::error::{Error, Result};
use cvx::model::{EntityId, TimeRange, TimestampUs, Trajectory, seconds_between};
use cvx::output::{Id, Meta, Output, Time};
use cvx::query::{Interpolate, Sample, resample};
use cvx::simd::wide;
use cvx::time::{Duration, Grid};

/// The points of an entity in time order, with the steps between them
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx query trajectory --entity apple
  cvx query trajectory --entity apple --every 1mo --interpolate linear -f csv
  cvx query trajectory --entity 42,43 --from 2024-01-01 --vectors list -f jsonl --meta")]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// One row every DUR, by the calendar: 1d, 1w, 1mo, 10y
    #[arg(long, value_name = "DUR", value_parser = duration)]
    every: Option<Duration>,
    /// With --every: what stands between the points
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Between::None, requires = "every")]
    interpolate: Between,
    /// Show metadata
    #[arg(long)]
    meta: bool,
}

/// `--interpolate`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// Nothing: the last point of each step, at its own time
    None,
    /// The straight line, at every step
    Linear,
    /// The latest point, at every step from the start of the window; it may lie before
    Locf,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    if args.select.is_empty() {
        return Err(Error::usage("whose trajectory?")
            .fix("select with --entity or any other selection; `cvx export` writes all points"));
    }
    let grid = args.every.map(Grid::new).transpose()?;
    let snapshot = context.snapshot()?;
    let selection = args.select.resolve(context, &snapshot)?;
    let hidden: &[&str] = if args.meta { &[] } else { &["meta"] };
    let mut walk = Walk {
        snapshot: &snapshot,
        meta: args.meta,
        out: context.rows_of(&snapshot, hidden)?,
        name: None,
        linear: args.interpolate == Between::Linear,
        from: selection.select.time.first(),
        before: None,
        approx_before: false,
        n: 0,
    };
    let select = match args.interpolate {
        Between::Locf => with_earlier(&snapshot, &selection.select)?,
        _ => selection.select.clone(),
    };
    for rows in Trajectories::new(select.resolve(&snapshot)?) {
        walk.start(rows.entity)?;
        match &grid {
            None => walk.points(&rows)?,
            Some(grid) => walk.samples(&rows, grid, args.interpolate)?,
        }
    }
    walk.out.finish()?;
    selection.finish()
}

/// The chosen entities' points before the window too: the last one is the state at its start.
fn with_earlier(snapshot: &Snapshot, select: &Select) -> Result<Select> {
    let chosen = select.resolve(snapshot)?.counts().into_keys().collect();
    Ok(Select {
        entities: Some(chosen),
        time: TimeRange::closed(TimestampUs::MIN, select.time.last()),
        filter: select.filter.clone(),
        model: select.model.clone(),
        source: select.source.clone(),
        ..Select::default()
    })
}

/// Points whose vectors are read at once.
const CHUNK: usize = 1_024;

/// Writes one trajectory after the other.
struct Walk<'a> {
    snapshot: &'a Snapshot,
    meta: bool,
    out: Output<TrajectoryRow>,
    name: Option<String>,
    /// True when rows lie on the line between points.
    linear: bool,
    /// Start of the window.
    from: TimestampUs,
    /// Time and vector of the row before, of the same entity.
    before: Option<(TimestampUs, Vec<f32>)>,
    /// True when that vector comes from a lossy block.
    approx_before: bool,
    n: usize,
}

impl Walk<'_> {
    fn start(&mut self, entity: EntityId) -> Result<()> {
        self.name = self.snapshot.entity_name(entity)?;
        self.before = None;
        self.n = 0;
        Ok(())
    }

    fn points(&mut self, rows: &Rows<'_>) -> Result<()> {
        let dim = self.snapshot.settings().dim;
        let mut x = Vec::new();
        for start in (0..rows.len()).step_by(CHUNK) {
            rows.read(start..rows.len().min(start + CHUNK), &mut x)?;
            for (point, vector) in (start..).zip(x.chunks_exact(dim)) {
                self.row(rows, point, rows.t[point], vector.to_vec())?;
            }
        }
        Ok(())
    }

    fn samples(&mut self, rows: &Rows<'_>, grid: &Grid, between: Between) -> Result<()> {
        let how = match between {
            Between::None => Interpolate::None,
            Between::Linear => Interpolate::Linear,
            Between::Locf => Interpolate::Locf,
        };
        let mut x = Vec::new();
        let start = rows.t.partition_point(|t| *t <= self.from).saturating_sub(1);
        rows.read(start..rows.len(), &mut x)?;
        let dim = self.snapshot.settings().dim;
        let t = &rows.t[start..];
        let trajectory = Trajectory { entity: rows.entity, t, x: &x, dim, model: &[] };
        let from = self.from;
        let mut emit = |s: Sample| self.row(rows, start + s.point, s.t, s.vector);
        resample(&trajectory, grid, how, from, &mut emit)
    }

    /// One row; model and metadata are those of the latest point.
    fn row(&mut self, rows: &Rows<'_>, point: usize, t: TimestampUs, vector: Vec<f32>) -> Result<()> {
        signals::check()?;
        let text = if self.meta { rows.meta(point)? } else { String::new() };
        let model = &rows.origin(point).model;
        let step = self.before.as_ref();
        let here = rows.is_approx(point);
        let between =
            self.linear && rows.t[point] != t && point + 1 < rows.len() && rows.is_approx(point + 1);
        // A step depends on the row before.
        let approx = here || between || (step.is_some() && self.approx_before);
        let row = TrajectoryRow {
            entity_id: Id(rows.entity),
            entity: self.name.clone(),
            t: Time(t),
            n: self.n,
            norm: wide::norm(&vector),
            step_l2: step.map(|(_, b)| l2_distance(b, &vector)),
            step_cosine: step.and_then(|(_, b)| cosine_distance(b, &vector)),
            dt_s: step.map(|(before, _)| seconds_between(*before, t)),
            model: (!model.is_empty()).then(|| model.clone()),
            approx,
            vector,
            meta: (!text.is_empty()).then_some(Meta(text)),
        };
        self.out.row(&row)?;
        self.before = Some((t, row.vector));
        self.approx_before = here || between;
        self.n += 1;
        Ok(())
    }
}
