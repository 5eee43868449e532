//! What was found in each trajectory, as the rows that were asked for, and what is said of the
//! whole run.

use super::Args;
use crate::batch::Sink;
use crate::context::Context;
use crate::rows::{ChangeRow, SearchRow, SegmentRow};
use crate::stored::Storing;
use crate::uncomputed::Uncomputed;
use cvx::analytics::Status;
use cvx::analytics::scales::confirming;
use cvx::dataset::Snapshot;
use cvx::error::{Code, Result};
use cvx::output::{Json, Lines};
use cvx::results::lines::NextLines;
use cvx::results::stored::What;

/// Warnings that are told one by one.
const TOLD: u64 = 3;

/// One trajectory, searched.
pub struct Found {
    pub changes: Vec<ChangeRow>,
    pub summary: SearchRow,
    pub segments: Vec<SegmentRow>,
}

/// The time of a change; `None` for a single far point and for a row that only has a status.
fn time(row: &ChangeRow) -> Option<i64> {
    row.t.as_ref().filter(|_| row.kind != Some("outlier")).map(|t| t.0)
}

fn times(found: &Found) -> Vec<i64> {
    found.changes.iter().filter_map(time).collect()
}

/// The rows that are shown.
enum Shown<'a> {
    Changes(Sink<'a, ChangeRow>),
    Summary(Sink<'a, SearchRow>),
    Segments(Sink<'a, SegmentRow>),
}

/// Where rows go, and what is counted on the way.
pub struct Printer<'a> {
    context: &'a Context,
    args: &'a Args,
    shown: Shown<'a>,
    saving: Option<(Storing, NextLines, Lines)>,
    entities: u64,
    changed: u64,
    changes: u64,
    unsearched: u64,
    breaks: Uncomputed,
    warned: u64,
}

impl<'a> Printer<'a> {
    /// Opens the output; `storing` is for `--save`.
    pub fn new(
        context: &'a Context,
        snapshot: &Snapshot,
        args: &'a Args,
        storing: Option<Storing>,
    ) -> Result<Self> {
        let gate = &args.batch.gate;
        let mut hidden = Vec::new();
        if args.batch.scale.is_empty() {
            hidden.extend(["scale", "scales"]);
        }
        if context.sparks()?.is_none() {
            hidden.push("path");
        }
        let shown = if args.summary {
            Shown::Summary(Sink::new(context.rows_of(snapshot, &hidden)?, gate)?)
        } else if args.segments {
            Shown::Segments(Sink::new(context.rows_of(snapshot, &hidden)?, gate)?)
        } else {
            Shown::Changes(Sink::new(context.rows_of(snapshot, &hidden)?, gate)?)
        };
        let saving = match storing {
            Some(s) => {
                let lines = NextLines::create(&s.dir, snapshot.config().id, What::Changepoints, &s.name)?;
                Some((s, lines, Lines::new::<ChangeRow>()))
            }
            None => None,
        };
        Ok(Printer {
            context,
            args,
            shown,
            saving,
            entities: 0,
            changed: 0,
            changes: 0,
            unsearched: 0,
            breaks: Uncomputed::new("--model"),
            warned: 0,
        })
    }

    /// Takes in an entity, scale by scale.
    pub fn take(&mut self, mut scales: Vec<Found>) -> Result<()> {
        if !self.args.batch.scale.is_empty() {
            self.confirm(&mut scales);
        }
        let changes: u64 = scales.iter().map(|f| times(f).len() as u64).sum();
        self.entities += 1;
        self.changed += u64::from(changes > 0);
        self.changes += changes;
        self.unsearched += u64::from(scales.iter().all(|f| f.summary.status != "ok"));
        // Too few points yet, or no movement, is an answer; several models are none.
        let broken = Status::ModelBreak.as_str();
        self.breaks.count(scales.iter().map(|f| f.summary.status).find(|s| *s == broken));
        for found in &scales {
            self.warn(&found.summary);
            match &mut self.shown {
                Shown::Changes(sink) => found.changes.iter().try_for_each(|r| sink.row(r))?,
                Shown::Summary(sink) => sink.row(&found.summary)?,
                Shown::Segments(sink) => found.segments.iter().try_for_each(|r| sink.row(r))?,
            }
            if let Some((_, next, lines)) = &mut self.saving {
                found.changes.iter().try_for_each(|r| next.push(lines.line(r)?))?;
            }
        }
        Ok(())
    }

    /// Names the scales that confirm each change.
    fn confirm(&self, scales: &mut [Found]) {
        let widths = self.args.batch.scale.iter().map(|c| c.step.seconds());
        let found: Vec<(f64, Vec<i64>)> = widths.zip(scales.iter().map(times)).collect();
        for (own, scale) in scales.iter_mut().enumerate() {
            for change in &mut scale.changes {
                let Some(t) = time(change) else { continue };
                let agree = confirming(t, own, &found);
                let names: Vec<&str> =
                    agree.iter().filter_map(|&i| Some(self.args.batch.scale.get(i)?.text.as_str())).collect();
                change.scales = Some(Json(serde_json::json!(names).to_string()));
            }
        }
    }

    fn warn(&mut self, row: &SearchRow) {
        let Some(warning) = &row.warning else { return };
        self.warned += 1;
        if self.warned <= TOLD {
            let id = row.entity_id.0.to_string();
            let name = row.entity.as_deref().unwrap_or(&id);
            let hint = if self.args.is_online() { "" } else { ". Try --signal increment" };
            self.context.warn(&format!("{name}: {warning}{hint}"));
        }
    }

    /// Ends the output, says what was found, and stores what is to be stored: last, so that
    /// nothing counts as told that was not. What `--fail-on` says does not keep it from that.
    pub fn finish(self, snapshot: &Snapshot, then: impl FnOnce() -> Result<()>) -> Result<()> {
        let verdict = match self.shown {
            Shown::Changes(sink) => sink.finish(),
            Shown::Summary(sink) => sink.finish(),
            Shown::Segments(sink) => sink.finish(),
        };
        if verdict.as_ref().is_err_and(|e| e.code() != Code::Finding) {
            return verdict;
        }
        if let Some((storing, lines, _)) = self.saving {
            let head = storing.head(self.context, snapshot, serde_json::Value::Null);
            storing.finish(|| lines.finish(head))?;
        }
        then()?;
        if self.warned > TOLD {
            let more = self.warned - TOLD;
            self.context.warn(&format!("the same holds for {more} more; --summary names them"));
        }
        if self.unsearched > 0 && !self.args.summary {
            let of = self.entities;
            self.context.note(&format!(
                "{} of {of} entities could not be searched: --summary says why",
                self.unsearched
            ));
        }
        if self.changes > 0 && self.args.batch.gate.fail_on.is_none() {
            let plural = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
            self.context.note(&format!(
                "{} in {} of {}; --fail-on EXPR makes findings end with exit status 4",
                plural(self.changes, "change", "changes"),
                self.changed,
                plural(self.entities, "entity", "entities"),
            ));
        }
        verdict.and_then(|()| self.breaks.finish(self.context, self.args.select.limit))
    }
}
