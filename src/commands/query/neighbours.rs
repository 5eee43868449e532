//! The points, or the states at an instant, that are nearest to a vector.

use super::question::{Asked, Question};
use crate::commands::mixed::Mixed;
use crate::commands::{Level, Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{Select, Snapshot};
use crate::error::{Code, Error, Result};
use crate::metric::Metric;
use crate::model::{TimeRange, TimestampUs, VectorSource};
use crate::output::{Id, Label, Meta, Time};
use crate::query::{self, Composite, Cost, Decay, Found, How, When, search};
use crate::rows::{Answer, NeighbourRow};
use crate::time::{Duration, TimeExpr};
use std::collections::BTreeMap;
use std::time::Instant;

/// What is nearest to a vector.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The vector, or many.
    pub question: Question,
    /// What is looked at.
    pub among: Among,
    /// Neighbours wanted; `None` for 10, or for all within a radius.
    pub k: Option<usize>,
    /// Distance; `None` for the dataset's.
    pub metric: Option<Metric>,
    /// Of each entity only the nearest point.
    pub best_per_entity: bool,
    /// With [`Question::Like`]: the entity itself may be its own neighbour.
    pub include_self: bool,
    /// Metadata of the points too.
    pub meta: bool,
    /// Vectors of the points too.
    pub vectors: bool,
    /// Note what answering took, which way it went and why.
    pub stats: bool,
    /// Scan every selected point.
    pub exact: bool,
    /// Candidates that a search of the index ranks exactly.
    pub ef: Option<usize>,
    /// Share of the nearest that a search of the index is sized to find.
    pub recall: Option<f64>,
    /// Time in the ranking; `None` ranks by the vectors' distance alone.
    pub ranking: Option<Ranking>,
    /// The instant of states, or what distances in time count from. `None` for the newest states, or for now.
    pub at: Option<TimeExpr>,
    /// Which points.
    pub selection: Selection,
}

/// What neighbours are looked for among.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Among {
    /// The selected points.
    #[default]
    Points,
    /// The points of a window of time, and with a radius all that are as near or nearer.
    Within {
        /// Largest distance.
        radius: Option<f64>,
    },
    /// Each entity's latest point at or before the instant.
    States {
        /// Largest age of a state, in microseconds.
        max_age_us: Option<i64>,
    },
}

/// Time in the ranking; see [`Composite`] for the formulas.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Weight of the vectors' distance, 0 to 1; the rest is the distance in time.
    pub alpha: f64,
    /// Time after which a point counts half.
    pub half_life: Option<Duration>,
    /// How the weight of a point falls with its distance in time.
    pub decay: Decay,
    /// The distance that counts as one half, for l2 and dot.
    pub scale: Option<f64>,
}

impl Ranking {
    fn composite(&self, metric: Metric, at: TimestampUs) -> Result<Composite> {
        let half_life = self.half_life.ok_or_else(|| {
            Error::usage(format!("‹alpha {}› needs ‹half-life›", self.alpha))
                .fix("give the time after which a point counts half, e.g. ‹half-life 90d›")
        })?;
        Composite::new(metric, self.alpha, at, half_life.seconds(), self.decay, self.scale)
    }
}

impl Request {
    /// Refuses a question about a window that names none. [`run`] does so too; a front end that opens outputs may want
    /// to know before.
    ///
    /// # Errors
    /// Fails with [`Code::Usage`].
    pub fn check(&self) -> Result<()> {
        let is_window = matches!(self.among, Among::Within { .. });
        if is_window
            && self.selection.times == crate::commands::selection::Times::All
            && !matches!(self.question, Question::File(_))
        {
            return Err(Error::usage("a range query needs a window of time")
                .fix("give ‹from› and ‹to›, or ‹in›; `cvx query knn` looks at all times"));
        }
        Ok(())
    }

    fn check_radius(&self, default: Metric) -> Result<()> {
        let Among::Within { radius } = self.among else { return Ok(()) };
        let dot = self.metric.unwrap_or(default) == Metric::Dot;
        match radius.filter(|r| r.is_nan() || (*r < 0.0 && !dot)) {
            None => Ok(()),
            Some(r) => Err(Error::usage(format!("{r} is not a radius"))
                .option("radius")
                .fix("cosine and l2 distances are 0 or more; only dot has negative ones")),
        }
    }
}

/// Answers of an index whose models are looked up.
const OPENED: usize = 16;

