//! What the neighbour queries share: options, the call, the rows.

use super::vectors::{Asked, VectorArgs};
use crate::context::Context;
use crate::mixed::Mixed;
use crate::rows::NeighbourRow;
use crate::select::SelectArgs;
use crate::signals;
use crate::values::{Metrics, duration};
use clap::ValueEnum;
use cvx::dataset::{Select, Snapshot};
use cvx::error::{Code, Error, Result};
use cvx::metric::Metric;
use cvx::model::{TimeRange, TimestampUs, VectorSource};
use cvx::output::{Id, Label, Meta, Time};
use cvx::query::{Composite, Cost, Decay, Found, How, Request, When, search};
use cvx::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

/// Options of every neighbour query.
#[derive(clap::Args, Debug, Clone)]
pub struct NeighbourArgs {
    #[command(flatten)]
    pub vectors: VectorArgs,
    /// Neighbours wanted
    #[arg(short, value_name = "N", value_parser = neighbours, allow_hyphen_values = true)]
    pub k: Option<usize>,
    /// Distance; without it the dataset's
    #[arg(long, value_enum)]
    pub metric: Option<Metrics>,
    /// All points, or of each entity only the best
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = PerEntity::All)]
    pub per_entity: PerEntity,
    /// With --like: the entity itself may be its own neighbour
    #[arg(long)]
    pub include_self: bool,
    /// Show metadata
    #[arg(long)]
    pub meta: bool,
    /// Say on standard error what answering took, which way it went and why
    #[arg(long)]
    pub stats: bool,
    /// Scan every selected point; without it an index chooses candidates where there is one
    #[arg(long)]
    pub exact: bool,
    /// Candidates that a search of the index ranks exactly: more find more and take longer; with as many as a part of the
    /// index has points, all of them are compared
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub ef: Option<u32>,
    /// Share of the nearest that a search of the index is sized to find [usual: 0.97]; above 0.99 all points are compared
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["ef", "exact"], value_parser = share)]
    pub recall: Option<f64>,
    #[command(flatten)]
    pub ranking: RankingArgs,
    #[command(flatten)]
    pub select: SelectArgs,
}

impl NeighbourArgs {
    /// The distance asked for.
    pub fn metric(&self, snapshot: &Snapshot) -> Metric {
        self.metric.map_or(snapshot.settings().metric, Into::into)
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to 1, e.g. 0.99".to_string())
}

fn neighbours(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a number of neighbours, e.g. 10".to_string())
}

/// `--per-entity`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerEntity {
    /// All points
    All,
    /// The nearest point of each entity
    Best,
}

/// The long help of `--alpha`: the formulas of `cvx::query::Composite`.
const ALPHA: &str = "Weight A of the vectors' distance; the rest is the distance in time from --at

  distance = A * n + (1 - A) * d_time            with A = 1 the vectors' distance itself
  n        = d_vec / 2                           cosine: 0 to 1
           = d_vec / (d_vec + S)                 l2, S is --scale
           = 1 / (1 + exp(-d_vec / S))           dot, where d_vec is the negated product
  d_time   = 1 - 2^(-x)                          --decay exp
           = 1 - 2^(-x^2)                        --decay gauss
           = min(1, x / 2)                       --decay linear
  x        = |t - at| / half-life

Both parts lie between 0 and 1; at one half-life d_time is one half.";

/// Time in the ranking.
#[derive(clap::Args, Debug, Clone)]
#[command(next_help_heading = "Time in the ranking")]
pub struct RankingArgs {
    /// Weight of the vectors' distance; the rest is the distance in time from --at
    #[arg(long, value_name = "0..1", default_value_t = 1.0, long_help = ALPHA)]
    pub alpha: f64,
    /// Time after which a point counts half; needed with --alpha below 1
    #[arg(long, value_name = "DUR", value_parser = duration)]
    pub half_life: Option<Duration>,
    /// How the weight of a point falls with its distance in time
    #[arg(long, value_enum, default_value_t = Decays::Exp)]
    pub decay: Decays,
    /// The distance that counts as one half; needed with --alpha below 1 and l2 or dot
    #[arg(long, value_name = "S")]
    pub scale: Option<f64>,
}

