//! `cvx init`: a new, empty dataset.

use crate::context::Context;
use cvx::cli::init::Args;
use cvx::commands::init;
use cvx::error::Result;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let dir = args.dir.as_deref().unwrap_or(context.session.dir());
    let settings = args.settings(context.outputs.ids_json())?;
    let made = init::run(dir, &settings, args.exist_ok, context.run.dry_run)?;
    // The row repeats what was given; with --quiet nobody wants it.
    if context.run.quiet && context.run.out.is_none() {
        return Ok(());
    }
    context.outputs.record(&made)
}
