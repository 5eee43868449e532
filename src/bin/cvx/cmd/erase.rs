//! `cvx erase`: points and entities out of every file.

use crate::context::Context;
use cvx::cli::erase::Args;
use cvx::commands::erase::{self, Erasing};
use cvx::error::Result;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let mut confirm = |found: &Erasing| {
        let Erasing { points, entities } = found;
        let what = format!("erasing {points} points of {entities} entities from every file, for good");
        context.console.confirm(&what, "add --yes, or look first with --dry-run")
    };
    let request = args.request()?;
    let (row, outcome) = erase::run(&context.session, &request, &context.console, &mut confirm)?;
    context.outputs.record(&row)?;
    outcome.into_result()
}
