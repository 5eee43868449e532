//! The options of `cvx man`.

use clap::ValueHint;
use std::path::PathBuf;

/// Write the manual, one page a command, into a directory
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx man ~/.local/share/man/man1")]
pub struct Args {
    /// The directory; made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
}
