//! The command line: global options, the commands, and what each of them asks of [`crate::commands`].
//!
//! One file a command: its arguments, and the request that they make. Whoever takes options by name (the program, a
//! server, other languages) takes them with these words and these messages. A config file's values go through the same
//! parser.
//!
//! | file | holds |
//! |---|---|
//! | `globals.rs`, `settings.rs` | options of every command; those that a file can set |
//! | `select.rs`, `cuts.rs` | options that several commands share |
//! | `values.rs` | values of options |
//! | `usage.rs` | errors of the parser |
//! | `config_file.rs` | the user's config file |
//! | `words.rs` | the words of a command line that decide its rows |

// The help text of an option is its documentation, and one on a flattened field or a variant would replace it.
#![allow(missing_docs)]

pub mod backup;
pub mod changepoints;
pub mod compact;
pub mod completions;
pub mod config;
pub mod config_file;
pub mod cuts;
pub mod delete;
pub mod drift;
pub mod erase;
pub mod export;
pub mod gaps;
mod globals;
pub mod index;
pub mod info;
pub mod ingest;
pub mod init;
pub mod man;
pub mod merge;
pub mod predict;
pub mod query;
pub mod results;
pub mod schema;
mod select;
pub mod settings;
pub mod tier;
mod usage;
pub mod values;
pub mod velocity;
pub mod verify;
pub mod version;
pub mod words;

pub use globals::Globals;

use crate::error::Result;
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// Temporal vectors: store embeddings that change over time, search them as of any date, and
/// analyse how they move.
#[derive(Parser, Debug)]
#[command(
    name = "cvx",
    version = version::SHORT,
    long_version = version::long(),
    after_help = "A dataset is a directory. Options stand before or after the command; each has a long help: cvx COMMAND --help",
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    Init(init::Args),
    Info(info::Args),
    Verify(verify::Args),
    Ingest(ingest::Args),
    Query(query::Args),
    Index(index::Args),
    Export(export::Args),
    Delete(delete::Args),
    Erase(erase::Args),
    Compact(compact::Args),
    Tier(tier::Args),
    Backup(backup::Args),
    Results(results::Args),
    Velocity(velocity::Args),
    Gaps(gaps::Args),
    Drift(Box<drift::Args>),
    Changepoints(changepoints::Args),
    Predict(Box<predict::Args>),
    Merge(merge::Args),
    Config(config::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// What a command does to a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Reads one version of it.
    Reads,
    /// Adds or removes points, or stores results.
    Writes,
    /// Changes or checks its files, and not what they hold.
    Administers,
    /// Touches no dataset.
    Local,
}

impl Command {
    /// What the command does to a dataset.
    pub fn class(&self) -> Class {
        match self {
            Command::Ingest(_) | Command::Delete(_) | Command::Erase(_) => Class::Writes,
            Command::Init(_) | Command::Compact(_) | Command::Backup(_) => Class::Administers,
            Command::Tier(args) if args.writes() => Class::Administers,
            Command::Index(args) if args.writes() => Class::Administers,
            Command::Results(args) if args.writes() => Class::Writes,
            Command::Config(args) if args.writes() => Class::Administers,
            Command::Changepoints(args) if args.stores() => Class::Writes,
            Command::Drift(args) if args.stores() => Class::Writes,
            Command::Predict(args) if args.trains() => Class::Writes,
            Command::Info(_)
            | Command::Verify(_)
            | Command::Query(_)
            | Command::Index(_)
            | Command::Export(_)
            | Command::Tier(_)
            | Command::Results(_)
            | Command::Velocity(_)
            | Command::Gaps(_)
            | Command::Drift(_)
            | Command::Changepoints(_)
            | Command::Predict(_) => Class::Reads,
            Command::Merge(_)
            | Command::Config(_)
            | Command::Schema(_)
            | Command::Completions(_)
            | Command::Man(_) => Class::Local,
        }
    }

    /// True for commands that only the newest version serves.
    pub fn needs_newest(&self) -> bool {
        match self.class() {
            Class::Writes | Class::Administers => true,
            Class::Reads | Class::Local => false,
        }
    }

    /// True for `config set`, whose file need not be there.
    pub fn makes_config(&self) -> bool {
        matches!(self, Command::Config(args) if args.writes())
    }
}

/// A parsed command line, and where its values came from.
pub struct Parsed {
    /// The options and the command.
    pub cli: Cli,
    /// Where each value came from.
    pub matches: ArgMatches,
}

/// What a command line asks for.
pub enum Parsing {
    /// To run a command.
    Run(Box<Parsed>),
    /// To show the help or the version; `print` of it does.
    Show(clap::Error),
}

/// Parses a command line; the first word is the program's name.
///
/// # Errors
/// Fails with [`crate::Code::Usage`] for what no command takes.
pub fn parse(args: &[OsString]) -> Result<Parsing> {
    let matches = match Cli::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Parsing::Show(e));
        }
        Err(e) => return Err(usage::usage(&e)),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|e| usage::usage(&e))?;
    Ok(Parsing::Run(Box::new(Parsed { cli, matches })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    fn leaves(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
        let help = command.get_after_long_help().map(|h| h.to_string()).unwrap_or_default();
        if command.get_subcommands().next().is_none() || !command.is_subcommand_required_set() {
            found.push((path.to_string(), help));
        }
        for sub in command.get_subcommands() {
            leaves(sub, format!("{path} {}", sub.get_name()).trim(), found);
        }
    }

    /// Splits as a shell does, as far as examples go: quotes, and nothing after `>` or `|`.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in line.chars() {
            match c {
                c if quote == Some(c) => quote = None,
                '\'' | '"' if quote.is_none() => quote = Some(c),
                ' ' if quote.is_none() => words.push(String::new()),
                '>' | '|' if quote.is_none() => break,
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|w| !w.is_empty());
        words
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "", &mut found);
        for (path, help) in found {
            let examples: Vec<&str> = help.lines().filter(|l| l.starts_with("  cvx ")).collect();
            assert!(!examples.is_empty(), "{path} has no example");
            for example in examples {
                Cli::try_parse_from(words(example.trim())).unwrap_or_else(|e| panic!("{example}: {e}"));
            }
        }
    }

    #[test]
    fn every_row_type_belongs_to_a_command() {
        let mut found = Vec::new();
        leaves(&Cli::command(), "", &mut found);
        for (command, columns) in crate::rows::TABLES {
            let words = command.split(" --").next().unwrap_or_default();
            assert!(found.iter().any(|(path, _)| path == words), "no command {words}");
            assert!(!columns.is_empty());
        }
    }
}