/// Asks, and writes the answers.
///
/// # Errors
/// Fails for a question or a selection that cannot be read, a radius or ranking that the metric does not know, and
/// when the watch stops the run or `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<NeighbourRow>,
) -> Result<Outcome> {
    let started = Instant::now();
    request.check()?;
    let snapshot = session.snapshot()?;
    request.check_radius(snapshot.settings().metric)?;
    let metric = request.metric.unwrap_or(snapshot.settings().metric);
    let selected = request.selection.resolve(session, watch)?;
    let now = session.now(&selected.select, &[request.at], None)?;
    // States without a time are the newest; a ranking without one counts from now.
    let at = match (request.at, &request.among) {
        (Some(t), _) => t.resolve(&now)?,
        (None, Among::States { .. }) => TimestampUs::MAX,
        (None, _) => now.now,
    };
    let of_states = matches!(request.among, Among::States { .. });
    let asked = request.question.read(session, of_states.then_some(at))?;
    let plan = Plan { request, select: &selected.select, metric, at };
    let known = || asked.iter().filter(|a| a.lost.is_none());
    if metric == Metric::Cosine
        && let Some(zero) = known().find(|a| a.vector.iter().all(|v| *v == 0.0))
    {
        let label = match &zero.label {
            Label::Number(n) => n.to_string(),
            Label::Name(name) => name.clone(),
        };
        watch.note(
            Level::Warning,
            &format!("query {label} is all zeros: it has no cosine distance to anything"),
        );
    }
    let questions = known().map(|a| plan.question(a)).collect::<Result<Vec<_>>>()?;
    let how = How { exact: request.exact, ef: request.ef, recall: request.recall };
    let (answers, cost) = search(snapshot, plan.select, metric, &questions, how, watch)?;
    if let Some(reason) = &cost.warning {
        watch.note(Level::Warning, &format!("{reason}; every point was scanned instead"));
        watch.note(Level::Detail, "`cvx index build ‹rebuild›` makes the index anew");
    }
    if request.stats {
        stats(watch, &cost, started);
    }
    let mut answers = answers.iter();
    let (mut lost, mut opened, mut mixed) = (0, 0, Mixed::default());
    for a in &asked {
        watch.stop()?;
        if let Some(status) = a.lost {
            lost += 1;
            out.row(unanswered(a.label.clone(), status))?;
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
            out.row(row(snapshot, a.label.clone(), i, f, request)?)?;
        }
    }
    mixed.warn(watch);
    out.end()?;
    Ok(unknown(lost, asked.len()).and(selected.outcome()))
}

/// Queries that name no state make a run incomplete.
fn unknown(lost: usize, of: usize) -> Outcome {
    match lost {
        0 => Outcome::COMPLETE,
        n => Outcome::of(Err(Error::new(
            Code::Partial,
            format!("{n} of {of} queries name no state of an entity"),
        )
        .fix("their rows have the status not_found or no_state; all others are answered"))),
    }
}

/// The row of a query that could not be asked.
fn unanswered(query: Label, status: Answer) -> NeighbourRow {
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

/// What the queries of a run share.
struct Plan<'a> {
    request: &'a Request,
    select: &'a Select,
    metric: Metric,
    at: TimestampUs,
}

impl Plan<'_> {
    fn question(&self, a: &Asked) -> Result<query::Request> {
        let at = a.at.unwrap_or(self.at);
        let radius = match self.request.among {
            Among::Within { radius } => radius,
            _ => None,
        };
        let everything = if radius.is_some() { usize::MAX } else { 10 };
        let ranking = self.request.ranking.as_ref();
        Ok(query::Request {
            vector: a.vector.clone(),
            k: a.k.or(self.request.k).unwrap_or(everything),
            radius,
            when: match self.request.among {
                Among::States { max_age_us } => When::AsOf(at, max_age_us),
                _ if a.from.is_some() || a.to.is_some() => When::window(TimeRange::half_open(a.from, a.to)),
                _ => When::window(self.select.time),
            },
            exclude: a.entity.filter(|_| !self.request.include_self),
            best_per_entity: self.request.best_per_entity,
            time: ranking.map(|r| r.composite(self.metric, at)).transpose()?,
        })
    }
}

fn row<'a>(
    snapshot: &'a Snapshot,
    query: Label,
    i: usize,
    f: &Found<'a>,
    request: &Request,
) -> Result<NeighbourRow> {
    let (meta, vectors) = (request.meta, request.vectors);
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
        status: Answer::Ok,
    })
}

fn stats(watch: &dyn Watch, cost: &Cost, started: Instant) {
    if let Some(because) = &cost.exact_because {
        watch.note(Level::Note, &format!("every selected point was scanned: {because}"));
    } else {
        let i = &cost.index;
        let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
        i.reports.iter().for_each(|r| *paths.entry(r.path.as_str()).or_default() += 1);
        let paths: Vec<String> = paths.iter().map(|(path, n)| format!("{path} {n}")).collect();
        watch.note(
            Level::Note,
            &format!(
                "index: {}; {} lists, {} one-bit estimates, {} 8-bit distances, {} hops, {} exact distances",
                if paths.is_empty() {
                    "too few points selected to ask it".to_owned()
                } else {
                    paths.join(", ")
                },
                i.lists,
                i.estimates,
                i.codes,
                i.hops,
                i.exact
            ),
        );
        if let Some(report) = i.reports.first() {
            let costs: Vec<String> =
                report.costs.iter().map(|(path, ns)| format!("{} {:.0}", path.as_str(), ns / 1e3)).collect();
            watch.note(
                Level::Note,
                &format!(
                    "{} was estimated cheapest for {} of {} rows (thousands of units: {})",
                    report.path.as_str(),
                    report.eligible,
                    report.window,
                    costs.join(", ")
                ),
            );
        }
    }
    watch.note(
        Level::Note,
        &format!(
            "{} points scanned, {} bytes; {} of {} parts pruned; {} distances computed exactly; {:.1} ms",
            cost.scan.rows,
            cost.scan.bytes,
            cost.parts_pruned,
            cost.parts,
            cost.scan.rescored,
            started.elapsed().as_secs_f64() * 1e3
        ),
    );
}
