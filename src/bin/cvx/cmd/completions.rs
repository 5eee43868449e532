//! `cvx completions`: completion scripts for shells.

use crate::context::Context;
use clap::CommandFactory;
use cvx::cli::Cli;
use cvx::cli::completions::Args;
use cvx::error::Result;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cvx", &mut script);
    context.outputs.text(&script)
}
