//! `cvx ingest`: from files to durable points.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::ingest::Args;
use cvx::commands::{Rows, compact, ingest};
use cvx::config::Config;
use cvx::error::Result;
use cvx::output::{Hidden, Output, Pipe, Target};
use cvx::rows::EventRow;
use std::path::Path;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let request = args.request();
    let (session, console) = (&context.session, &context.console);
    if context.run.dry_run {
        let mut out = Printer::new(context.outputs.rows(Hidden::none())?);
        return ingest::preview(session, &request, console, &mut out);
    }
    let to_stdout = args.events.as_deref() == Some(Path::new("-"));
    let mut events = Events { out: events(context, args.events.as_deref())? };
    let (row, outcome) = ingest::run(session, &request, console, &mut events)?;
    match to_stdout {
        // Standard output is the events'.
        true => console.note(&format!("{} rows read, {} added", row.rows_read, row.rows_added)),
        false => context.outputs.record(&row)?,
    }
    if args.compact {
        compact::afterwards(session, console)?;
    }
    outcome.into_result()
}

/// Where `--events` go.
fn events(context: &Context, path: Option<&Path>) -> Result<Option<Output<EventRow>>> {
    let Some(path) = path else { return Ok(None) };
    let config = Config::read(context.session.dir())?;
    let target = match path == Path::new("-") {
        true => Target::stdout(Pipe::Ignored),
        false => Target::append(path)?,
    };
    context.outputs.lines(&config, target).map(Some)
}

/// Writes events at once, so that whoever reads them need not wait.
struct Events {
    out: Option<Output<EventRow>>,
}

impl Rows<EventRow> for Events {
    fn row(&mut self, row: EventRow) -> Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        out.row(&row)?;
        out.flush()
    }
}
