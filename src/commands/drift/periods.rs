//! How far the means of entities have moved between two periods, and whether that is more than noise.

use super::SortBy;
use super::compare::{self, Answer, Question};
use super::sorted::Sorted;
use crate::analytics::fdr::q_values;
use crate::analytics::shift::{Params, Units};
use crate::analytics::{Align, Cuts, Status};
use crate::commands::each::{Job, Options, Order};
use crate::commands::outcome::Uncomputed;
use crate::commands::selection::Selected;
use crate::commands::{Level, Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{self, Snapshot};
use crate::error::{Code, Error, Result};
use crate::metric::Metric;
use crate::model::{EntityId, TimeRange};
use crate::output::{Id, Time};
use crate::rows::{PeriodRow, top_dims};
use crate::time::parse_period;

/// Relabellings at most: enough for a q-value of 0.05 of one changed entity among five thousand.
const PERMUTATIONS: usize = 99_999;
/// Bytes of a value of a vector while it is compared: as it is stored, in f64, and in sums of blocks.
const BYTES_A_VALUE: usize = 24;

/// How far each entity's mean has moved between two periods.
#[derive(Debug, Clone)]
pub struct Request {
    /// Which trajectories; its times are not used.
    pub selection: Selection,
    /// The first period, `A..B`.
    pub from: String,
    /// The second period, which begins after the first has ended.
    pub to: String,
    /// Consecutive points that are relabelled as one; `None` for as many as points remember the ones before.
    pub block: Option<usize>,
    /// Points with the same value of this metadata key are relabelled as one.
    pub cluster: Option<String>,
    /// Random relabellings at most, fewer where p is large; 0 for no test.
    pub permutations: usize,
    /// Probability with which the interval holds the distance of the true means.
    pub level: f64,
    /// Bring points to length 1 before they are averaged; `None` for yes where the dataset's metric is cosine.
    pub unit_length: Option<bool>,
    /// q-values too, which need every entity of the run.
    pub q_values: bool,
    /// Dimensions to name.
    pub top: usize,
    /// The order of rows; `None` for that of the entities.
    pub sort: Option<SortBy>,
    /// Rows at most, after sorting.
    pub top_rows: Option<usize>,
    /// What to do when embedding models differ.
    pub align: Align,
    /// In which order rows leave that are not sorted.
    pub order: Order,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            selection: Selection::default(),
            from: String::new(),
            to: String::new(),
            block: None,
            cluster: None,
            permutations: PERMUTATIONS,
            level: 0.95,
            unit_length: None,
            q_values: true,
            top: 10,
            sort: None,
            top_rows: None,
            align: Align::default(),
            order: Order::default(),
        }
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
///
/// # Errors
/// Fails when the periods cannot be read or overlap, when the dataset or the selection cannot be read, when the watch
/// stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<PeriodRow>,
) -> Result<Outcome> {
    if request.selection.shard.is_some() && request.q_values {
        return Err(Error::usage("q-values need every entity of the run, and a shard holds some of them")
            .option("shard")
            .fix("add ‹no-q›, or leave out ‹shard›"));
    }
    let snapshot = session.snapshot()?;
    let mut selected = request.selection.resolve_without_times(session, watch)?;
    let question = question(session, request, &selected)?;
    selected.select.time = TimeRange::closed(question.from.first(), question.to.last());
    let options = Options { cuts: Cuts { max_gap_us: None, align: request.align }, ..Options::default() };
    let job = Job {
        session,
        snapshot,
        selected: &selected,
        options: &options,
        bytes_a_value: BYTES_A_VALUE,
        watch,
    };
    // Asking the system how much memory there is takes long: once is enough.
    let room = session.memory();
    let tested = match request.q_values {
        false => None,
        true => Some(first_pass(&job, &question, room)?),
    };
    let mut sorted = Sorted::new(out, request.sort, key, request.top_rows);
    let mut uncomputed = Uncomputed::new("model");
    let mut keys = Keys::default();
    // The tests are made: the second pass reads their outcome.
    let params = match tested {
        Some(_) => Params { permutations: 0, ..question.params },
        None => question.params,
    };
    let again = Question { params, ..question.clone() };
    let one = |rows: &dataset::Rows<'_>, _: &mut Vec<f32>| {
        let answer = answer(&job, rows, &again, room)?;
        let tested =
            tested.as_ref().and_then(|t| Some(&t[t.binary_search_by_key(&rows.entity, |t| t.entity).ok()?]));
        Ok((row(snapshot, rows.entity, &answer, tested)?, answer.compared, answer.without_key))
    };
    job.for_each_rows(request.order, one, |(row, compared, without)| {
        keys.count(compared, without);
        if compared == 0 && without == 0 {
            // All of its points lie between the periods.
            return Ok(());
        }
        uncomputed.count(row.l2.is_none().then_some(row.status));
        sorted.take(row)
    })?;
    sorted.finish()?;
    let keyed = Outcome::of(keys.note(watch, request.cluster.as_deref()));
    let computed = Outcome::of(uncomputed.finish(selected.may_be_empty()));
    Ok(keyed.and(computed).and(selected.outcome()))
}

