//! `cvx export`: points out, in a form that `cvx ingest` takes back.

use crate::context::Context;
use crate::printer::Printer;
use cvx::cli::export::Args;
use cvx::commands::export::{self, Request};
use cvx::error::Result;
use cvx::output::{Format, Vectors};
use std::path::Path;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let request = args.request()?;
    if args.duckdb {
        return context.outputs.text(export::duckdb(&context.session, &request.selection)?.as_bytes());
    }
    match &args.npy {
        Some(dir) => arrays(context, &request, dir),
        None => {
            let snapshot = context.session.snapshot()?;
            let usual = (Some(Format::Parquet), Some(Vectors::List));
            let out = context.outputs.rows_like(snapshot, Default::default(), usual.0, usual.1)?;
            export::run(&context.session, &request, &context.console, &mut Printer::new(out))?.into_result()
        }
    }
}

/// `vectors.npy` and `ids.csv` in a directory, row for row.
fn arrays(context: &Context, request: &Request, dir: &Path) -> Result<()> {
    export::make_directory(dir)?;
    let keys = context.outputs.keys(context.session.snapshot()?, &dir.join("ids.csv"))?;
    let mut keys = Printer::new(keys);
    export::arrays(&context.session, request, dir, &context.console, &mut keys)?.into_result()
}
