//! How far the means of entities have moved between two periods, and whether that is more than noise.

use super::entity::{EntityArgs, SortBy, Sorted};
use super::top_dims;
use crate::batch::{Job, Sink};
use crate::context::Context;
use crate::cuts::Aligns;
use crate::rows::PeriodRow;
use crate::select::{Selection, When};
use crate::uncomputed::Uncomputed;
use crate::values::probability;
use cvx::analytics::fdr::q_values;
use cvx::analytics::shift::{Params, Units};
use cvx::analytics::{Align, Status};
use cvx::batch::Order;
use cvx::dataset::{Rows, Snapshot};
use cvx::error::{Code, Error, Result};
use cvx::metric::Metric;
use cvx::model::{EntityId, TimeRange};
use cvx::output::{Id, Json, Time};
use cvx::periods::{self, Answer, Question};
use cvx::time::parse_period;

/// Relabellings at most: enough for a q-value of 0.05 of one changed entity among five thousand.
const PERMUTATIONS: usize = 99_999;
/// Values of a vector while it is compared: as it is stored, in f64, and in sums of blocks.
const BYTES_A_VALUE: usize = 24;

/// Options that periods take.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Periods")]
pub struct PeriodArgs {
    /// Points of a block that is relabelled as one; auto: as long as points remember the ones before
    #[arg(long, value_name = "N|auto", value_parser = block)]
    block: Option<Block>,
    /// Points with the same value of this metadata key are relabelled as one, e.g. author
    #[arg(long, value_name = "META_KEY", conflicts_with = "block")]
    cluster: Option<String>,
    /// Random relabellings at most, fewer where p is large; 0 for no test [default: 99999]
    #[arg(long, value_name = "N")]
    permutations: Option<usize>,
    /// Probability with which ci_low..ci_high holds the distance of the true means [default: 0.95]
    #[arg(long, value_name = "P", value_parser = probability)]
    level: Option<f64>,
    /// Bring points to length 1 before they are averaged; default: yes where the dataset's metric is cosine
    #[arg(long, value_name = "yes|no", value_parser = yes)]
    unit_length: Option<bool>,
    /// No q_value, which needs the whole run: rows come as they are ready, and --shard works
    #[arg(long)]
    no_q: bool,
}

/// `--block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Auto,
    Points(usize),
}

fn block(text: &str) -> Result<Block, String> {
    match text.parse() {
        _ if text == "auto" => Ok(Block::Auto),
        Ok(n) if n > 0 => Ok(Block::Points(n)),
        _ => Err("expected a number of points of at least 1, or auto".to_string()),
    }
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_string()),
    }
}

impl PeriodArgs {
    /// An option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.block.is_some(), "--block"),
            (self.cluster.is_some(), "--cluster"),
            (self.permutations.is_some(), "--permutations"),
            (self.level.is_some(), "--level"),
            (self.unit_length.is_some(), "--unit-length"),
            (self.no_q, "--no-q"),
        ];
        given.iter().find_map(|(given, name)| given.then_some(*name))
    }
}

/// What the first pass leaves of an entity for the second, and its q-value.
struct Tested {
    entity: EntityId,
    p_value: Option<f64>,
    q_value: Option<f64>,
    status: Status,
}

