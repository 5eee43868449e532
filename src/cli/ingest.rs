//! The options of `cvx ingest`.

use super::changepoints::{arl, warmup};
use super::values::{size, words};
use crate::commands::ingest::{Detect, Options, Request, Tolerance};
use crate::dataset::{OnConflict, Sync};
use crate::error::Words;
use crate::input::{Format, IdKind, InputOptions, Limits, Mapping, MetaColumns, TimeUnit};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ValueEnum, ValueHint};
use std::path::PathBuf;

/// Add points from files: tables, Arrow, NumPy, word vectors
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "A row has an entity (entity_id or entity), a time (timestamp or t) and a vector (vector
or embedding); all other columns become metadata. Formats: jsonl, csv, tsv, Parquet,
Arrow; npy with --ids-file and --times-file; npz with arrays vectors, ids and times; w2v
(word2vec and fastText text, .vec), w2v-bin, glove, fvecs and fbin, which need --at.
Text formats may be packed (.gz, .zst, .bz2). Metadata is JSON, which has no NaN and no
infinity: of Parquet and Arrow columns such values are left out, and a note says how
many; a line of jsonl that holds one is a bad row. The same row again changes nothing,
so an interrupted command can simply be run again: finished files are skipped, others
go on where they were.

Exit 3 says that bad rows were left out, as --max-errors allows, or that one of several
files could not be read to its end: its batches of rows (--batch-rows) before the fault
and all other files are in. A file that was read to its end is finished with the bad rows that were
tolerated: the next run skips it and ends with exit 0. A file that failed is tried again
by each run. For cron: --allow-empty, --max-errors 1%, --rejects FILE and
--skip-if-locked=CODE.

Examples:
  cvx ingest points.jsonl
  cvx ingest emb/ --map entity=word,t=year,vector=emb --time-unit year --model sgns@1
  cvx ingest table.csv --vector-cols v0..v383 --meta lang,score --max-errors all --rejects bad.jsonl
  cvx ingest words.npy --ids-file ids.npy --times-file years.npy --time-unit year --names vocabulary.csv
  cvx ingest w2v-1990.vec.gz --at 1990-01-01 --source decade-1990
  cvx ingest 'lake/dt=*/*.parquet' --map entity=user.id,t=dt,vector=data.emb
  cvx ingest - --progress json
  cvx ingest today.jsonl --detect bocpd:arl=30d --events changes.jsonl"
)]
pub struct Args {
    /// Files, globs, directories, or - for standard input
    #[arg(value_name = "SOURCE", required = true, value_hint = ValueHint::AnyPath)]
    sources: Vec<PathBuf>,
    /// The format; without it the file's extension before .gz, .zst or .bz2, and jsonl for -
    #[arg(long, value_name = "FMT", value_parser = format())]
    input_format: Option<Format>,
    /// Columns: any of entity=COL,t=COL,vector=COL, and of each row's model=COL,source=COL,name=COL
    ///
    /// COL may be a field inside a column that holds objects (data.emb, metadata.term: structs of Parquet and Arrow,
    /// JSON), or a key of a partitioned path (dt of dt=2024-01-01/part.parquet); a column of that very name goes
    /// first. name=COL takes names from COL for entities that the file also has a number for; the number is left out.
    #[arg(long, value_name = "MAP", value_parser = mapping)]
    map: Option<Mapping>,
    /// One column a component, from A to B in the file's order
    #[arg(long, value_name = "A..B", value_parser = columns)]
    vector_cols: Option<(String, String)>,
    /// Names for the ids of the input, in a dataset with names: csv, jsonl, Parquet or Arrow with id and name
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    names: Option<PathBuf>,
    /// The time of all points, for files without times
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What times mean: rfc3339, us, ms, s, ns, year or date; needed for bare numbers
    #[arg(long, value_name = "UNIT", value_parser = time_unit)]
    time_unit: Option<TimeUnit>,
    /// Other columns to keep as metadata: all, none, or a comma list
    #[arg(long, value_name = "COLS", default_value = "all", value_parser = meta)]
    meta: MetaColumns,
    /// Source of all points; without it the file's name
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Embedding model of all points, NAME@VERSION; with --on-conflict replace it is also set where it was forgotten
    #[arg(long, value_name = "NAME@VER")]
    model: Option<String>,
    /// The same entity and time with another vector or metadata
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Conflicts::Error)]
    on_conflict: Conflicts,
    /// Bad rows to leave out: a number for the run, a share of each file's rows as 1%, or all
    #[arg(long, value_name = "N|P%|all", default_value = "0", value_parser = tolerated)]
    max_errors: Tolerance,
    /// Patterns and directories may hold no file; nothing to read is then success
    #[arg(long)]
    allow_empty: bool,
    /// Write bad rows to FILE as jsonl, with place, reason and the row itself
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    rejects: Option<PathBuf>,
    /// Rows of a durable batch
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = rows)]
    batch_rows: usize,
    /// Bytes of a durable batch
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    batch_bytes: usize,
    /// When rows become durable
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Syncs::Commit)]
    sync: Syncs,
    /// Scale vectors to unit length and keep the norm in metadata as _norm
    #[arg(long)]
    normalize: bool,
    /// Skip finished files by size and time of change, without reading them
    #[arg(long)]
    trust_mtime: bool,
    /// Ids beside an npy, npz, fvecs or fbin file: npy of numbers or texts, a csv with a header, or one a line; as many
    /// as vectors
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    ids_file: Option<PathBuf>,
    /// Times beside such a file: npy of numbers or datetime64, a csv with a header, or one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    times_file: Option<PathBuf>,
    /// Look for change points in what becomes durable: bocpd, or bocpd:arl=N,warmup=N,state=NAME
    #[arg(long, value_name = "bocpd[:..]", value_parser = detect, requires = "events")]
    detect: Option<Detect>,
    /// Also take rows of entities and points that `cvx erase` removed; from then on they are ingested as before
    #[arg(long)]
    allow_erased: bool,
    /// Append the changes that --detect notices to FILE, or write them to - : JSON lines
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "detect")]
    pub events: Option<PathBuf>,
    /// Longest line or record taken
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = size)]
    max_line: usize,
    /// Compact afterwards, as `cvx compact` does
    #[arg(long)]
    pub compact: bool,
}

