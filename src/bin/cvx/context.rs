//! What a command runs with: its settings from all layers, and its output.

use crate::cli::{Command, Globals, Parsed};
use crate::config;
use crate::report;
use crate::settings::{Key, Settings};
use crate::sparks::Sparks;
use crate::values::{Color, Errors, IdsJson, LogForm, VectorForm};
use clap::parser::ValueSource;
use cvx::config::{Config, IdKind};
use cvx::dataset::{Options as WriterOptions, Select, Shard, Snapshot};
use cvx::error::{Code, Error, Result};
use cvx::manifest::{FileKind, Manifest};
use cvx::output::{self, Format, Options, Output, Pipe, Row, Stamp, Style, Target, Vectors};
use cvx::pq::Codec;
use cvx::time::{Now, TimeExpr};
use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Memory to use where the system does not say what it has.
const DEFAULT_MEMORY: usize = 1 << 30;

/// Most worker threads.
const MAX_THREADS: usize = 1024;

/// The run's settings and where they came from.
pub struct Context {
    /// Merged: option, environment, config file.
    pub settings: Settings,
    /// The config file's path, if one is read.
    pub config_path: Option<PathBuf>,
    /// `--errors` without a value.
    pub lists_errors: bool,
    /// Options of this run alone.
    pub run: Globals,
    values: Vec<Effective>,
    format_given: bool,
    command_line: String,
    /// The shard that this run is, once its selection is read.
    shard: OnceLock<Shard>,
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
        let config_path = config::path(global.config.as_deref());
        let file = match &config_path {
            Some(path) => {
                Some(config::File::read(path, global.config.is_some() && !parsed.cli.command.makes_config())?)
            }
            None => None,
        };
        if let Some(why) = file.as_ref().and_then(|f| f.unread.as_ref()).filter(|_| !global.quiet) {
            let _ = writeln!(std::io::stderr(), "note: the config file is not read: {why}");
        }
        let user = file.as_ref().map(|f| f.settings.clone()).unwrap_or_default();
        let above = global.settings.clone();
        let dir = above.dataset.clone().or(user.dataset.clone()).unwrap_or_else(|| PathBuf::from("."));
        // A dataset that cannot be read is for the command to report.
        let dataset = Config::read(&dir).ok().map(|c| config::of_dataset(&dir, &c)).transpose()?;
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
        Ok(Context {
            settings,
            lists_errors,
            config_path,
            values,
            run: Globals { out: global.out.clone().filter(|o| o.as_os_str() != "-"), ..global.clone() },
            format_given: parsed.matches.value_source("format") == Some(ValueSource::CommandLine),
            command_line: crate::words::job(args),
            shard: OnceLock::new(),
        })
    }

    /// Every setting's effective value.
    pub fn values(&self) -> &[Effective] {
        &self.values
    }

    /// The command, without what does not change its rows.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }

    /// The dataset's directory.
    pub fn dataset(&self) -> PathBuf {
        self.settings.dataset.clone().unwrap_or_else(|| PathBuf::from("."))
    }

    /// Pins the newest version of the dataset, or that of `--read-at`.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::open(&self.dataset(), self.run.read_at)
    }

    /// How a command opens the dataset for writing.
    pub fn writing(&self, command: &str) -> WriterOptions {
        WriterOptions {
            lock_timeout: self.lock_timeout(),
            command: command.to_string(),
            ..WriterOptions::default()
        }
    }

    /// `--lock-timeout`.
    pub fn lock_timeout(&self) -> std::time::Duration {
        let wait = self.settings.lock_timeout.map_or(0, |d| d.mean_us());
        std::time::Duration::from_micros(u64::try_from(wait).unwrap_or(0))
    }

    /// `--memory` in bytes, or half of what the process may use.
    pub fn memory(&self) -> usize {
        let half = || cvx::fsio::memory_bytes().map_or(DEFAULT_MEMORY, |b| (b / 2) as usize);
        self.settings.memory.unwrap_or_else(half)
    }

    /// `--seed`.
    pub fn seed(&self) -> u64 {
        self.settings.seed.unwrap_or(0)
    }

    /// Gives `-j` to the pool that everything parallel runs on.
    pub fn start_threads(&self) -> Result<()> {
        let threads = self.settings.threads.unwrap_or(0) as usize;
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
                self.warn(&format!("no threads can be started ({e}): one does all the work"));
                rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread()
            }
        };
        pool.build_global().map_err(|e| {
            Error::new(Code::Io, format!("no threads can be started: {e}"))
                .fix("the limit of processes is reached: raise it with ulimit -u, or give fewer with -j")
        })
    }

    /// Asks before something that cannot be undone, where somebody can answer; `--yes` answers.
    /// `what` is what would happen; `else_fix` says what to do where nobody is asked.
    pub fn confirm(&self, what: &str, else_fix: &str) -> Result<()> {
        if self.run.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Error::usage(format!("{what} needs a confirmation")).fix(else_fix));
        }
        let mut answer = String::new();
        let _ = write!(std::io::stderr(), "{what}. Go on? [y/N] ");
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.map_err(|e| Error::io("read", std::path::Path::new("standard input"), &e))?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::usage("nothing was changed")),
        }
    }

    /// A line on standard error that is no error.
    pub fn note(&self, text: &str) {
        self.say("note", text);
    }

    /// A line on standard error about something that may be wrong.
    pub fn warn(&self, text: &str) {
        self.say("warning", text);
    }

    /// A line for those who asked for more.
    pub fn detail(&self, text: &str) {
        if self.run.verbose {
            self.say("note", text);
        }
    }

    fn say(&self, level: &str, text: &str) {
        // Names come from data; a terminal must not obey them, nor a line look like two.
        let text = &text.replace(|c: char| c.is_control(), "\u{fffd}");
        let line = match self.settings.log_format {
            _ if self.run.quiet => return,
            Some(LogForm::Json) => serde_json::json!({"level": level, "message": text}).to_string(),
            _ => format!("{level}: {text}"),
        };
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Notes that this run is one of several, for what its output says of itself.
    pub fn is_shard(&self, shard: Shard) {
        self.shard.get_or_init(|| shard);
    }

    /// True when this run is one of several.
    pub fn is_one_shard(&self) -> bool {
        self.shard.get().is_some()
    }

    /// True when rows go out as a table.
    pub fn shows_table(&self) -> Result<bool> {
        Ok(self.format(None)? == Format::Table)
    }

    /// How trajectories are drawn, where rows go out as a table.
    pub fn sparks(&self) -> Result<Option<Sparks>> {
        Ok(self.shows_table()?.then(|| Sparks { unicode: locale_is_utf8() }))
    }

    /// What relative times count from. The times of the points are looked at only when one of
    /// `times`, `period` or `--now` asks for them.
    pub fn now(
        &self,
        snapshot: &Snapshot,
        select: &Select,
        times: &[Option<TimeExpr>],
        period: Option<&str>,
    ) -> Result<Now> {
        let named = |text: &str| text.contains("min") || text.contains("max");
        let asked = times.iter().flatten().chain(&self.settings.now).any(TimeExpr::needs_bounds);
        let bounds = if asked || period.is_some_and(named) { select.bounds(snapshot)? } else { None };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let clock = Now { now: i64::try_from(since.as_micros()).unwrap_or(i64::MAX), bounds };
        let now = self.settings.now.map_or(Ok(clock.now), |t| t.resolve(&clock))?;
        Ok(Now { now, bounds })
    }

    /// A time of an option as an instant.
    pub fn instant(&self, snapshot: &Snapshot, select: &Select, t: Option<&TimeExpr>) -> Result<Option<i64>> {
        let resolve = |t: &TimeExpr| t.resolve(&self.now(snapshot, select, &[Some(*t)], None)?);
        t.map(resolve).transpose()
    }

    /// True when rows show vectors.
    pub fn shows_vectors(&self) -> bool {
        self.settings.vectors.is_some_and(|v| v != VectorForm::None)
    }

    /// How a new dataset's JSON writes entity ids.
    pub fn ids_json(&self) -> cvx::config::IdsJson {
        match self.settings.ids_json {
            Some(IdsJson::String) => cvx::config::IdsJson::String,
            _ => cvx::config::IdsJson::Number,
        }
    }

    /// Opens the output for rows that need no dataset, without the columns in `hidden`.
    pub fn rows<R: Row>(&self, hidden: &[&str]) -> Result<Output<R>> {
        self.open(Options { hidden, ..self.options(None)? }, Pipe::Ends)
    }

    /// Opens the output of a command that reads a dataset. Names are left out where entities
    /// have none.
    pub fn rows_of<R: Row>(&self, snapshot: &Snapshot, hidden: &[&str]) -> Result<Output<R>> {
        self.rows_like(snapshot, hidden, None, None)
    }

    /// As [`Context::rows_of`], with the command's own defaults of format and vectors.
    pub fn rows_like<R: Row>(
        &self,
        snapshot: &Snapshot,
        hidden: &[&str],
        format: Option<Format>,
        vectors: Option<Vectors>,
    ) -> Result<Output<R>> {
        let mut hidden = hidden.to_vec();
        if snapshot.settings().ids == IdKind::U64 {
            hidden.push("entity");
        }
        let base = self.options(format)?;
        // For reading, a name says more than the hash that stands for it.
        if base.format == Format::Table && snapshot.settings().ids == IdKind::String {
            hidden.push("entity_id");
        }
        if base.format == Format::Table && !holds_lossy_blocks(snapshot.manifest()) {
            hidden.push("approx");
        }
        let mut options = Options { hidden: &hidden, dim: snapshot.settings().dim, ..base };
        if self.settings.ids_json.is_none() {
            options.style.ids_as_text = snapshot.settings().ids_json == cvx::config::IdsJson::String;
        }
        if let (None, Some(vectors)) = (self.settings.vectors, vectors) {
            options.style.vectors = vectors;
        }
        let m = snapshot.manifest();
        options.stamp.push(("dataset".to_string(), cvx::format::hex(&m.dataset)));
        options.stamp.push(("commit".to_string(), m.commit.to_string()));
        self.open(options, Pipe::Ends)
    }

    /// Opens a csv file for rows that stand beside another output.
    pub fn keys<R: Row>(&self, snapshot: &Snapshot, path: &Path) -> Result<Output<R>> {
        let hidden: &[&str] = if snapshot.settings().ids == IdKind::U64 { &["entity"] } else { &[] };
        let options = Options { hidden, style: self.style(), ..Options::new(Format::Csv) };
        Output::open(options, Target::file(path)?)
    }

    /// Opens the output of a command that has changed a dataset: a reader that goes away does
    /// not make it fail.
    pub fn record<R: Row>(&self, row: &R) -> Result<()> {
        let mut out = self.open::<R>(self.options(None)?, Pipe::Ignored)?;
        out.row(row)?;
        out.finish()
    }

    /// Opens an output of JSON lines beside that of the command.
    pub fn lines<R: Row>(&self, config: &Config, target: Target) -> Result<Output<R>> {
        let hidden: &[&str] = if config.settings.ids == IdKind::U64 { &["entity"] } else { &[] };
        let mut style = Style { ..self.style() };
        if self.settings.ids_json.is_none() {
            style.ids_as_text = config.settings.ids_json == cvx::config::IdsJson::String;
        }
        Output::open(Options { style, hidden, ..Options::new(Format::Jsonl) }, target)
    }

    fn options(&self, format: Option<Format>) -> Result<Options<'_>> {
        let (style, stamp) = (self.style(), self.stamp());
        let shard = self.shard.get().is_some();
        Ok(Options { format: self.format(format)?, style, dim: 0, hidden: &[], stamp, shard })
    }

    fn open<R: Row>(&self, options: Options<'_>, pipe: Pipe) -> Result<Output<R>> {
        Output::open(options, self.target(pipe)?)
    }

    /// Writes a text that is not made of rows.
    pub fn text(&self, bytes: &[u8]) -> Result<()> {
        let mut target = self.target(Pipe::Ends)?;
        target.write(bytes)?;
        target.finish()
    }

    /// Where bytes go.
    pub fn target(&self, pipe: Pipe) -> Result<Target> {
        self.run.out.as_deref().map_or_else(|| Ok(Target::stdout(pipe)), Target::file)
    }

    /// `-f`, else the extension of `-o`, else the environment or a config file, else what is
    /// `usual` for the command, else a table on a terminal and jsonl elsewhere.
    fn format(&self, usual: Option<Format>) -> Result<Format> {
        let set = self.settings.format.and_then(|f| f.fixed());
        let of_path = self.run.out.as_deref().and_then(Format::of_path);
        let terminal = self.run.out.is_none() && std::io::stdout().is_terminal();
        let chosen = if self.format_given { set.or(of_path) } else { of_path.or(set) };
        if let (None, Some(extension)) = (chosen, self.run.out.as_deref().and_then(|p| p.extension())) {
            return Err(Error::usage(format!("\".{}\" names no format", extension.display()))
                .what("option --out")
                .fix("end the name in .jsonl, .json, .csv, .tsv, .parquet, .arrow or .txt, or name the format with -f"));
        }
        let format = chosen.or(usual).unwrap_or(if terminal { Format::Table } else { Format::Jsonl });
        if format.is_binary() && terminal {
            return Err(Error::usage("a terminal cannot show this format")
                .what("option --format")
                .fix("write it to a file with -o FILE, or pipe it"));
        }
        Ok(format)
    }

    fn style(&self) -> Style {
        let s = &self.settings;
        let terminal = self.run.out.is_none() && std::io::stdout().is_terminal();
        Style {
            time: s.time.map(Into::into).unwrap_or_default(),
            vectors: s.vectors.map(Into::into).unwrap_or_default(),
            digits: s.digits.and_then(|d| d.0),
            ids_as_text: s.ids_json == Some(IdsJson::String),
            unicode: locale_is_utf8(),
            width: terminal.then(output::terminal_width).flatten(),
            color: self.color(terminal),
        }
    }

    fn color(&self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        match self.settings.color.unwrap_or(Color::Auto) {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR").is_some() => false,
            Color::Auto if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") => true,
            Color::Auto => terminal && set("TERM").is_none_or(|t| t != "dumb"),
        }
    }

    fn stamp(&self) -> Stamp {
        let pair = |k: &str, v: &str| (k.to_string(), v.to_string());
        let seed = self.seed().to_string();
        let mut stamp = vec![
            pair("version", crate::version::SHORT),
            pair("command", &self.command_line),
            pair("seed", &seed),
        ];
        stamp.extend(self.shard.get().map(|s| pair("shard", &format!("{}/{}", s.index, s.of))));
        stamp
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

/// What the locale says about the terminal's letters.
fn locale_is_utf8() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// True when rows may come from a codec that lost something.
fn holds_lossy_blocks(m: &Manifest) -> bool {
    let lossy = |codec: &str| codec.parse::<Codec>().is_ok_and(|c| !c.is_lossless());
    m.of(FileKind::Cold).filter_map(|f| m.placement(f.id)).any(|p| lossy(&p.codec))
}
