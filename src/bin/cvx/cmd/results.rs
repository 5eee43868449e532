//! `cvx results`: what is kept beside the data, listed, shown and dropped.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::results::{Args, Kind, NameArgs, Verb};
use cvx::commands::{Rows, results};
use cvx::error::Result;
use cvx::output::Hidden;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let session = &context.session;
    match &args.what {
        Verb::List(args) => {
            let mut out = Printer::new(context.rows_of(Hidden::none())?);
            let kind = args.kind.map(Kind::what);
            results::list(session, kind, &context.console, &mut out)?.into_result()
        }
        Verb::Show(args) => show(context, args),
        Verb::Drop(args) => context.outputs.record(&results::remove(session, args.kind.what(), &args.name)?),
    }
}

fn show(context: &Context, args: &NameArgs) -> Result<()> {
    let row = results::show(&context.session, args.kind.what(), &args.name)?;
    let mut out = Printer::new(context.rows_of(Hidden::none())?);
    out.row(row)?;
    out.end()
}
