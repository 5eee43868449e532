//! `cvx gaps`: steps in time that are far longer than an entity's usual one.

use crate::context::Context;
use crate::gate::Gated;
use cvx::cli::gaps::Args;
use cvx::commands::gaps;
use cvx::error::Result;
use cvx::output::Hidden;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let mut out = Gated::new(context.rows_of(Hidden::none())?, &args.gate)?;
    let outcome = gaps::run(&context.session, &args.request()?, &context.console, &mut out)?;
    out.verdict()?;
    outcome.into_result()
}
