//! `cvx compact`: log and hot segments into warm Parquet, small files together.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::compact::Args;
use cvx::commands::compact;
use cvx::error::Result;
use cvx::output::Hidden;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let request = args.request();
    if context.run.dry_run {
        let mut out = Printer::new(context.rows_of(Hidden::none())?);
        return compact::plan(&context.session, &request, &mut out);
    }
    let (row, outcome) = compact::run(&context.session, &request, &context.console)?;
    context.outputs.record(&row)?;
    outcome.into_result()
}
