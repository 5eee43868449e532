//! `cvx delete`: points that no longer count.

use crate::context::Context;
use cvx::cli::delete::Args;
use cvx::commands::delete::{self, Deleted};
use cvx::error::Result;
use cvx::text::counted;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let mut confirm = |found: &Deleted| {
        let points = counted(found.points, "point", "points");
        let entities = counted(found.entities, "entity", "entities");
        let what = format!("deleting {points} of {entities}");
        context.console.confirm(&what, "add --yes, or look first with --dry-run")
    };
    let request = args.request()?;
    let (row, outcome) = delete::run(&context.session, &request, &context.console, &mut confirm)?;
    context.outputs.record(&row)?;
    outcome.into_result()
}
