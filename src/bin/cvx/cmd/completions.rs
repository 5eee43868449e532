//! `cvx completions`: completion scripts for shells.

use crate::cli::Cli;
use crate::context::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use cvx::error::Result;

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx completions bash > ~/.local/share/bash-completion/completions/cvx
  cvx completions fish > ~/.config/fish/completions/cvx.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cvx", &mut script);
    context.text(&script)
}
