//! The options of `cvx config`.

use clap::Subcommand;

/// Show and change settings
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    pub action: Action,
}

/// What is done with settings.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Print every effective value
    #[command(after_long_help = "Examples:
  cvx config show --origin
  cvx config show -f csv")]
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Print one effective value
    #[command(after_long_help = "Examples:
  cvx config get format")]
    Get {
        /// The key, named like the option
        key: String,
    },
    /// Set a default of the dataset, or with --user of all datasets
    #[command(after_long_help = "Examples:
  cvx config set -d news time date
  cvx config set --user format csv")]
    Set {
        /// In the user's config file, or in that of --config
        #[arg(long)]
        user: bool,
        /// The key, named like the option
        key: String,
        /// The value, as the option takes it
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
}

impl Args {
    /// True for `set`.
    pub fn writes(&self) -> bool {
        matches!(self.action, Action::Set { .. })
    }
}
