//! `cvx config`: the settings in force, and the user's config file.

use crate::config;
use crate::context::Context;
use crate::rows::Setting;
use crate::settings::Key;
use clap::Subcommand;
use cvx::config::Config;
use cvx::error::{Code, Error, Result};

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

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.action {
        Action::Show { origin } => show(context, origin),
        Action::Get { key } => get(context, &key),
        Action::Set { user, key, value } => {
            let key = config::key(&key)?;
            config::parse_value(key, &value)?;
            match user || context.run.config.is_some() {
                true => config::writable(context.config_path.as_deref())?.set(key, &value),
                false => set_in_dataset(context, key, &value),
            }
        }
    }
}

/// Under the writer's lock, like every change of a dataset.
fn set_in_dataset(context: &Context, key: &Key, value: &str) -> Result<()> {
    let dir = context.dataset();
    if key.id == "dataset" {
        return Err(Error::usage("a dataset cannot name the dataset").fix("add --user"));
    }
    Config::read(&dir).map_err(|e| match e.code() {
        Code::NoDataset => e.fix("name one with -d DIR, or set it for all with --user"),
        _ => e,
    })?;
    let lock = cvx::dataset::lock(&dir, context.lock_timeout(), "cvx config set")?;
    let mut config = Config::read(&dir)?;
    config.defaults.insert(key.name.to_string(), toml::Value::String(value.to_string()));
    config.write(&dir)?;
    lock.release()
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
