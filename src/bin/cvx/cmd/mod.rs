//! One file a command: from its options to its output.

mod backup;
mod changepoints;
mod compact;
mod completions;
mod config;
mod delete;
mod drift;
mod erase;
mod export;
mod gaps;
mod index;
mod info;
mod ingest;
mod init;
mod man;
mod merge;
mod predict;
mod query;
mod results;
mod schema;
mod tier;
mod velocity;
mod verify;

use crate::context::Context;
use cvx::cli::Command;
use cvx::error::Result;

/// Runs a command.
pub fn run(context: &Context, command: &Command) -> Result<()> {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Info(args) => info::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Ingest(args) => ingest::run(context, args),
        Command::Query(args) => query::run(context, args),
        Command::Index(args) => index::run(context, args),
        Command::Export(args) => export::run(context, args),
        Command::Delete(args) => delete::run(context, args),
        Command::Erase(args) => erase::run(context, args),
        Command::Compact(args) => compact::run(context, args),
        Command::Tier(args) => tier::run(context, args),
        Command::Backup(args) => backup::run(context, args),
        Command::Results(args) => results::run(context, args),
        Command::Velocity(args) => velocity::run(context, args),
        Command::Gaps(args) => gaps::run(context, args),
        Command::Drift(args) => drift::run(context, args),
        Command::Changepoints(args) => changepoints::run(context, args),
        Command::Predict(args) => predict::run(context, args),
        Command::Merge(args) => merge::run(context, args),
        Command::Config(args) => config::run(context, args),
        Command::Schema(args) => schema::run(context, args),
        Command::Completions(args) => completions::run(context, args),
        Command::Man(args) => man::run(args),
    }
}
