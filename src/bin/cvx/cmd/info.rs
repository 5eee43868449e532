//! `cvx info`: what a dataset holds.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::info::{Args, What};
use cvx::commands::{Rows, info};
use cvx::error::Result;
use cvx::output::{Hidden, Row};

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let selection = args.selection()?;
    let session = &context.session;
    match &args.what {
        What { entities: true, .. } => {
            let mut out = printer(context)?;
            info::entities(session, &selection, &context.console, &mut out)?.into_result()
        }
        What { partitions: true, .. } => info::partitions(session, &mut printer(context)?),
        What { tiers: true, .. } => info::tiers(session, &mut printer(context)?),
        What { models: true, .. } => info::models(session, &mut printer(context)?),
        _ => {
            let mut out = printer(context)?;
            out.row(info::run(session)?)?;
            out.end()
        }
    }
}

fn printer<R: Row>(context: &Context) -> Result<Printer<R>> {
    Ok(Printer::new(context.rows_of(Hidden::none())?))
}
