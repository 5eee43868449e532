//! `cvx velocity`: how fast entities move, and where they turn.

use crate::batch::{Job, Sink, Subject};
use crate::context::Context;
use crate::cuts::{BatchArgs, PerArg};
use crate::rows::VelocityRow;
use crate::select::{SelectArgs, time};
use crate::uncomputed::Uncomputed;
use clap::ValueEnum;
use cvx::analytics::velocity::{self, Params, Scheme, Velocity};
use cvx::error::Result;
use cvx::model::Trajectory;
use cvx::output::{Id, Time};
use cvx::time::TimeExpr;

/// Speed, acceleration and turning angle along each trajectory
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Derivatives are those of the parabola through a point and its neighbours, exact for
irregular times; see --scheme.

Examples:
  cvx velocity --entity user42 --order 2
  cvx velocity --at 2024-06-01 --per 30d -f csv
  cvx velocity --in 2024 --vectors list -o velocity.parquet"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// 1 for velocity, 2 for acceleration too
    #[arg(long, value_name = "1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    order: u8,
    /// One row an entity: its motion at T, between points too
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true)]
    at: Option<TimeExpr>,
    #[command(flatten)]
    per: PerArg,
    /// How derivatives are taken
    #[arg(long, value_enum, default_value_t = Schemes::ThreePoint)]
    scheme: Schemes,
    #[command(flatten)]
    batch: BatchArgs,
}

/// `--scheme`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Schemes {
    /// Second order: the parabola through three points
    ThreePoint,
    /// First order: the step in
    TwoPoint,
}

impl Args {
    fn params(&self, vectors: bool) -> Params {
        Params {
            scheme: match self.scheme {
                Schemes::ThreePoint => Scheme::ThreePoint,
                Schemes::TwoPoint => Scheme::TwoPoint,
            },
            acceleration: self.order == 2,
            per_s: self.per.seconds(),
            vectors,
            cuts: self.batch.cuts.cuts(),
        }
    }
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    let selection = args.select.resolve(context, &snapshot)?;
    let at = context.instant(&snapshot, &selection.select, args.at.as_ref())?;
    let params = args.params(context.shows_vectors());
    let hidden: &[&str] = if args.batch.scale.is_empty() { &["scale"] } else { &[] };
    let mut sink = Sink::new(context.rows_of::<VelocityRow>(&snapshot, hidden)?, &args.batch.gate)?;
    let work = |trajectory: &Trajectory<'_>, subject: &Subject| {
        let row = |v| row(&args, subject, trajectory.len(), v);
        match at {
            Some(t) => vec![row(velocity::at(trajectory, t, &params))],
            None => velocity::rows(trajectory, &params).map(row).collect(),
        }
    };
    let job =
        Job { context, snapshot: &snapshot, selection: &selection, args: &args.batch, bytes_a_value: 4 };
    let mut uncomputed = Uncomputed::new("--model");
    job.for_each_counted(work, |scales| {
        let none = scales.iter().flatten().all(|r| r.speed.is_none());
        uncomputed.count(scales.iter().flatten().next().filter(|_| none).map(|r| r.status));
        scales.iter().flatten().try_for_each(|r| sink.row(r))
    })?;
    sink.finish()?;
    uncomputed.finish(context, selection.select.limit)?;
    selection.finish()
}

fn row(args: &Args, subject: &Subject, n: usize, v: Velocity) -> VelocityRow {
    let single = |x: Option<Vec<f64>>| x.map(|x| x.into_iter().map(|v| v as f32).collect());
    VelocityRow {
        entity_id: Id(subject.id),
        entity: subject.name.clone(),
        t: Time(v.t),
        n,
        dt_before_s: v.dt_before_s,
        dt_after_s: v.dt_after_s,
        speed: v.speed,
        accel: v.accel,
        turn_deg: v.turn_deg,
        per: args.per.text.clone(),
        approx: subject.is_approx(v.used),
        status: v.status.as_str(),
        vector_velocity: single(v.velocity),
        vector_accel: single(v.acceleration),
        scale: args.batch.scale_name(subject.scale),
    }
}