/// Runs the command.
pub fn run(context: &Context, args: EntityArgs) -> Result<()> {
    refuse_options_of_instants(&args)?;
    let snapshot = context.snapshot()?;
    let mut selection = args.select.without_time(context, &snapshot)?;
    let question = question(context, &args, &snapshot, &selection)?;
    let ends = (question.from, question.to);
    selection.select.time = TimeRange::closed(ends.0.first(), ends.1.last());
    let job = Job {
        context,
        snapshot: &snapshot,
        selection: &selection,
        args: &args.batch,
        bytes_a_value: BYTES_A_VALUE,
    };
    // The system is slow to say how much memory there is: once is enough.
    let room = context.memory();
    let tested = match args.period.no_q {
        true => None,
        false => Some(first_pass(&job, &question, room)?),
    };
    let hidden: &[&str] = if args.period.no_q { &["q_value"] } else { &[] };
    let sink = Sink::new(context.rows_of::<PeriodRow>(&snapshot, hidden)?, &args.batch.gate)?;
    let key = args.sort.map(|by| move |row: &PeriodRow| key(by, row));
    let mut sorted = Sorted::new(sink, key, args.top_rows.unwrap_or(usize::MAX));
    let mut uncomputed = Uncomputed::new("--model");
    let mut keys = Keys::default();
    // The tests are made: the second pass reads their outcome.
    let params = match tested {
        Some(_) => Params { permutations: 0, ..question.params },
        None => question.params,
    };
    let again = Question { params, ..question.clone() };
    let one = |rows: &Rows<'_>, _: &mut Vec<f32>| {
        let answer = compare(&job, rows, &again, room)?;
        let tested =
            tested.as_ref().and_then(|t| Some(&t[t.binary_search_by_key(&rows.entity, |t| t.entity).ok()?]));
        Ok((row(&snapshot, rows.entity, &answer, tested)?, answer.compared, answer.without_key))
    };
    job.for_each_rows(args.batch.order(), one, |(row, compared, without)| {
        keys.count(compared, without);
        if compared == 0 && without == 0 {
            // All of its points lie between the periods.
            return Ok(());
        }
        uncomputed.count(row.l2.is_none().then_some(row.status));
        sorted.take(row)
    })?;
    sorted.finish()?;
    keys.tell(context, args.period.cluster.as_deref())?;
    uncomputed.finish(context, selection.select.limit)?;
    selection.finish()
}

/// Options that mean nothing between two periods.
fn refuse_options_of_instants(args: &EntityArgs) -> Result<()> {
    let sorts = matches!(args.sort, Some(SortBy::Rate | SortBy::Path));
    let given = [
        (args.reference != "first", "--reference", "the first period is what the second is compared with"),
        (args.flips.is_some(), "--flips", "--permutations bounds the relabellings"),
        (args.per.text != "1d", "--per", "means of periods have no rate"),
        (!args.batch.scale.is_empty(), "--scale", "--block N takes N consecutive points together"),
        (args.batch.cuts.max_gap.is_some(), "--max-gap", "no step between points is looked at"),
        (sorts, "--sort", "sort by l2, cosine, angle or change"),
    ];
    if let Some((_, option, fix)) = given.iter().find(|(given, ..)| *given) {
        return Err(Error::usage("this has no meaning between two periods")
            .what(format!("option {option}"))
            .fix(format!("leave it out: {fix}")));
    }
    if args.select.shard.is_some() && !args.period.no_q {
        return Err(Error::usage("q-values need every entity of the run, and a shard holds some of them")
            .what("option --shard")
            .fix("add --no-q, or leave out --shard"));
    }
    Ok(())
}

/// Both periods, the first before the second.
fn question<'a>(
    context: &Context,
    args: &EntityArgs,
    snapshot: &Snapshot,
    selection: &Selection,
) -> Result<Question<'a>> {
    let period = |when: &Option<When>, option: &str| -> Result<TimeRange> {
        let text = match when {
            Some(When::In(text)) => text.clone(),
            Some(When::At(_)) | None => String::new(),
        };
        if text.is_empty() {
            return Err(Error::usage("one side is a period, the other is not")
                .what(format!("option {option}"))
                .fix("name two periods, e.g. --from 1850..1900 --to 1950..2000, where 1990..1990 is the year 1990; or two instants"));
        }
        let now = context.now(snapshot, &selection.select, &[], Some(&text))?;
        parse_period(&text, &now).map_err(|e| e.what(format!("option {option}")))
    };
    let from = period(&args.select.from, "--from")?;
    let to = period(&args.select.to, "--to")?;
    if from.overlaps(&to) {
        return Err(Error::usage("the two periods overlap: points of both would stand on both sides")
            .what("options --from and --to")
            .fix(
                "end the first before the second begins; A..B holds all of B, so 2000..2010 ends with 2010",
            ));
    }
    if to.last() < from.first() {
        return Err(Error::usage("--from lies after --to").fix("exchange the two"));
    }
    let units = match args.period.block {
        Some(Block::Points(n)) => Units::Block(n),
        _ => Units::Auto,
    };
    let params = Params {
        unit_length: args.period.unit_length.unwrap_or(snapshot.settings().metric == Metric::Cosine),
        units,
        permutations: args.period.permutations.unwrap_or(PERMUTATIONS),
        level: args.period.level.unwrap_or(0.95),
        top: args.top,
        seed: context.seed(),
        align: match args.batch.cuts.align {
            Aligns::Error => Align::Error,
            Aligns::Off => Align::Off,
        },
    };
    let cluster = args.period.cluster.as_deref().map(periods::paths_of).unwrap_or_default();
    Ok(Question { from, to, cluster, params })
}

