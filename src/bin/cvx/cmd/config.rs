//! `cvx config`: the settings in force, and the user's config file.

use crate::context::Context;
use cvx::cli::config::{Action, Args};
use cvx::cli::config_file;
use cvx::cli::settings::Key;
use cvx::config::Config;
use cvx::error::{Code, Error, Result};
use cvx::hidden;
use cvx::rows::Setting;

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    match &args.action {
        Action::Show { origin } => show(context, *origin),
        Action::Get { key } => get(context, key),
        Action::Set { user, key, value } => {
            let key = config_file::key(key)?;
            config_file::parse_value(key, value)?;
            match *user || context.run.config.is_some() {
                true => config_file::writable(context.config_path.as_deref())?.set(key, value),
                false => set_in_dataset(context, key, value),
            }
        }
    }
}

/// Under the writer's lock, like every change of a dataset.
fn set_in_dataset(context: &Context, key: &Key, value: &str) -> Result<()> {
    let dir = context.session.dir();
    if key.id == "dataset" {
        return Err(Error::usage("a dataset cannot name the dataset").fix("add --user"));
    }
    Config::read(dir).map_err(|e| match e.code() {
        Code::NoDataset => e.fix("name one with -d DIR, or set it for all with --user"),
        _ => e,
    })?;
    let lock = cvx::dataset::lock(dir, context.session.settings().lock_timeout, "cvx config set")?;
    let mut config = Config::read(dir)?;
    config.defaults.insert(key.name.to_string(), toml::Value::String(value.to_string()));
    config.write(dir)?;
    lock.release()
}

fn show(context: &Context, origin: bool) -> Result<()> {
    let mut out = context.outputs.rows(hidden!(Setting: origin).when(!origin))?;
    for v in context.values() {
        out.row(&Setting { key: v.key.name, value: v.value.clone(), origin: v.origin.clone() })?;
    }
    out.finish()
}

/// The bare value, so that a script need not parse anything.
fn get(context: &Context, name: &str) -> Result<()> {
    let key = config_file::key(name)?;
    let value = context.values().iter().find(|v| v.key.name == key.name).map_or("", |v| &v.value);
    context.outputs.text(format!("{value}\n").as_bytes())
}
