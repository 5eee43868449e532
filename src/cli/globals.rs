//! Options of every command that hold for one run.

use super::settings::Settings;
use super::values::commit;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// Options of every command that hold for one run; those that a file can set are [`Settings`].
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    #[command(flatten)]
    pub settings: Settings,
    /// Write the rows to FILE, under a temporary name until it is whole; its extension chooses the format unless -f is given
    #[arg(short, long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// Read this config file instead of the user's; `none` reads neither
    #[arg(long, global = true, value_name = "FILE", env = "CVX_CONFIG", hide_env_values = true,
          hide_short_help = true, value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Read the dataset as it was after this commit
    #[arg(long, global = true, value_name = "COMMIT", hide_short_help = true, value_parser = commit)]
    pub read_at: Option<u64>,
    /// A busy lock is a note, not an error, and ends with CODE: 0, success, when it is left out
    #[arg(long, global = true, hide_short_help = true, value_name = "CODE", num_args = 0..=1,
          require_equals = true, default_missing_value = "0")]
    pub skip_if_locked: Option<u8>,
    /// Commands that write: say what would be done and change nothing
    #[arg(short = 'n', long, global = true, hide_short_help = true)]
    pub dry_run: bool,
    /// Answer yes to the confirmation of a destructive command
    #[arg(short, long, global = true, env = "CVX_YES", hide_env_values = true, hide_short_help = true,
          value_parser = FalseyValueParser::new())]
    pub yes: bool,
    /// Print nothing but errors to standard error
    #[arg(short, long, global = true, hide_short_help = true)]
    pub quiet: bool,
    /// Tell more on standard error
    #[arg(short, long, global = true, hide_short_help = true)]
    pub verbose: bool,
}