/// `--on-conflict`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Conflicts {
    /// It is a bad row
    Error,
    /// What is stored stays
    Skip,
    /// The new row takes its place, also when only the --model or --source that is given now is another
    Replace,
}

/// `--sync`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Syncs {
    /// With each batch
    Commit,
    /// All at the end
    End,
    /// All at the end, without waiting for the disk: for scratch data
    None,
}

/// `--max-errors`.
fn tolerated(text: &str) -> Result<Tolerance, String> {
    let share = |p: &str| p.parse::<f64>().ok().filter(|p| (0.0..=100.0).contains(p)).map(|p| p / 100.0);
    let tolerance = match text {
        "all" => Some(Tolerance::All),
        p if p.ends_with('%') => share(p.trim_end_matches('%')).map(Tolerance::Share),
        n => n.parse().ok().map(Tolerance::Count),
    };
    tolerance.ok_or_else(|| "expected a number, a share from 0% to 100%, or all".to_string())
}

fn mapping(text: &str) -> Result<Mapping, String> {
    Mapping::parse(text).map_err(|e| words(&e))
}

/// Takes the name of a format, which help texts and completions list.
fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str)).try_map(|name| name.parse::<Format>())
}

fn time_unit(text: &str) -> Result<TimeUnit, String> {
    text.parse().map_err(|e| words(&e))
}

fn columns(text: &str) -> Result<(String, String), String> {
    match text.split_once("..") {
        Some((a, b)) if !a.is_empty() && !b.is_empty() => Ok((a.to_string(), b.to_string())),
        _ => Err("expected the first and the last column, A..B".to_string()),
    }
}

fn meta(text: &str) -> Result<MetaColumns, String> {
    Ok(match text {
        "all" => MetaColumns::All,
        "none" | "" => MetaColumns::None,
        list => MetaColumns::List(list.split(',').map(|c| c.trim().to_string()).collect()),
    })
}

fn rows(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a number of rows above 0".to_string())
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Request {
        let (options, sync) = self.options();
        Request { options, names: self.names.clone(), sync }
    }

    fn options(&self) -> (Options, Sync) {
        // Dimension and kind of ids are the dataset's.
        let input = InputOptions {
            format: self.input_format,
            map: self.map.clone().unwrap_or_default(),
            vector_cols: self.vector_cols.clone(),
            time: self.at.clone(),
            time_unit: self.time_unit,
            meta: self.meta.clone(),
            source: self.source.clone(),
            model: self.model.clone(),
            normalize: self.normalize,
            max_line: self.max_line,
            ids_file: self.ids_file.clone(),
            times_file: self.times_file.clone(),
            ..InputOptions::new(1, IdKind::U64)
        };
        let options = Options {
            sources: self.sources.clone(),
            input,
            on_conflict: match self.on_conflict {
                Conflicts::Error => OnConflict::Error,
                Conflicts::Skip => OnConflict::Skip,
                Conflicts::Replace => OnConflict::Replace,
            },
            max_errors: self.max_errors,
            allow_empty: self.allow_empty,
            rejects: self.rejects.clone(),
            batch: Limits { rows: self.batch_rows, bytes: self.batch_bytes },
            trust_mtime: self.trust_mtime,
            detect: self.detect.clone(),
            words: Words::default(),
            allow_erased: self.allow_erased,
        };
        let sync = match self.sync {
            Syncs::Commit => Sync::Commit,
            Syncs::End => Sync::End,
            Syncs::None => Sync::None,
        };
        (options, sync)
    }
}

/// Reads `--detect`.
fn detect(text: &str) -> Result<Detect, String> {
    let (method, options) = text.split_once(':').unwrap_or((text, ""));
    if method != "bocpd" {
        return Err("expected bocpd, or bocpd:arl=N,warmup=N,state=NAME".to_string());
    }
    let mut detect = Detect::default();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let params = &mut detect.settings.params;
        match option.split_once('=') {
            Some(("arl", n)) => params.arl = arl(n)?,
            Some((old @ ("threshold" | "expected-run"), _)) => {
                return Err(format!(
                    "{old} is no longer an option: arl=N|DUR says how far apart false alarms are"
                ));
            }
            Some(("warmup", n)) => params.warmup = warmup(n)?,
            Some(("state", name)) => detect.state = name.to_string(),
            _ => {
                return Err(format!("\"{option}\" is not known here: arl=N|DUR, warmup=N, state=NAME"));
            }
        }
    }
    Ok(detect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn an_empty_command_line_is_the_library_defaults() {
        let (options, sync) = Alone::parse_from(["cvx", "-"]).args.options();
        assert_eq!(options.input, InputOptions::new(1, IdKind::U64));
        assert_eq!(options.max_errors, Tolerance::Count(0));
        assert_eq!(tolerated("1%"), Ok(Tolerance::Share(0.01)));
        assert!(tolerated("101%").is_err() && tolerated("-1").is_err() && tolerated("%").is_err());
        assert_eq!(options.on_conflict, OnConflict::default());
        assert_eq!(sync, Sync::default());
        assert_eq!(options.batch, Limits { rows: 65_536, bytes: 64 << 20 });
    }
}
