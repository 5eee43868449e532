//! What was found in each trajectory, and in the run as a whole.

use super::Request;
use crate::analytics::Status;
use crate::analytics::scales::confirming;
use crate::commands::outcome::Uncomputed;
use crate::commands::selection::Selected;
use crate::commands::storing::Storing;
use crate::commands::{Level, Outcome, Rows, Session, Watch};
use crate::error::Result;
use crate::output::{Json, Lines};
use crate::results::lines::NextLines;
use crate::results::stored::What;
use crate::rows::{ChangeRow, SearchRow, SegmentRow};

/// Warnings about single trajectories that are noted; of further ones only the number is.
const WARNINGS: u64 = 3;

/// What was found in one trajectory.
#[derive(Debug, Clone)]
pub struct Found {
    /// Changes, and single far points where these are listed.
    pub changes: Vec<ChangeRow>,
    /// How it was searched.
    pub summary: SearchRow,
    /// Stretches between changes, where these are asked for.
    pub segments: Vec<SegmentRow>,
    /// What to try where the summary has a warning, or nothing.
    pub hint: &'static str,
}

/// What was found in a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Entities that were read.
    pub entities: u64,
    /// Entities with a change.
    pub changed: u64,
    /// Changes.
    pub changes: u64,
    /// Entities that could not be searched.
    pub unsearched: u64,
    /// What was left unanswered.
    pub outcome: Outcome,
}

/// The time of a change; `None` for a single far point and for a row that only has a status.
fn time(row: &ChangeRow) -> Option<i64> {
    row.t.as_ref().filter(|_| row.kind != Some("outlier")).map(|t| t.0)
}

fn times(found: &Found) -> Vec<i64> {
    found.changes.iter().filter_map(time).collect()
}

/// Hands rows on, stores them where they are to be saved, and counts.
pub(super) struct Collector<'a> {
    session: &'a Session,
    request: &'a Request,
    watch: &'a dyn Watch,
    out: &'a mut dyn Rows<Found>,
    saving: Option<(Storing, NextLines, Lines)>,
    report: Report,
    breaks: Uncomputed,
    warned: u64,
}

impl<'a> Collector<'a> {
    /// `storing` is for changes that are saved; its lock is older than the version that is read.
    pub fn new(
        session: &'a Session,
        request: &'a Request,
        watch: &'a dyn Watch,
        out: &'a mut dyn Rows<Found>,
        storing: Option<Storing>,
    ) -> Result<Self> {
        let id = session.snapshot()?.config().id;
        let saving = match storing {
            Some(s) => {
                let lines = NextLines::create(&s.dir, id, What::Changepoints, &s.name)?;
                Some((s, lines, Lines::new::<ChangeRow>()))
            }
            None => None,
        };
        let (report, breaks) = (Report::default(), Uncomputed::new("model"));
        Ok(Collector { session, request, watch, out, saving, report, breaks, warned: 0 })
    }

    /// Takes in an entity, scale by scale.
    pub fn take(&mut self, mut scales: Vec<Found>) -> Result<()> {
        if !self.request.each.scales.is_empty() {
            self.confirm(&mut scales);
        }
        let changes: u64 = scales.iter().map(|f| times(f).len() as u64).sum();
        self.report.entities += 1;
        self.report.changed += u64::from(changes > 0);
        self.report.changes += changes;
        self.report.unsearched += u64::from(scales.iter().all(|f| f.summary.status != Status::Ok));
        // Too few points yet, or no movement, is an answer; several models are none.
        self.breaks.count(scales.iter().map(|f| f.summary.status).find(|s| *s == Status::ModelBreak));
        for found in scales {
            self.warn(&found.summary, found.hint);
            if let Some((_, next, lines)) = &mut self.saving {
                found.changes.iter().try_for_each(|r| next.push(lines.line(r)?))?;
            }
            self.out.row(found)?;
        }
        Ok(())
    }

    /// Names the scales that confirm each change.
    fn confirm(&self, scales: &mut [Found]) {
        let grids = &self.request.each.scales;
        let widths = grids.iter().map(|c| c.step.seconds());
        let found: Vec<(f64, Vec<i64>)> = widths.zip(scales.iter().map(times)).collect();
        for (own, scale) in scales.iter_mut().enumerate() {
            for change in &mut scale.changes {
                let Some(t) = time(change) else { continue };
                let agree = confirming(t, own, &found);
                let names: Vec<&str> =
                    agree.iter().filter_map(|&i| Some(grids.get(i)?.text.as_str())).collect();
                change.scales = Some(Json(serde_json::json!(names).to_string()));
            }
        }
    }

    fn warn(&mut self, row: &SearchRow, hint: &str) {
        let Some(warning) = &row.warning else { return };
        self.warned += 1;
        if self.warned <= WARNINGS {
            let id = row.entity_id.0.to_string();
            let name = row.entity.as_deref().unwrap_or(&id);
            self.watch.note(Level::Warning, &format!("{name}: {warning}{hint}"));
        }
    }

    /// Ends the rows, and stores what is to be stored: last, so that nothing counts as reported that was not.
    pub fn finish(mut self, selected: &Selected, then: impl FnOnce() -> Result<()>) -> Result<Report> {
        self.out.end()?;
        if let Some((storing, lines, _)) = self.saving.take() {
            let head = storing.head(self.session, self.session.snapshot()?, serde_json::Value::Null);
            storing.finish(|| lines.finish(head))?;
        }
        then()?;
        if self.warned > WARNINGS {
            let more = self.warned - WARNINGS;
            let text = format!("the same holds for {more} more; ‹summary› names them");
            self.watch.note(Level::Warning, &text);
        }
        if self.report.unsearched > 0 && !self.request.summary {
            let text = format!(
                "{} of {} entities could not be searched: ‹summary› says why",
                self.report.unsearched, self.report.entities
            );
            self.watch.note(Level::Note, &text);
        }
        let breaks = Outcome::of(self.breaks.finish(selected.may_be_empty()));
        Ok(Report { outcome: breaks.and(selected.outcome()), ..self.report })
    }
}
