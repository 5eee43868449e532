//! `cvx tier`: old Parquet into cold blocks, and back.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::tier::{Args, RestoreArgs, What};
use cvx::commands::tier::{self, Loss, Request};
use cvx::error::Result;
use cvx::output::Hidden;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    match &args.what {
        What::Status(_) => {
            let mut out = Printer::new(context.rows_of(Hidden::none())?);
            tier::status(&context.session, &mut out)
        }
        What::Plan(args) => plan(context, &args.request()),
        What::Run(args) if context.run.dry_run => plan(context, &args.request()),
        What::Run(args) => demote(context, &args.request()),
        What::Restore(args) => restore(context, args),
    }
}

fn plan(context: &Context, request: &Request) -> Result<()> {
    let mut out = Printer::new(context.rows_of(Hidden::none())?);
    tier::plan(&context.session, request, &context.console, &mut out)
}

fn demote(context: &Context, request: &Request) -> Result<()> {
    let mut confirm = |loss: &Loss| {
        let what = format!(
            "losing the exact vectors of {} points in {} files, of which codec {} keeps an approximation,",
            loss.points, loss.files, request.codec
        );
        context
            .console
            .confirm(&what, "add --yes, keep them with --keep-original, or look first with `cvx tier plan`")
    };
    let (row, outcome) = tier::run(&context.session, request, &context.console, &mut confirm)?;
    context.outputs.record(&row)?;
    outcome.into_result()
}

fn restore(context: &Context, args: &RestoreArgs) -> Result<()> {
    let (row, outcome) = tier::restore(&context.session, &args.request()?, &context.console)?;
    context.outputs.record(&row)?;
    outcome.into_result()
}
