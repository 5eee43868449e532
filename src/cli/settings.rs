//! Options that the command line, the environment and config files can all set.
//!
//! Each is declared once, below. A config file's values go through the same parser as the
//! command line's, so they mean the same and fail with the same words.

use crate::cli::values::{
    Color, Digits, Errors, Format, IdsJson, LogForm, ProgressForm, TimeForm, VectorForm, digits, duration,
    memory, time,
};
use crate::time::{Duration, TimeExpr};
use clap::{Args, ValueHint};
use std::path::PathBuf;

/// What a file may set, and what holds when nothing does.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As in files and after `--`.
    pub name: &'static str,
    /// As in the parser.
    pub id: &'static str,
    /// The value when nothing sets it.
    pub default: &'static str,
}

macro_rules! settings {
    ($($(#[$meta:meta])+ $id:ident: $ty:ty = $name:literal, $default:literal;)+) => {
        /// Options that config files can set too. What nobody set is `None`.
        #[derive(Args, Debug, Clone, Default)]
        #[command(next_help_heading = "Global options")]
        pub struct Settings { $($(#[$meta])+ pub $id: Option<$ty>),+ }

        impl Settings {
            /// Every setting.
            pub const KEYS: &'static [Key] =
                &[$(Key { name: $name, id: stringify!($id), default: $default }),+];

            /// These, and where they say nothing, `lower`.
            pub fn or(self, lower: Settings) -> Settings {
                Settings { $($id: self.$id.or(lower.$id)),+ }
            }
        }
    };
}

settings! {
    /// The dataset's directory
    ///
    /// Without it the current directory, if it holds a dataset; parent directories are not searched.
    #[arg(short, long, global = true, value_name = "DIR", env = "CVX_DATASET", hide_env_values = true,
          value_hint = ValueHint::DirPath)]
    dataset: PathBuf = "dataset", ".";

    /// How rows are written
    #[arg(short, long, global = true, value_name = "FMT", env = "CVX_FORMAT", hide_env_values = true)]
    format: Format = "format", "auto";

    /// How times are written in text formats
    #[arg(long, global = true, value_name = "FMT", env = "CVX_TIME", hide_env_values = true, hide_short_help = true)]
    time: TimeForm = "time", "rfc3339";

    /// How vectors are written
    #[arg(long, global = true, value_name = "HOW", env = "CVX_VECTORS", hide_env_values = true, hide_short_help = true)]
    vectors: VectorForm = "vectors", "none";

    /// Significant digits of floats in text formats; `none` is the shortest text that reads back, 6 digits in tables
    #[arg(long, global = true, value_name = "N", env = "CVX_DIGITS", hide_env_values = true, hide_short_help = true,
          value_parser = digits)]
    digits: Digits = "digits", "none";

    /// Entity ids in JSON as numbers or as texts
    #[arg(long, global = true, value_name = "HOW", env = "CVX_IDS_JSON", hide_env_values = true, hide_short_help = true)]
    ids_json: IdsJson = "ids-json", "number";

    /// Colour in tables
    #[arg(long, global = true, value_name = "WHEN", env = "CVX_COLOR", hide_env_values = true, hide_short_help = true)]
    color: Color = "color", "auto";

    /// How a long command tells how far it is, on standard error
    #[arg(long, global = true, value_name = "HOW", env = "CVX_PROGRESS", hide_env_values = true, hide_short_help = true)]
    progress: ProgressForm = "progress", "auto";

    /// Notes and warnings on standard error
    #[arg(long, global = true, value_name = "HOW", env = "CVX_LOG_FORMAT", hide_env_values = true, hide_short_help = true)]
    log_format: LogForm = "log-format", "text";

    /// Worker threads; 0 for all cores
    #[arg(short = 'j', long, global = true, value_name = "N", env = "CVX_THREADS", hide_env_values = true, hide_short_help = true)]
    threads: u32 = "threads", "0";

    /// Soft limit of buffers and caches, e.g. 2GiB; by default half of what the machine allows
    #[arg(long, global = true, value_name = "SIZE", env = "CVX_MEMORY", hide_env_values = true, hide_short_help = true,
          value_parser = memory)]
    memory: usize = "memory", "50%";

    /// How long a writing command waits for the dataset's lock, e.g. 10m
    #[arg(long, global = true, value_name = "DUR", env = "CVX_LOCK_TIMEOUT", hide_env_values = true, hide_short_help = true,
          value_parser = duration)]
    lock_timeout: Duration = "lock-timeout", "0s";

    /// What relative times count from; `max` is the newest point selected
    #[arg(long, global = true, value_name = "TIME", env = "CVX_NOW", hide_env_values = true, hide_short_help = true,
          value_parser = time)]
    now: TimeExpr = "now", "now";

    /// Seed of every random choice
    #[arg(long, global = true, value_name = "N", env = "CVX_SEED", hide_env_values = true, hide_short_help = true)]
    seed: u64 = "seed", "0";

    /// How errors are written to standard error; json when the format was set to json or jsonl
    #[arg(long, global = true, value_name = "HOW", env = "CVX_ERRORS", hide_env_values = true, hide_short_help = true,
          num_args = 0..=1, default_missing_value = "list")]
    errors: Errors = "errors", "text";
}
