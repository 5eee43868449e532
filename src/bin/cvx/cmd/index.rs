//! `cvx index`: make the index, look at it, drop it.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::index::{Args, BuildArgs, IndexCommand};
use cvx::commands::index;
use cvx::error::Result;
use cvx::output::Hidden;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    match &args.command {
        IndexCommand::Build(args) => build(context, args),
        IndexCommand::Status => {
            let mut out = Printer::new(context.rows_of(Hidden::none())?);
            index::status(&context.session, &context.console, &mut out)
        }
        IndexCommand::Drop => context.outputs.record(&index::remove(&context.session)?),
    }
}

fn build(context: &Context, args: &BuildArgs) -> Result<()> {
    let (row, outcome) = index::run(&context.session, &args.request(), &context.console)?;
    context.outputs.record(&row)?;
    outcome.into_result()
}