/// Both periods, the first before the second.
fn question<'a>(session: &Session, request: &Request, selected: &Selected) -> Result<Question<'a>> {
    let period = |text: &str, option: &str| -> Result<TimeRange> {
        let now = session.now(&selected.select, &[], Some(text))?;
        parse_period(text, &now).map_err(|e| e.option(option))
    };
    let (from, to) = (period(&request.from, "from")?, period(&request.to, "to")?);
    if from.overlaps(&to) {
        return Err(Error::usage("the two periods overlap: points of both would stand on both sides")
            .what("options ‹from› and ‹to›")
            .fix(
                "end the first before the second begins; A..B holds all of B, so 2000..2010 ends with 2010",
            ));
    }
    if to.last() < from.first() {
        return Err(Error::usage("‹from› lies after ‹to›").fix("exchange the two"));
    }
    let cosine = session.snapshot()?.settings().metric == Metric::Cosine;
    let params = Params {
        unit_length: request.unit_length.unwrap_or(cosine),
        units: request.block.map_or(Units::Auto, Units::Block),
        permutations: request.permutations,
        level: request.level,
        top: request.top,
        seed: session.seed(),
        align: request.align,
    };
    let cluster = request.cluster.as_deref().map(compare::paths_of).unwrap_or_default();
    Ok(Question { from, to, cluster, params })
}

fn answer(job: &Job<'_>, rows: &dataset::Rows<'_>, q: &Question<'_>, room: usize) -> Result<Answer> {
    let dim = job.snapshot.settings().dim;
    job.check_memory(rows, compare::points(rows, q), dim, room)?;
    compare::compare(rows, dim, q)
}

/// The p-values of all entities, which q-values come from: a few bytes an entity, where rows would be
/// hundreds.
fn first_pass(job: &Job<'_>, q: &Question<'_>, room: usize) -> Result<Vec<Tested>> {
    let mut tested: Vec<Tested> = Vec::new();
    let mut keys = Keys::default();
    let one = |rows: &dataset::Rows<'_>, _: &mut Vec<f32>| {
        let answer = answer(job, rows, q, room)?;
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
                    .option("cluster")
                    .fix("`cvx export ‹limit 1› -f jsonl` shows points with their metadata"))
            }
            _ => Ok(()),
        }
    }

    fn note(&self, watch: &dyn Watch, key: Option<&str>) -> Result<()> {
        if let (Some(key), true) = (key, self.without > 0) {
            let (n, all) = (self.without, self.without + self.compared);
            watch.note(Level::Note, &format!("{n} of {all} points have no \"{key}\" and are left out"));
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
        top_dims: top_dims(&s.top_dims),
        pareto80: s.pareto80,
        approx: a.approx,
        status: tested.map_or(s.status, |t| t.status),
    })
}
