//! `cvx verify`: the dataset's files against what must be true of them.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::verify::Args;
use cvx::commands::verify;
use cvx::error::Result;
use cvx::output::Hidden;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let mut out = Printer::new(context.outputs.rows(Hidden::none())?);
    verify::run(&context.session, &args.request(), &context.console, &mut out)?.into_result()
}
