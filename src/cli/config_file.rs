//! The user's config file, `$XDG_CONFIG_HOME/cvx/config.toml`, flat keys named like the options.

use super::usage;
use crate::cli::settings::{Key, Settings};
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::fsio::{Publish, TempFile};
use crate::suggest;
use clap::Parser;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// No config file has reason to be larger.
const MAX_BYTES: u64 = 1 << 20;

/// A config file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    text: String,
    /// What it sets.
    pub settings: Settings,
    /// Why it could not be read, where it was not named.
    pub unread: Option<String>,
    entries: Vec<Entry>,
}

/// One `key = value` of a file.
#[derive(Debug)]
struct Entry {
    key: &'static Key,
    value: String,
    line: u64,
    span: Range<usize>,
}

/// The settings alone, as a command line.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Alone {
    #[command(flatten)]
    settings: Settings,
}

/// The file to read: the one named, else the user's. `none` and an empty name stand for no file.
pub fn path(named: Option<&Path>) -> Option<PathBuf> {
    match named {
        Some(p) if p.as_os_str().is_empty() || p == Path::new("none") => None,
        Some(p) => Some(p.to_path_buf()),
        None => {
            let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
            let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|h| h.join(".config")))?;
            Some(base.join("cvx/config.toml"))
        }
    }
}

/// The key of a name, or an error that suggests the nearest.
pub fn key(name: &str) -> Result<&'static Key> {
    Settings::KEYS.iter().find(|k| k.name == name).ok_or_else(|| {
        let names = Settings::KEYS.iter().map(|k| k.name);
        let known = || format!("the keys are {}", names.clone().collect::<Vec<_>>().join(", "));
        let hint = suggest::did_you_mean(name, names.clone()).unwrap_or_else(known);
        Error::usage(format!("unknown key \"{name}\"")).fix(hint)
    })
}

/// The options that a dataset's `cvx.toml` sets under `[defaults]`.
pub fn of_dataset(dir: &Path, config: &Config) -> Result<(Settings, Vec<(&'static Key, String)>)> {
    let path = dir.join(crate::config::FILE);
    let placed = |e: Error| e.file(&path);
    let mut settings = Settings::default();
    let mut values = Vec::new();
    for (name, value) in &config.defaults {
        let key = key(name).map_err(placed)?;
        let text = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        settings = settings.or(parse_value(key, &text).map_err(placed)?);
        values.push((key, text));
    }
    Ok((settings, values))
}

/// Reads one value as the command line would.
pub fn parse_value(key: &Key, value: &str) -> Result<Settings> {
    let parsed = Alone::try_parse_from([format!("--{}={value}", key.name)]);
    parsed.map(|a| a.settings).map_err(|e| usage::usage(&e))
}

impl File {
    /// Reads a file, through links too; one that is not there is empty, unless `needed`.
    pub fn read(path: &Path, needed: bool) -> Result<File> {
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|f| f.take(MAX_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(e) if e.kind() == ErrorKind::NotFound && needed => {
                return Err(Error::usage("there is no such config file").file(path));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            // Under sudo, in a container or a job of cron, $HOME may be somebody else's.
            Err(e) if !needed => {
                let mut file = File::parse(path, String::new())?;
                // Where the directory cannot be entered nobody knows that there is a file.
                let seen = std::fs::symlink_metadata(path).is_ok();
                file.unread = seen.then(|| format!("{}: {e}", path.display()));
                return Ok(file);
            }
            Err(e) => return Err(Error::io("read", path, &e)),
            Ok(_) if bytes.len() as u64 > MAX_BYTES => {
                return Err(Error::usage("a config file has at most 1 MiB").file(path));
            }
            Ok(_) => {}
        }
        let text = String::from_utf8(bytes).map_err(|_| Error::usage("the file is not UTF-8").file(path))?;
        File::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<File> {
        let line = |at: usize| 1 + text[..at.min(text.len())].bytes().filter(|b| *b == b'\n').count() as u64;
        let table = DeTable::parse(&text).map_err(|e| {
            let at = e.span().map_or(0, |s| s.start);
            Error::usage(e.message().to_string()).file(path).line(line(at))
        })?;
        let mut entries = Vec::new();
        let mut settings = Settings::default();
        for (name, value) in table.get_ref() {
            let line = line(name.span().start);
            let placed = |e: Error| e.file(path).line(line);
            let key = key(name.get_ref()).map_err(placed)?;
            let text = plain(value.get_ref())
                .ok_or_else(|| placed(Error::usage(format!("{} takes a text or a number", key.name))))?;
            settings = settings.or(parse_value(key, &text).map_err(placed)?);
            entries.push(Entry { key, value: text, line, span: value.span() });
        }
        drop(table);
        Ok(File { path: path.to_path_buf(), text, settings, unread: None, entries })
    }

    /// The value of a key and where it stands.
    pub fn get(&self, key: &Key) -> Option<(&str, String)> {
        let entry = self.entries.iter().find(|e| e.key.name == key.name)?;
        Some((&entry.value, format!("{}:{}", self.path.display(), entry.line)))
    }

    /// Sets a key, leaves everything else as it stands, and replaces the file.
    pub fn set(&self, key: &Key, value: &str) -> Result<()> {
        let quoted = toml::Value::String(value.to_string()).to_string();
        let mut text = self.text.clone();
        match self.entries.iter().find(|e| e.key.name == key.name) {
            Some(entry) => text.replace_range(entry.span.clone(), &quoted),
            None => {
                if !text.is_empty() && !text.ends_with('\n') {
                    text.push('\n');
                }
                text.push_str(&format!("{} = {quoted}\n", key.name));
            }
        }
        let dir = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(|e| Error::io("create the directory", dir, &e))?;
        let mut temp = TempFile::create(self.path.with_extension(format!("{}.tmp", std::process::id())))?;
        temp.write_all(text.as_bytes())?;
        temp.publish(&self.path, Publish::Replace)
    }
}

/// The text of a scalar, as it would stand on the command line.
fn plain(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(s) => Some(s.to_string()),
        DeValue::Integer(n) => Some(n.to_string()),
        DeValue::Float(n) => Some(n.to_string()),
        DeValue::Boolean(b) => Some(b.to_string()),
        _ => None,
    }
}

/// A file for `config set` to write to.
pub fn writable(path: Option<&Path>) -> Result<File> {
    let path = path.ok_or_else(|| {
        Error::new(Code::Usage, "there is no config file to write to").fix("name one with --config FILE")
    })?;
    let file = File::read(path, false)?;
    match &file.unread {
        // Writing would put a new file in the place of one that nobody has read.
        Some(why) => Err(Error::new(Code::Io, format!("the config file cannot be read: {why}"))),
        None => Ok(file),
    }
}
