//! The commands: build, status and drop, and their rows.

use super::{Known, Options, PROMISED, build, plan, recall};
use crate::commands::{Level, Outcome, Rows, Session, Watch};
use crate::dataset::{Select, Snapshot, Writer};
use crate::error::{Code, Error, Result};
use crate::index::layout::GraphKind;
use crate::metric::Metric;
use crate::model::TimeRange;
use crate::output::{Json, Time};
use crate::rows::{IndexBuiltRow, IndexDroppedRow, IndexRow};
use crate::time::TimeExpr;
use std::time::Instant;

/// An index to build or to bring up to date.
#[derive(Debug, Clone)]
pub struct Request {
    /// A graph where it pays beside the lists; else lists alone.
    pub graph: bool,
    /// Distance; `None` for that of the index there is, else the dataset's.
    pub metric: Option<Metric>,
    /// Build everything anew.
    pub rebuild: bool,
    /// Only points from this time on.
    pub from: Option<TimeExpr>,
    /// Only points before this time.
    pub to: Option<TimeExpr>,
    /// Keep codes of the points only.
    pub lean: bool,
    /// Measure recall@10 afterwards; below this share the outcome is a finding.
    pub check_recall: Option<f64>,
    /// Stored points that stand in for queries.
    pub recall_sample: usize,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            graph: true,
            metric: None,
            rebuild: false,
            from: None,
            to: None,
            lean: false,
            check_recall: None,
            recall_sample: 1000,
        }
    }
}

impl Request {
    fn options(&self, session: &Session) -> Result<Options> {
        let time = match self.from.is_some() || self.to.is_some() {
            false => None,
            true => {
                let now = session.now(&Select::default(), &[self.from, self.to], None)?;
                Some(now.window(self.from.as_ref(), self.to.as_ref())?)
            }
        };
        Ok(Options {
            metric: self.metric,
            time,
            graph: self.graph,
            exact: !self.lean,
            rebuild: self.rebuild,
            seed: session.seed(),
            memory: session.memory() as u64,
        })
    }
}

/// Builds the index or brings it up to date; in a dry run says what would be built.
///
/// # Errors
/// Fails when the dataset cannot be read or written, and when the watch stops the run, which leaves the old index.
pub fn run(session: &Session, request: &Request, watch: &dyn Watch) -> Result<(IndexBuiltRow, Outcome)> {
    if request.check_recall.is_some_and(|r| !(0.0..=1.0).contains(&r)) {
        return Err(Error::usage("recall is a share from 0 to 1").option("check-recall"));
    }
    let started = Instant::now();
    let reading = session.reading();
    let options = request.options(&reading)?;
    if session.settings().dry_run {
        return Ok((planned(reading.snapshot()?, &options)?, Outcome::COMPLETE));
    }
    drop(reading);
    let built = build(session.dir(), &options, session.writing("index build"), watch)?;
    let seconds = started.elapsed().as_secs_f64();
    let snapshot = session.snapshot()?;
    let measured = match request.check_recall {
        None => None,
        Some(_) => recall(snapshot, request.recall_sample, session.seed(), watch)?,
    };
    let parts = snapshot.manifest().index_parts();
    let bytes: u64 = parts.iter().map(|p| p.seal.len).sum();
    let points: u64 = parts.iter().map(|p| p.rows).sum();
    let known = Known::of_all(snapshot)?;
    if known.scanned > 0 {
        let text = format!(
            "searches of {} of {} parts of the index do not find {PROMISED} of the neighbours of these points: queries scan them",
            known.scanned,
            parts.len()
        );
        watch.note(Level::Warning, &text);
    }
    let row = IndexBuiltRow {
        kind: kind_name(request.graph),
        metric: metric_of(snapshot)?,
        points,
        points_built: built.points,
        parts: parts.len(),
        parts_new: built.parts_new,
        bytes,
        bytes_per_point: (points > 0).then(|| bytes as f64 / points as f64),
        seconds,
        points_per_s: built.points as f64 / seconds,
        recall: known.least,
        recall_by_mode: known.json().map(Json),
        parts_scanned: known.scanned,
        recall_at_10: measured.map(|m| m.recall),
        recall_queries: measured.map(|m| m.queries),
        seq: snapshot.next_seq(),
        commit: built.commit,
    };
    let outcome = match (row.recall_at_10, request.check_recall) {
        (Some(found), Some(bound)) if found < bound => {
            let text = format!("recall@10 is {found:.4}, below {bound}");
            Outcome::of(Err(Error::new(Code::Finding, text).fix("ask with a larger ‹ef›, or with ‹exact›")))
        }
        _ => Outcome::COMPLETE,
    };
    Ok((row, outcome))
}

