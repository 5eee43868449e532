//! `cvx backup`: a copy of the newest version, beside running jobs.

use crate::context::Context;
use cvx::cli::backup::Args;
use cvx::commands::backup;
use cvx::error::Result;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    context.outputs.record(&backup::run(&context.session, &args.target, &context.console)?)
}