fn compare(job: &Job<'_>, rows: &Rows<'_>, q: &Question<'_>, room: usize) -> Result<Answer> {
    let dim = job.snapshot.settings().dim;
    job.check_memory(rows, periods::points(rows, q), dim, room)?;
    periods::compare(rows, dim, q)
}

/// The p-values of all entities, which q-values come from: a few bytes an entity, where rows would be
/// hundreds.
fn first_pass(job: &Job<'_>, q: &Question<'_>, room: usize) -> Result<Vec<Tested>> {
    let mut tested: Vec<Tested> = Vec::new();
    let mut keys = Keys::default();
    let one = |rows: &Rows<'_>, _: &mut Vec<f32>| {
        let answer = compare(job, rows, q, room)?;
        let (p_value, status) = (answer.shift.p_value, answer.shift.status);
        Ok((
            Tested { entity: rows.entity, p_value, q_value: None, status },
            answer.compared,
            answer.without_key,
        ))
    };
    job.for_each_rows(Order::Entity, one, |(one, compared, without)| {
        keys.count(compared, without);
        tested.push(one);
        Ok(())
    })?;
    keys.check()?;
    let p: Vec<Option<f64>> = tested.iter().map(|t| t.p_value).collect();
    for (t, q) in tested.iter_mut().zip(q_values(&p)) {
        t.q_value = q;
    }
    Ok(tested)
}

/// Points with and without the cluster key.
#[derive(Default)]
struct Keys {
    compared: u64,
    without: u64,
}

impl Keys {
    fn count(&mut self, compared: u64, without: u64) {
        self.compared += compared;
        self.without += without;
    }

    fn check(&self) -> Result<()> {
        match (self.compared, self.without) {
            (0, n) if n > 0 => {
                Err(Error::new(Code::Partial, format!("none of the {n} points has the cluster key"))
                    .what("option --cluster")
                    .fix("`cvx export --limit 1 -f jsonl` shows points with their metadata"))
            }
            _ => Ok(()),
        }
    }

    fn tell(&self, context: &Context, key: Option<&str>) -> Result<()> {
        if let (Some(key), true) = (key, self.without > 0) {
            let (n, all) = (self.without, self.without + self.compared);
            context.note(&format!("{n} of {all} points have no \"{key}\" and are left out"));
        }
        self.check()
    }
}

fn key(by: SortBy, row: &PeriodRow) -> f64 {
    let value = match by {
        SortBy::L2 => row.l2,
        SortBy::Cosine => row.cosine,
        SortBy::Angle => row.angle_deg,
        SortBy::Change => row.change,
        SortBy::Rate | SortBy::Path => None,
    };
    value.unwrap_or(f64::NEG_INFINITY)
}

fn row(snapshot: &Snapshot, entity: EntityId, a: &Answer, tested: Option<&Tested>) -> Result<PeriodRow> {
    let s = &a.shift;
    let [from, to] = a.times;
    let tests = s.change.is_some();
    Ok(PeriodRow {
        entity_id: Id(entity),
        entity: snapshot.entity_name(entity)?,
        from_t1: from.map(|t| Time(t.0)),
        from_t2: from.map(|t| Time(t.1)),
        to_t1: to.map(|t| Time(t.0)),
        to_t2: to.map(|t| Time(t.1)),
        n_from: s.n_from,
        n_to: s.n_to,
        l2: s.l2,
        cosine: s.cosine,
        angle_deg: s.angle_deg,
        norm_ratio: s.norm_ratio,
        change: s.change,
        l2_corrected: s.change.map(|c| c.max(0.0).sqrt()),
        cosine_corrected: s.cosine_corrected,
        noise_floor: s.noise_floor,
        ci_low: s.interval.map(|i| i.0),
        ci_high: s.interval.map(|i| i.1),
        p_value: tested.map_or(s.p_value, |t| t.p_value),
        q_value: tested.and_then(|t| t.q_value),
        units_from: tests.then_some(s.units.0),
        units_to: tests.then_some(s.units.1),
        block: s.layout.map(|l| l.len),
        gap: s.layout.map(|l| l.gap),
        top_dims: Json(top_dims(&s.top_dims)),
        pareto80: s.pareto80,
        approx: a.approx,
        status: tested.map_or(s.status, |t| t.status).as_str(),
    })
}