/// `--decay`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decays {
    /// Halves with every half-life
    Exp,
    /// A bell curve
    Gauss,
    /// A straight line
    Linear,
}

impl RankingArgs {
    fn composite(&self, metric: Metric, at: TimestampUs) -> Result<Option<Composite>> {
        if self.alpha == 1.0 {
            return Ok(None);
        }
        let half_life = self.half_life.ok_or_else(|| {
            Error::usage(format!("--alpha {} needs --half-life", self.alpha))
                .fix("give the time after which a point counts half, e.g. --half-life 90d")
        })?;
        let decay = match self.decay {
            Decays::Exp => Decay::Exp,
            Decays::Gauss => Decay::Gauss,
            Decays::Linear => Decay::Linear,
        };
        Composite::new(metric, self.alpha, at, half_life.seconds(), decay, self.scale).map(Some)
    }
}

/// What is particular to one of the commands.
pub struct Plan<'a> {
    /// The points to look at.
    pub select: &'a Select,
    /// The instant: of the ranking, or of the states.
    pub at: TimestampUs,
    /// With states: the largest age in microseconds.
    pub states: Option<Option<i64>>,
    /// Every point this near.
    pub radius: Option<f64>,
}

/// Answers of an index whose models are looked up.
const OPENED: usize = 16;

/// Asks, and writes the answers.
pub fn run(context: &Context, snapshot: &Snapshot, args: &NeighbourArgs, plan: &Plan<'_>) -> Result<()> {
    let started = Instant::now();
    let metric = args.metric(snapshot);
    let asked = args.vectors.read(context, snapshot, plan.states.map(|_| plan.at))?;
    let known = || asked.iter().filter(|a| a.lost.is_none());
    if metric == Metric::Cosine
        && let Some(zero) = known().find(|a| a.vector.iter().all(|v| *v == 0.0))
    {
        let label = match &zero.label {
            Label::Number(n) => n.to_string(),
            Label::Name(name) => name.clone(),
        };
        context.warn(&format!("query {label} is all zeros: it has no cosine distance to anything"));
    }
    let requests = known().map(|a| request(args, plan, metric, a)).collect::<Result<Vec<_>>>()?;
    let how = How { exact: args.exact, ef: args.ef.map(|ef| ef as usize), recall: args.recall };
    let (answers, cost) = search(snapshot, plan.select, metric, &requests, how)?;
    if let Some(reason) = &cost.warning {
        context.warn(&format!("{reason}; every point was scanned instead"));
        context.detail("`cvx index build --rebuild` makes the index anew");
    }
    if args.stats {
        stats(context, &cost, started);
    }
    let mut hidden = Vec::new();
    if !args.meta {
        hidden.push("meta");
    }
    if args.vectors.queries.is_none() && context.shows_table()? {
        hidden.extend(["query", "status"]);
    }
    let shown = (args.meta, context.shows_vectors());
    let mut out = context.rows_of::<NeighbourRow>(snapshot, &hidden)?;
    let mut answers = answers.iter();
    let (mut lost, mut opened, mut mixed) = (0, 0, Mixed::default());
    for a in &asked {
        signals::check()?;
        if let Some(status) = a.lost {
            lost += 1;
            out.row(&unanswered(a.label.clone(), status))?;
            continue;
        }
        a.model.iter().for_each(|model| mixed.note(model));
        for (i, f) in answers.next().into_iter().flatten().enumerate() {
            // Of points that only the index knows, the files that say their models are opened for the first few.
            if f.part.is_some() || opened < OPENED {
                opened += usize::from(f.part.is_none());
                let (part, row) = f.place(snapshot)?;
                mixed.note(&part.origin(row).model);
            }
            out.row(&row(snapshot, a.label.clone(), i, f, shown)?)?;
        }
    }
    mixed.tell(context);
    out.finish()?;
    match lost {
        0 => Ok(()),
        n => Err(Error::new(
            Code::Partial,
            format!("{n} of {} queries name no state of an entity", asked.len()),
        )
        .fix("their rows have the status not_found or no_state; all others are answered")),
    }
}

