//! The options of `cvx completions`.

use clap_complete::Shell;

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx completions bash > ~/.local/share/bash-completion/completions/cvx
  cvx completions fish > ~/.config/fish/completions/cvx.fish")]
pub struct Args {
    /// The shell
    pub shell: Shell,
}
