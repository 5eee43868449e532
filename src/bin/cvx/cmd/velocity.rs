//! `cvx velocity`: how fast entities move, and where they turn.

use crate::context::Context;
use crate::gate::Gated;
use cvx::cli::velocity::Args;
use cvx::commands::velocity;
use cvx::error::Result;
use cvx::hidden;
use cvx::rows::VelocityRow;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let request = args.request(context.outputs.shows_vectors())?;
    let hidden = hidden!(VelocityRow: scale).when(request.each.scales.is_empty());
    let mut out = Gated::new(context.rows_of(hidden)?, &args.batch.gate)?;
    let outcome = velocity::run(&context.session, &request, &context.console, &mut out)?;
    out.verdict()?;
    outcome.into_result()
}
