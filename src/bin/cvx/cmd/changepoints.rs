//! `cvx changepoints`: when the level of a trajectory jumped.

use crate::context::Context;
use crate::gate::Gated;
use crate::printer::Printer;
use cvx::cli::changepoints::Args;
use cvx::commands::Rows;
use cvx::commands::changepoints::{self, Found, Report, saved};
use cvx::error::Result;
use cvx::hidden;
use cvx::output::{Hidden, Kept};
use cvx::rows::{ChangeRow, SearchRow, SegmentRow};
use cvx::text::counted;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    args.check()?;
    match args.saved.as_deref() {
        Some("") => {
            let mut out = Printer::new(context.rows_of(Hidden::none())?);
            saved::list(&context.session, &mut out)
        }
        Some(name) => stored(context, args, name),
        None => search(context, args),
    }
}

fn stored(context: &Context, args: &Args, name: &str) -> Result<()> {
    let hidden = hidden!(ChangeRow: scale, scales);
    let mut out = Stored(Gated::new(context.rows_of(hidden)?, &args.batch.gate)?);
    let outcome = saved::run(&context.session, &args.saved(name)?, &context.console, &mut out)?;
    out.0.verdict()?;
    outcome.into_result()
}

/// Rows that are read back from the dataset, as cells.
struct Stored<'a>(Gated<'a, ChangeRow>);

impl Rows<Kept> for Stored<'_> {
    fn row(&mut self, row: Kept) -> Result<()> {
        self.0.cells(&row.cells())
    }

    fn end(&mut self) -> Result<()> {
        self.0.end()
    }
}

fn search(context: &Context, args: &Args) -> Result<()> {
    let sparks = context.outputs.sparks()?;
    let dim = context.dim()?;
    let request = args.request(dim, sparks)?;
    let mut out = Shown::new(context, args, request.each.scales.is_empty())?;
    let report = changepoints::run(&context.session, &request, &context.console, &mut out)?;
    note(context, args, &report);
    out.verdict()?;
    report.outcome.into_result()
}

fn note(context: &Context, args: &Args, report: &Report) {
    if report.changes > 0 && args.batch.gate.fail_on.is_none() {
        context.console.note(&format!(
            "{} in {} of {}; --fail-on EXPR makes findings end with exit status 4",
            counted(report.changes, "change", "changes"),
            report.changed,
            counted(report.entities, "entity", "entities"),
        ));
    }
}

/// The rows of a search that are shown.
enum Shown<'a> {
    Changes(Gated<'a, ChangeRow>),
    Summary(Gated<'a, SearchRow>),
    Segments(Gated<'a, SegmentRow>),
}

impl<'a> Shown<'a> {
    fn new(context: &Context, args: &'a Args, unscaled: bool) -> Result<Self> {
        let gate = &args.batch.gate;
        Ok(if args.summary {
            let plain = context.outputs.sparks()?.is_none();
            let hidden = hidden!(SearchRow: scale).when(unscaled);
            let hidden = hidden.and(hidden!(SearchRow: path).when(plain));
            Shown::Summary(Gated::new(context.rows_of(hidden)?, gate)?)
        } else if args.segments {
            let hidden = hidden!(SegmentRow: scale).when(unscaled);
            Shown::Segments(Gated::new(context.rows_of(hidden)?, gate)?)
        } else {
            let hidden = hidden!(ChangeRow: scale, scales).when(unscaled);
            Shown::Changes(Gated::new(context.rows_of(hidden)?, gate)?)
        })
    }

    fn verdict(&self) -> Result<()> {
        match self {
            Shown::Changes(out) => out.verdict(),
            Shown::Summary(out) => out.verdict(),
            Shown::Segments(out) => out.verdict(),
        }
    }
}

impl Rows<Found> for Shown<'_> {
    fn row(&mut self, found: Found) -> Result<()> {
        match self {
            Shown::Changes(out) => found.changes.into_iter().try_for_each(|r| out.row(r)),
            Shown::Summary(out) => out.row(found.summary),
            Shown::Segments(out) => found.segments.into_iter().try_for_each(|r| out.row(r)),
        }
    }

    fn end(&mut self) -> Result<()> {
        match self {
            Shown::Changes(out) => out.end(),
            Shown::Summary(out) => out.end(),
            Shown::Segments(out) => out.end(),
        }
    }
}