/// What a build would do.
fn planned(snapshot: &Snapshot, options: &Options) -> Result<IndexBuiltRow> {
    let plan = plan(snapshot, options)?;
    Ok(IndexBuiltRow {
        kind: kind_name(options.graph),
        metric: plan.metric.to_string(),
        points: plan.kept.iter().map(|p| p.rows).sum::<u64>() + plan.points(),
        points_built: plan.points(),
        parts: plan.kept.len() + plan.new.len(),
        parts_new: plan.new.len(),
        bytes: 0,
        bytes_per_point: None,
        seconds: 0.0,
        points_per_s: 0.0,
        recall: None,
        recall_by_mode: None,
        parts_scanned: 0,
        recall_at_10: None,
        recall_queries: None,
        seq: snapshot.next_seq(),
        commit: snapshot.manifest().commit,
    })
}

fn kind_name(graph: bool) -> &'static str {
    if graph { "graph" } else { "lists" }
}

fn metric_of(snapshot: &Snapshot) -> Result<String> {
    match snapshot.manifest().index_parts().first() {
        None => Ok(snapshot.settings().metric.to_string()),
        Some(part) => Ok(snapshot.index_part(part)?.part.metric().to_string()),
    }
}

/// A row for each part of the index.
///
/// # Errors
/// Fails when the dataset cannot be read, when the watch stops the run, and when `out` fails.
pub fn status(session: &Session, watch: &dyn Watch, out: &mut dyn Rows<IndexRow>) -> Result<()> {
    let snapshot = session.snapshot()?;
    for entry in snapshot.manifest().index_parts() {
        watch.stop()?;
        let mut row = IndexRow {
            part: entry.path(),
            status: "ok",
            kind: None,
            metric: None,
            rows: entry.rows,
            rows_dead: snapshot.manifest().deletions_of(entry.id).map_or(0, |d| d.rows),
            lists: None,
            seq_from: entry.seq_min,
            seq_to: entry.seq_max + 1,
            from: (entry.time() != TimeRange::ALL).then_some(Time(entry.t_min)),
            to: (entry.time() != TimeRange::ALL).then_some(Time(entry.t_max)),
            bytes: entry.seal.len,
            bytes_per_row: entry.seal.len as f64 / entry.rows.max(1) as f64,
            recall: None,
            recall_by_mode: None,
            sections: None,
        };
        match snapshot.index_part(&entry) {
            Ok(open) => {
                let head = open.part.head();
                if !open.part.is_current() {
                    row.status = "outdated";
                    watch.note(Level::Warning, "an older cvx built the index, and queries do not use it; `cvx index build` builds it again");
                }
                let sections: serde_json::Map<String, serde_json::Value> =
                    open.part.sections().into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
                row.kind = Some(match (head.graph != GraphKind::None, head.lists) {
                    (true, _) => "graph",
                    (false, 0) => "codes",
                    _ => "lists",
                });
                let known = Known::of(head);
                if open.part.is_current() && known.scanned > 0 {
                    row.status = "scanned";
                }
                (row.recall, row.recall_by_mode) = (known.least, known.json().map(Json));
                row.metric = Some(head.metric.to_string());
                row.lists = Some(head.lists);
                row.sections = Some(Json(serde_json::Value::from(sections).to_string()));
            }
            Err(e) => {
                row.status = "damaged";
                watch.note(Level::Warning, &format!("{e}; `cvx index build ‹rebuild›` makes the index anew"));
            }
        }
        out.row(row)?;
    }
    out.end()
}

/// Removes the index; in a dry run says what it holds.
///
/// # Errors
/// Fails when the dataset cannot be read or written.
pub fn remove(session: &Session) -> Result<IndexDroppedRow> {
    let parts_of = |snapshot: &Snapshot| {
        let parts = snapshot.manifest().index_parts();
        (parts.len(), parts.iter().map(|p| p.seal.len).sum())
    };
    if session.settings().dry_run {
        let snapshot = session.snapshot()?;
        let (parts, bytes) = parts_of(snapshot);
        return Ok(IndexDroppedRow { parts, bytes, commit: snapshot.manifest().commit });
    }
    let mut writer = Writer::open(session.dir(), session.writing("index drop"))?;
    let bytes = parts_of(&Snapshot::open(session.dir(), None)?).1;
    let parts = writer.drop_index()?;
    let commit = writer.finish()?.0;
    Ok(IndexDroppedRow { parts, bytes, commit })
}
