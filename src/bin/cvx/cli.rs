//! The command line: global options, the commands, and usage errors in the shape of all others.

use crate::cmd;
use crate::context::Context;
use crate::settings::Settings;
use crate::values::commit;
use crate::version;
use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use cvx::error::{Code, Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    Init(cmd::init::Args),
    Info(cmd::info::Args),
    Verify(cmd::verify::Args),
    Ingest(cmd::ingest::Args),
    Query(cmd::query::Args),
    Index(cmd::index::Args),
    Export(cmd::export::Args),
    Delete(cmd::delete::Args),
    Erase(cmd::erase::Args),
    Compact(cmd::compact::Args),
    Tier(cmd::tier::Args),
    Backup(cmd::backup::Args),
    Results(cmd::results::Args),
    Velocity(cmd::velocity::Args),
    Drift(Box<cmd::drift::Args>),
    Changepoints(cmd::changepoints::Args),
    Predict(Box<cmd::predict::Args>),
    Merge(cmd::merge::Args),
    Config(cmd::config::Args),
    Schema(cmd::schema::Args),
    Completions(cmd::completions::Args),
    Man(cmd::man::Args),
}

impl Command {
    /// True for `config set`, whose file need not be there.
    pub fn makes_config(&self) -> bool {
        matches!(self, Command::Config(args) if args.writes())
    }

    /// True for commands that change the newest version, or check it.
    pub fn needs_newest(&self) -> bool {
        match self {
            Command::Init(_)
            | Command::Ingest(_)
            | Command::Delete(_)
            | Command::Erase(_)
            | Command::Compact(_) => true,
            Command::Tier(args) => args.writes(),
            Command::Backup(_) => true,
            Command::Results(args) => args.writes(),
            Command::Index(args) => args.writes(),
            Command::Config(args) => args.writes(),
            Command::Changepoints(args) => args.save.is_some() || args.state.is_some(),
            Command::Predict(args) => args.trains(),
            _ => false,
        }
    }

    /// Runs the command.
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Command::Init(args) => cmd::init::run(context, args),
            Command::Info(args) => cmd::info::run(context, args),
            Command::Verify(args) => cmd::verify::run(context, args),
            Command::Ingest(args) => cmd::ingest::run(context, args),
            Command::Query(args) => cmd::query::run(context, args),
            Command::Index(args) => cmd::index::run(context, args),
            Command::Export(args) => cmd::export::run(context, args),
            Command::Delete(args) => cmd::delete::run(context, args),
            Command::Erase(args) => cmd::erase::run(context, args),
            Command::Compact(args) => cmd::compact::run(context, args),
            Command::Tier(args) => cmd::tier::run(context, args),
            Command::Backup(args) => cmd::backup::run(context, args),
            Command::Results(args) => cmd::results::run(context, args),
            Command::Velocity(args) => cmd::velocity::run(context, args),
            Command::Drift(args) => cmd::drift::run(context, *args),
            Command::Changepoints(args) => cmd::changepoints::run(context, args),
            Command::Predict(args) => cmd::predict::run(context, *args),
            Command::Merge(args) => cmd::merge::run(context, args),
            Command::Config(args) => cmd::config::run(context, args),
            Command::Schema(args) => cmd::schema::run(context, args),
            Command::Completions(args) => cmd::completions::run(context, args),
            Command::Man(args) => cmd::man::run(args),
        }
    }
}

/// A parsed command line, and where its values came from.
pub struct Parsed {
    pub cli: Cli,
    pub matches: ArgMatches,
}

/// Parses; `None` after `--help` and `--version`, which have been printed.
pub fn parse(args: &[OsString]) -> Result<Option<Parsed>> {
    let matches = match Cli::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(e) if matches!(e.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            let printed = e.print();
            printed.map_err(|e| Error::io("write", Path::new("standard output"), &e))?;
            return Ok(None);
        }
        Err(e) => return Err(usage(&e)),
    };
    let cli = Cli::from_arg_matches(&matches).map_err(|e| usage(&e))?;
    Ok(Some(Parsed { cli, matches }))
}

/// Letters of a wrong value that its message repeats.
const MAX_SHOWN: usize = 60;

/// A usage error of the parser as one of ours: its first paragraph is the message, its tips are
/// the hint.
pub fn usage(e: &clap::Error) -> Error {
    if e.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::new(Code::Usage, "a command is missing").fix("`cvx --help` lists the commands");
    }
    let text = e.render().to_string();
    let body = text.strip_prefix("error: ").unwrap_or(&text);
    let mut lines = body.lines().map(str::trim).take_while(|l| !l.starts_with("Usage:"));
    let first: Vec<&str> = lines.by_ref().take_while(|l| !l.is_empty()).collect();
    let (values, message): (Vec<&str>, Vec<&str>) =
        first.into_iter().partition(|l| l.starts_with("[possible values"));
    let tips = lines.filter_map(|l| l.strip_prefix("tip: ")).map(str::to_string);
    let values = values.iter().map(|v| v.trim_matches(['[', ']']).to_string());
    let mut hints: Vec<String> = tips.chain(values).collect();
    if hints.is_empty() {
        hints.push("`--help` after the command shows what it takes".to_string());
    }
    let mut message = message.join(" ");
    if let Some(ContextValue::String(value)) = e.get(ContextKind::InvalidValue)
        && value.chars().count() > MAX_SHOWN
    {
        let start: String = value.chars().take(MAX_SHOWN).collect();
        message = message.replace(value.as_str(), &format!("{start}…"));
    }
    let error = Error::new(Code::Usage, message).fix(hints.join("; "));
    match e.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(arg)) => error.what(format!("argument {arg}")),
        _ => error,
    }
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
