//! `cvx merge`: the outputs of several jobs, each with its shard, as one.

use crate::context::Context;
use cvx::cli::merge::Args;
use cvx::error::{Error, Result};
use cvx::output::{Format, Pipe, merge};

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let format = merge::format(&args.files)?;
    let wanted = context.outputs.out.as_deref().and_then(Format::of_path);
    if wanted.is_some_and(|w| w != format) {
        return Err(Error::usage("the output's name says another format than the shards have")
            .what("option --out")
            .fix("give it the shards' extension"));
    }
    if let Some(out) = context.outputs.out.as_deref().filter(|out| args.files.iter().any(|f| f == out)) {
        return Err(Error::usage("the output is one of the shards").file(out).fix("choose another name"));
    }
    let rows = merge::merge(&args.files, context.outputs.target(Pipe::Ends)?, &context.console)?;
    context.console.detail(&format!("{rows} rows of {} shards", args.files.len()));
    Ok(())
}
