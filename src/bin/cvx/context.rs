//! What a command runs with: the settings from all layers, and from these the session, the console and the
//! outputs.

use crate::console::Console;
use crate::outputs::Outputs;
use crate::report;
use clap::ArgMatches;
use clap::parser::ValueSource;
use cvx::cli::settings::{Key, Settings};
use cvx::cli::values::Errors;
use cvx::cli::{Command, Globals, Parsed, config_file, words};
use cvx::commands::{Session, session};
use cvx::config::Config;
use cvx::dataset::Shard;
use cvx::error::{Code, Error, Result, Words};
use cvx::output::{Hidden, Output, Row};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Most worker threads.
const MAX_THREADS: usize = 1024;

/// The run's settings and where they came from.
pub struct Context {
    /// The dataset and what the run may use.
    pub session: Session,
    /// Notes, progress, confirmations.
    pub console: Console,
    /// Where rows go.
    pub outputs: Outputs,
    /// `-j`.
    threads: usize,
    /// The config file's path, if one is read.
    pub config_path: Option<PathBuf>,
    /// `--errors` without a value.
    pub lists_errors: bool,
    /// Options of this run alone.
    pub run: Globals,
    values: Vec<Effective>,
}

/// One effective value.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The key.
    pub key: &'static Key,
    /// Its value, as text.
    pub value: String,
    /// `option`, `env NAME`, `FILE:LINE` or `default`.
    pub origin: String,
}

impl Context {
    /// Merges the layers.
    pub fn new(parsed: &Parsed, args: &[OsString]) -> Result<Context> {
        let global = &parsed.cli.global;
        let config_path = config_file::path(global.config.as_deref());
        let file = match &config_path {
            Some(path) => Some(config_file::File::read(
                path,
                global.config.is_some() && !parsed.cli.command.makes_config(),
            )?),
            None => None,
        };
        if let Some(why) = file.as_ref().and_then(|f| f.unread.as_ref()).filter(|_| !global.quiet) {
            let _ = writeln!(std::io::stderr(), "note: the config file is not read: {why}");
        }
        let user = file.as_ref().map(|f| f.settings.clone()).unwrap_or_default();
        let above = global.settings.clone();
        let dir = above.dataset.clone().or(user.dataset.clone()).unwrap_or_else(|| PathBuf::from("."));
        // A dataset that cannot be read is for the command to report.
        let dataset = Config::read(&dir).ok().map(|c| config_file::of_dataset(&dir, &c)).transpose()?;
        let (of_dataset, set) = dataset.unwrap_or_default();
        let place = dir.join(cvx::config::FILE).display().to_string();
        let of_key = |key: &Key| {
            let here = set.iter().find(|(k, _)| k.name == key.name).map(|(_, v)| (v.clone(), place.clone()));
            here.or_else(|| file.as_ref().and_then(|f| f.get(key)).map(|(v, at)| (v.to_string(), at)))
        };
        let values = Settings::KEYS.iter().map(|key| effective(key, parsed, of_key(key))).collect();
        let settings = above.or(of_dataset).or(user);
        let lists_errors = settings.errors == Some(Errors::List);
        if lists_errors && !matches!(parsed.cli.command, Command::Schema(_)) {
            return Err(Error::usage("--errors needs a value").fix("--errors text or --errors json"));
        }
        report::prefer(settings.errors, settings.format);
        let dir = settings.dataset.clone().unwrap_or_else(|| PathBuf::from("."));
        let command_line = words::job(args);
        let wait = settings.lock_timeout.map_or(0, |d| d.mean_us());
        let mut of_run = session::Settings::default();
        of_run.read_at = global.read_at;
        of_run.seed = settings.seed.unwrap_or(0);
        of_run.memory = settings.memory;
        of_run.lock_timeout = Duration::from_micros(u64::try_from(wait).unwrap_or(0));
        of_run.now = settings.now;
        of_run.dry_run = global.dry_run;
        of_run.words = Words::Options;
        of_run.command_line.clone_from(&command_line);
        Ok(Context {
            session: Session::new(dir, of_run),
            console: Console::new(global, settings.progress, settings.log_format),
            outputs: Outputs {
                settings: settings.clone(),
                out: global.out.clone().filter(|o| o.as_os_str() != "-"),
                format_given: parsed.matches.value_source("format") == Some(ValueSource::CommandLine),
                command_line,
                shard: shard(&parsed.matches),
            },
            threads: settings.threads.unwrap_or(0) as usize,
            lists_errors,
            config_path,
            values,
            run: global.clone(),
        })
    }

    /// Opens the output of a command that reads the dataset. Names are left out where entities have none.
    pub fn rows_of<R: Row>(&self, hidden: Hidden<R>) -> Result<Output<R>> {
        self.outputs.rows_of(self.session.snapshot()?, hidden)
    }

    /// Length of the dataset's vectors.
    pub fn dim(&self) -> Result<usize> {
        Ok(Config::read(self.session.dir())?.settings.dim)
    }

    /// Every setting's effective value.
    pub fn values(&self) -> &[Effective] {
        &self.values
    }

    /// Gives `-j` to the pool that everything parallel runs on.
    pub fn start_threads(&self) -> Result<()> {
        let threads = self.threads;
        if threads > MAX_THREADS {
            return Err(Error::usage(format!(
                "{threads} threads are more than the {MAX_THREADS} that make sense"
            ))
            .what("option --threads")
            .fix("leave it out to use every core"));
        }
        // A pool of everyone is made once, also when that fails: so a first one is tried and dropped.
        let make = || rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = match make().build() {
            Ok(_) => make(),
            Err(e) => {
                // At the user's limit of processes; this thread is there already.
                self.console.warn(&format!("no threads can be started ({e}): one does all the work"));
                rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread()
            }
        };
        pool.build_global().map_err(|e| {
            Error::new(Code::Io, format!("no threads can be started: {e}"))
                .fix("the limit of processes is reached: raise it with ulimit -u, or give fewer with -j")
        })
    }
}

/// `--shard` of the command that is run.
fn shard(matches: &ArgMatches) -> Option<Shard> {
    match matches.subcommand() {
        Some((_, below)) => shard(below),
        None => matches.try_get_one::<Shard>("shard").ok().flatten().copied(),
    }
}

/// Where a setting's value comes from, and what it is.
fn effective(key: &'static Key, parsed: &Parsed, file: Option<(String, String)>) -> Effective {
    let raw = || {
        let values = parsed.matches.get_raw(key.id).into_iter().flatten();
        values.map(|v| v.to_string_lossy().into_owned()).next_back().unwrap_or_default()
    };
    let made = |value: String, origin: String| Effective { key, value, origin };
    match parsed.matches.value_source(key.id) {
        Some(ValueSource::CommandLine) => made(raw(), "option".to_string()),
        Some(ValueSource::EnvVariable) => made(raw(), format!("env CVX_{}", key.id.to_uppercase())),
        _ => match file {
            Some((value, place)) => made(value, place),
            None => made(key.default.to_string(), "default".to_string()),
        },
    }
}
