//! How far entities have moved between two instants, and in which dimensions.
//!
//! [`super::periods`] compares two periods.

use super::periods::{self, PeriodArgs};
use crate::batch::{Job, Sink, Subject};
use crate::context::Context;
use crate::cuts::{BatchArgs, PerArg};
use crate::rows::DriftRow;
use crate::select::{SelectArgs, When, known_entity, time};
use crate::uncomputed::Uncomputed;
use clap::ValueEnum;
use cvx::analytics::DimShare;
use cvx::analytics::drift::{self, Drift, Params, Reference};
use cvx::analytics::scales;
use cvx::dataset::Snapshot;
use cvx::error::{Code, Error, Result};
use cvx::model::{TimestampUs, Trajectory};
use cvx::output::{Id, Json, Row, Time};
use cvx::time::TimeExpr;

/// Drift of entities.
#[derive(clap::Args, Debug)]
pub struct EntityArgs {
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// What the last state is compared with: first, centroid, or ENTITY@T
    #[arg(long, value_name = "REF", default_value = "first")]
    pub(super) reference: String,
    /// Dimensions to name
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) top: usize,
    #[command(flatten)]
    pub(super) per: PerArg,
    /// Random sign flips for direction_p; 0 for none [default: 999]
    #[arg(long, value_name = "N")]
    pub(super) flips: Option<usize>,
    /// Order the rows by this, largest first
    #[arg(long, value_enum, value_name = "FIELD")]
    pub(super) sort: Option<SortBy>,
    /// Only the first N rows, after sorting
    #[arg(long, value_name = "N")]
    pub(super) top_rows: Option<usize>,
    #[command(flatten)]
    pub(super) period: PeriodArgs,
    #[command(flatten)]
    pub(super) batch: BatchArgs,
}

/// `--sort`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortBy {
    /// Euclidean distance
    L2,
    /// Cosine distance
    Cosine,
    /// Angle
    Angle,
    /// Distance per --per
    Rate,
    /// Length of the path
    Path,
    /// Distance of two periods, corrected for noise
    Change,
}

impl SortBy {
    fn key(self, row: &DriftRow) -> f64 {
        let value = match self {
            SortBy::L2 => row.l2,
            SortBy::Cosine => row.cosine,
            SortBy::Angle => row.angle_deg,
            SortBy::Rate => row.rate,
            SortBy::Path => row.path_l2,
            SortBy::Change => None,
        };
        value.unwrap_or(f64::NEG_INFINITY)
    }
}

/// Runs the command.
pub fn run(context: &Context, args: EntityArgs) -> Result<()> {
    let is_period = |when: &Option<When>| matches!(when, Some(When::In(_)));
    if is_period(&args.select.from) || is_period(&args.select.to) {
        return periods::run(context, args);
    }
    args.refuse_options_of_periods()?;
    let snapshot = context.snapshot()?;
    let selection = args.select.without_time(context, &snapshot)?;
    let select = &selection.select;
    let (from, to) = args.instants(context, &snapshot, select)?;
    let state = args.state(context, &snapshot, select)?;
    let params = Params {
        from,
        to,
        reference: match (&state, args.reference.as_str()) {
            (Some((x, t, _)), _) => Reference::State(x, Some(*t)),
            (None, "centroid") => Reference::Centroid,
            (None, _) => Reference::First,
        },
        per_s: args.per.seconds(),
        top: args.top,
        flips: args.flips.unwrap_or(999),
        seed: context.seed(),
        cuts: args.batch.cuts.cuts(),
    };
    let sparks = context.sparks()?;
    let hidden = hidden(args.batch.scale.is_empty(), sparks.is_none());
    let sink = Sink::new(context.rows_of::<DriftRow>(&snapshot, &hidden)?, &args.batch.gate)?;
    let room = args.top_rows.unwrap_or(usize::MAX);
    let mut sorted = Sorted::new(sink, args.sort.map(|by| move |row: &DriftRow| by.key(row)), room);
    let mut uncomputed = Uncomputed::new("--model");
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let mut row = row(&args, subject, drift::drift(trajectory, &params));
        row.approx |= matches!(&state, Some((.., true))) && row.l2.is_some();
        row.path = sparks.as_ref().map(|s| s.of(trajectory));
        row
    };
    let job =
        Job { context, snapshot: &snapshot, selection: &selection, args: &args.batch, bytes_a_value: 12 };
    job.for_each_counted(work, |mut scales| {
        let none = scales.iter().all(|r| r.l2.is_none());
        uncomputed.count(scales.first().filter(|_| none).map(|r| r.status));
        let roughness = roughness(&args, &scales);
        scales.iter_mut().for_each(|r| r.roughness = roughness);
        scales.into_iter().try_for_each(|row| sorted.take(row))
    })?;
    sorted.finish()?;
    uncomputed.finish(context, selection.select.limit)?;
    selection.finish()
}

/// Columns that say nothing in this run.
fn hidden(unscaled: bool, plain: bool) -> Vec<&'static str> {
    let mut hidden = Vec::new();
    if unscaled {
        hidden.extend(["scale", "roughness"]);
    }
    if plain {
        hidden.push("path");
    }
    hidden
}

