//! What a command runs with: its settings from all layers, and its output.

use crate::cli::{Command, Parsed};
use crate::config;
use crate::report;
use crate::settings::{Key, Settings};
use crate::values::{Color, Errors, IdsJson};
use clap::parser::ValueSource;
use cvx::error::{Error, Result};
use cvx::output::{self, Format, Options, Output, Pipe, Row, Stamp, Style, Target};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The run's settings and where they came from.
pub struct Context {
    /// Merged: option, environment, config file.
    pub settings: Settings,
    /// The config file's path, if one is read.
    pub config_path: Option<PathBuf>,
    /// `--errors` without a value.
    pub lists_errors: bool,
    values: Vec<Effective>,
    out: Option<PathBuf>,
    format_given: bool,
    command_line: String,
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
        let values = Settings::KEYS.iter().map(|key| effective(key, parsed, file.as_ref())).collect();
        let lower = file.map(|f| f.settings).unwrap_or_default();
        let settings = global.settings.clone().or(lower);
        let lists_errors = settings.errors == Some(Errors::List);
        if lists_errors && !matches!(parsed.cli.command, Command::Schema(_)) {
            return Err(Error::usage("--errors needs a value").fix("--errors text or --errors json"));
        }
        report::prefer(settings.errors, settings.format);
        let words: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
        Ok(Context {
            settings,
            lists_errors,
            config_path,
            values,
            out: global.out.clone(),
            format_given: parsed.matches.value_source("format") == Some(ValueSource::CommandLine),
            command_line: words.join(" "),
        })
    }

    /// Every setting's effective value.
    pub fn values(&self) -> &[Effective] {
        &self.values
    }

    /// Opens the output for rows without the columns in `hidden`.
    pub fn rows<R: Row>(&self, hidden: &[&str]) -> Result<Output<R>> {
        let format = self.format()?;
        let target = self.target()?;
        let options = Options { format, style: self.style(), dim: 0, hidden, stamp: self.stamp() };
        Output::open(options, target)
    }

    /// Writes a text that is not made of rows.
    pub fn text(&self, bytes: &[u8]) -> Result<()> {
        let mut target = self.target()?;
        target.write(bytes)?;
        target.finish()
    }

    fn target(&self) -> Result<Target> {
        self.out.as_deref().map_or_else(|| Ok(Target::stdout(Pipe::Ends)), Target::file)
    }

    /// `-f`, else the extension of `-o`, else the environment or the config file, else a table on
    /// a terminal and jsonl elsewhere.
    fn format(&self) -> Result<Format> {
        let set = self.settings.format.and_then(|f| f.fixed());
        let of_path = self.out.as_deref().and_then(Format::of_path);
        let terminal = self.out.is_none() && std::io::stdout().is_terminal();
        let chosen = if self.format_given { set.or(of_path) } else { of_path.or(set) };
        let format = chosen.unwrap_or(if terminal { Format::Table } else { Format::Jsonl });
        if format.is_binary() && terminal {
            return Err(Error::usage("a terminal cannot show this format")
                .what("option --format")
                .fix("write it to a file with -o FILE, or pipe it"));
        }
        Ok(format)
    }

    fn style(&self) -> Style {
        let s = &self.settings;
        let terminal = self.out.is_none() && std::io::stdout().is_terminal();
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
        vec![pair("version", crate::version::SHORT), pair("command", &self.command_line)]
    }
}

/// Where a setting's value comes from, and what it is.
fn effective(key: &'static Key, parsed: &Parsed, file: Option<&config::File>) -> Effective {
    let raw = || {
        let values = parsed.matches.get_raw(key.id).into_iter().flatten();
        values.map(|v| v.to_string_lossy().into_owned()).next_back().unwrap_or_default()
    };
    let made = |value: String, origin: String| Effective { key, value, origin };
    match parsed.matches.value_source(key.id) {
        Some(ValueSource::CommandLine) => made(raw(), "option".to_string()),
        Some(ValueSource::EnvVariable) => made(raw(), format!("env CVX_{}", key.id.to_uppercase())),
        _ => match file.and_then(|f| f.get(key)) {
            Some((value, place)) => made(value.to_string(), place),
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
