//! `cvx config`: the settings in force, and the user's config file.

use crate::config;
use crate::context::Context;
use crate::rows::Setting;
use clap::Subcommand;
use cvx::error::Result;

/// Show and change settings
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
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
    /// Set a value in the user's config file, or in that of --config
    #[command(after_long_help = "Examples:
  cvx config set format csv
  cvx config set digits 6")]
    Set {
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

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.action {
        Action::Show { origin } => show(context, origin),
        Action::Get { key } => get(context, &key),
        Action::Set { key, value } => {
            let key = config::key(&key)?;
            config::parse_value(key, &value)?;
            config::writable(context.config_path.as_deref())?.set(key, &value)
        }
    }
}

fn show(context: &Context, origin: bool) -> Result<()> {
    let hidden: &[&str] = if origin { &[] } else { &["origin"] };
    let mut out = context.rows::<Setting>(hidden)?;
    for v in context.values() {
        out.row(&Setting { key: v.key.name, value: v.value.clone(), origin: v.origin.clone() })?;
    }
    out.finish()
}

/// The bare value, so that a script need not parse anything.
fn get(context: &Context, name: &str) -> Result<()> {
    let key = config::key(name)?;
    let value = context.values().iter().find(|v| v.key.name == key.name).map_or("", |v| &v.value);
    context.text(format!("{value}\n").as_bytes())
}