/// How the length of one entity's path shrinks with the scale.
fn roughness(args: &EntityArgs, scales: &[DriftRow]) -> Option<f64> {
    let widths = args.batch.scale.iter().map(|c| c.step.seconds());
    let paths = widths.zip(scales).filter_map(|(w, r)| Some((w, r.path_l2?)));
    scales::roughness(&paths.collect::<Vec<_>>())
}

impl EntityArgs {
    fn refuse_options_of_periods(&self) -> Result<()> {
        let sorts = self.sort == Some(SortBy::Change);
        match self.period.given().or(sorts.then_some("--sort change")) {
            None => Ok(()),
            Some(option) => Err(Error::usage("this compares two periods, and drift was given instants")
                .what(format!("option {option}"))
                .fix("name two periods, e.g. --from 1850..1900 --to 1950..2000")),
        }
    }

    fn instants(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        select: &cvx::dataset::Select,
    ) -> Result<(Option<TimestampUs>, Option<TimestampUs>)> {
        if self.select.in_.is_some() {
            return Err(Error::usage("drift compares two instants or two periods, not one period")
                .what("option --in")
                .fix(
                    "instants: --from 1990 --to 2010; means of periods: --from 1850..1900 --to 1950..2000; \
                     whole populations: `cvx drift population --ref A..B --cur C..D`",
                ));
        }
        let [from, to] = self.select.times()?;
        let from = context.instant(snapshot, select, from.as_ref())?;
        let to = context.instant(snapshot, select, to.as_ref())?;
        match (from, to) {
            (Some(a), Some(b)) if a > b => {
                Err(Error::usage("--from lies after --to").fix("exchange the two"))
            }
            pair => Ok(pair),
        }
    }

    /// The state that `ENTITY@T` names, its time, and whether a lossy codec changed it.
    fn state(
        &self,
        context: &Context,
        snapshot: &Snapshot,
        select: &cvx::dataset::Select,
    ) -> Result<Option<(Vec<f32>, TimestampUs, bool)>> {
        let Some((name, t)) = self.reference.rsplit_once('@') else {
            return match self.reference.as_str() {
                "first" | "centroid" => Ok(None),
                other => Err(Error::usage(format!("\"{other}\" is not a reference"))
                    .what("option --reference")
                    .fix("use first, centroid, or ENTITY@T")),
            };
        };
        let entity = known_entity(snapshot, name)?;
        let t: TimeExpr = time(t).map_err(|e| Error::usage(e).what("option --reference"))?;
        let at = context.instant(snapshot, select, Some(&t))?.unwrap_or(TimestampUs::MAX);
        let Some((part, row)) = snapshot.state_at(entity, at)? else {
            return Err(Error::new(
                Code::NotFound,
                format!("entity {name} has no point at or before that time"),
            )
            .what("option --reference"));
        };
        let mut buffer = Vec::new();
        let vector = cvx::model::VectorSource::vectors(part, row..row + 1, &mut buffer)?.to_vec();
        Ok(Some((vector, part.times()[row], part.is_approx(row))))
    }
}

/// Rows out as they come, or once all are there and sorted.
pub(super) struct Sorted<'a, R, K> {
    sink: Sink<'a, R>,
    key: Option<K>,
    rows: Vec<R>,
    room: usize,
}

impl<'a, R: Row, K: Fn(&R) -> f64> Sorted<'a, R, K> {
    /// Rows by `key`, largest first, no more than `room`.
    pub(super) fn new(sink: Sink<'a, R>, key: Option<K>, room: usize) -> Self {
        Sorted { sink, key, rows: Vec::new(), room }
    }

    pub(super) fn take(&mut self, row: R) -> Result<()> {
        if !self.sink.admits(&row) {
            return Ok(());
        }
        if self.key.is_some() {
            self.rows.push(row);
        } else if self.room > 0 {
            self.room -= 1;
            self.sink.write(&row)?;
        }
        Ok(())
    }

    /// Equal rows stay in the order of entities.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some(key) = &self.key {
            self.rows.sort_by(|a, b| key(b).total_cmp(&key(a)));
            self.rows.iter().take(self.room).try_for_each(|r| self.sink.write(r))?;
        }
        self.sink.finish()
    }
}

fn row(args: &EntityArgs, subject: &Subject, d: Drift) -> DriftRow {
    DriftRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        t1: d.t1.map(Time),
        t2: d.t2.map(Time),
        n: d.n,
        l2: d.l2,
        cosine: d.cosine,
        angle_deg: d.angle_deg,
        norm_ratio: d.norm_ratio,
        rate_per: args.per.text.clone(),
        rate: d.rate,
        path_l2: d.path_l2,
        efficiency: d.efficiency,
        top_dims: Json(top_dims(&d.top_dims)),
        pareto80: d.pareto80,
        t2_stat: d.t2_stat,
        direction_p: d.direction_p,
        approx: subject.is_approx(d.used),
        status: d.status.as_str(),
        scale: args.batch.scale_name(subject.scale),
        roughness: None,
        path: None,
        direction_block: d.direction_block,
    }
}

/// `[{"dim":17,"delta":-0.031,"share":0.12},..]`.
pub fn top_dims(dims: &[DimShare]) -> String {
    let one = |d: &DimShare| serde_json::json!({"dim": d.dim, "delta": d.delta, "share": d.share});
    serde_json::Value::from(dims.iter().map(one).collect::<Vec<_>>()).to_string()
}