/// The row of a query that could not be asked.
fn unanswered(query: Label, status: &'static str) -> NeighbourRow {
    NeighbourRow {
        query,
        rank: None,
        entity_id: None,
        entity: None,
        t: None,
        distance: None,
        d_vec: None,
        d_time: None,
        approx: false,
        meta: None,
        vector: None,
        status,
    }
}

fn request(args: &NeighbourArgs, plan: &Plan<'_>, metric: Metric, a: &Asked) -> Result<Request> {
    let at = a.at.unwrap_or(plan.at);
    let everything = if plan.radius.is_some() { usize::MAX } else { 10 };
    Ok(Request {
        vector: a.vector.clone(),
        k: a.k.or(args.k).unwrap_or(everything),
        radius: plan.radius,
        when: match plan.states {
            Some(max_age) => When::AsOf(at, max_age),
            None if a.from.is_some() || a.to.is_some() => When::window(TimeRange::half_open(a.from, a.to)),
            None => When::window(plan.select.time),
        },
        exclude: a.entity.filter(|_| !args.include_self),
        best_per_entity: args.per_entity == PerEntity::Best,
        time: args.ranking.composite(metric, at)?,
    })
}

fn row<'a>(
    snapshot: &'a Snapshot,
    query: Label,
    i: usize,
    f: &Found<'a>,
    (meta, vectors): (bool, bool),
) -> Result<NeighbourRow> {
    // The index knows keys only; the point's own file is opened when more is shown.
    let place = match f.part {
        None if !meta && !vectors => None,
        _ => Some(f.place(snapshot)?),
    };
    let text = place.filter(|_| meta).map_or(Ok(String::new()), |(part, row)| part.meta(row))?;
    let (mut approx, mut vector) = (false, Vec::new());
    if let Some((part, at)) = place {
        // Neighbours are ranked by the kept originals of a block, so these are what is shown.
        let original = if part.is_lossy() { snapshot.original_of(part)? } else { None };
        let exact = original.as_ref().and_then(|o| Some((o, o.row_of(f.hit.key)?)));
        let (part, at) = exact.unwrap_or((part, at));
        approx = part.is_approx(at);
        if vectors {
            vector.extend_from_slice(part.vectors(at..at + 1, &mut Vec::new())?);
        }
    }
    Ok(NeighbourRow {
        vector: Some(vector),
        query,
        rank: Some(i as u64 + 1),
        entity_id: Some(Id(f.hit.key.entity)),
        entity: snapshot.entity_name(f.hit.key.entity)?,
        t: Some(Time(f.hit.key.t)),
        distance: Some(f.hit.distance),
        d_vec: Some(f.hit.d_vec),
        d_time: f.hit.d_time,
        approx,
        meta: (!text.is_empty()).then_some(Meta(text)),
        status: "ok",
    })
}

fn stats(context: &Context, cost: &Cost, started: Instant) {
    if let Some(because) = &cost.exact_because {
        context.note(&format!("every selected point was scanned: {because}"));
    } else {
        let i = &cost.index;
        let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
        i.reports.iter().for_each(|r| *paths.entry(r.path.as_str()).or_default() += 1);
        let paths: Vec<String> = paths.iter().map(|(path, n)| format!("{path} {n}")).collect();
        context.note(&format!(
            "index: {}; {} lists, {} one-bit estimates, {} 8-bit distances, {} hops, {} exact distances",
            if paths.is_empty() { "too few points selected to ask it".to_owned() } else { paths.join(", ") },
            i.lists,
            i.estimates,
            i.codes,
            i.hops,
            i.exact
        ));
        if let Some(report) = i.reports.first() {
            let costs: Vec<String> =
                report.costs.iter().map(|(path, ns)| format!("{} {:.0}", path.as_str(), ns / 1e3)).collect();
            context.note(&format!(
                "{} was estimated cheapest for {} of {} rows (thousands of units: {})",
                report.path.as_str(),
                report.eligible,
                report.window,
                costs.join(", ")
            ));
        }
    }
    context.note(&format!(
        "{} points scanned, {} bytes; {} of {} parts pruned; {} distances computed exactly; {:.1} ms",
        cost.scan.rows,
        cost.scan.bytes,
        cost.parts_pruned,
        cost.parts,
        cost.scan.rescored,
        started.elapsed().as_secs_f64() * 1e3
    ));
}
