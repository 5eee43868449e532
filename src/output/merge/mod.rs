//! Joins the outputs of `--shard 1/N` to `N/N` into the one that a run without shards gives.
//!
//! Parquet and Arrow files say in their metadata which run and which shard they are of; beside a
//! text file stands `FILE.shard.json`, which says the same. Rows are merged by entity, which lies
//! in one shard each.

mod columns;
mod lines;
mod shard;

use super::style::{Format, Stamp};
use super::target::Target;
use crate::error::{Code, Error, Result};
use crate::fsio;
use crate::watch::Watch;
use shard::{Rows, Run, Sink};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::{Path, PathBuf};

/// Ending of the file beside a text file.
const SIDECAR: &str = ".shard.json";
/// Longest such file.
const MAX_SIDECAR: u64 = 1 << 20;
/// Bytes held before they are written.
const BUFFER: usize = 64 << 10;

/// The file that says which shard the text file `path` is.
pub(super) fn sidecar(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SIDECAR);
    PathBuf::from(name)
}

/// The text of that file.
pub(super) fn sidecar_text(stamp: &Stamp) -> Result<Vec<u8>> {
    let run: Run = stamp.iter().cloned().collect();
    let mut text = serde_json::to_vec(&run).map_err(|e| Error::internal(format!("a shard's text: {e}")))?;
    text.push(b'\n');
    Ok(text)
}

/// The format that all of the files have, by their names.
pub fn format(files: &[PathBuf]) -> Result<Format> {
    let mut found = None;
    for path in files {
        let format = Format::of_path(path).filter(|f| *f != Format::Table).ok_or_else(|| {
            Error::usage("the file's name says no format that can be merged")
                .file(path)
                .fix("write shards as csv, tsv, json, jsonl, parquet or arrow")
        })?;
        if found.is_some_and(|f| f != format) {
            return Err(Error::usage("the shards have different formats").file(path));
        }
        found = Some(format);
    }
    found.ok_or_else(|| Error::usage("there is nothing to merge"))
}

/// Merges `files`, which are all shards of one run, into `target`; `tick` is asked between rows
/// and ends the merge early with its error. Returns the number of rows.
pub fn merge(files: &[PathBuf], mut target: Target, watch: &dyn Watch) -> Result<u64> {
    let format = format(files)?;
    let runs: Vec<Run> = files.iter().map(|p| run_of(p, format)).collect::<Result<_>>()?;
    let stamp = check(files, &runs)?;
    let rows = if format.is_binary() {
        let sources = files.iter().map(|p| columns::Batches::open(p, format)).collect::<Result<Vec<_>>>()?;
        let sink = columns::Sink::new(files, &sources, format, &stamp, &target)?;
        join(files, sources, sink, &mut target, watch)?
    } else {
        let sources = files.iter().map(|p| lines::Lines::open(p, format)).collect::<Result<Vec<_>>>()?;
        let sink = lines::Sink::new(files, &sources, format)?;
        join(files, sources, sink, &mut target, watch)?
    };
    target.finish()?;
    Ok(rows)
}

fn join<R: Rows>(
    files: &[PathBuf],
    mut sources: Vec<R>,
    mut sink: impl Sink<R>,
    target: &mut Target,
    watch: &dyn Watch,
) -> Result<u64> {
    let mut out = Vec::new();
    sink.begin(&mut out)?;
    let mut heap = BinaryHeap::new();
    for (i, s) in sources.iter().enumerate() {
        heap.extend(s.entity().map(|e| Reverse((e, i))));
    }
    let mut rows = 0;
    while let Some(Reverse((entity, i))) = heap.pop() {
        sink.row(&sources[i], &mut out)?;
        rows += 1;
        sources[i].advance()?;
        if let Some(next) = sources[i].entity() {
            if next < entity {
                return Err(Error::new(Code::BadFile, "the rows are not in the order of entities")
                    .file(&files[i])
                    .fix("write shards without ‹unordered› and ‹sort›"));
            }
            heap.push(Reverse((next, i)));
        }
        if out.len() >= BUFFER {
            watch.stop()?;
            target.write(&out)?;
            out.clear();
        }
    }
    sink.end(&mut out)?;
    target.write(&out)?;
    Ok(rows)
}

/// What a file says of its run.
fn run_of(path: &Path, format: Format) -> Result<Run> {
    if format.is_binary() {
        return columns::run_of(path, format);
    }
    let beside = sidecar(path);
    if !path.exists() {
        return Err(Error::new(Code::NotFound, "the file does not exist").file(path));
    }
    if !beside.exists() {
        return Err(no_shard(path).fix(format!(
            "text files need {} beside them, which `‹shard I/N› -o FILE` writes",
            beside.display()
        )));
    }
    serde_json::from_slice(&fsio::read_file(&beside, MAX_SIDECAR)?)
        .map_err(|e| Error::new(Code::BadFile, format!("not what ‹shard› wrote: {e}")).file(&beside))
}

fn no_shard(path: &Path) -> Error {
    Error::new(Code::Failed, "the file does not say which shard it is").file(path)
}

/// Checks that the runs are all shards of one, and returns what a run without shards would say.
fn check(files: &[PathBuf], runs: &[Run]) -> Result<Stamp> {
    let (Some(first_file), Some(first)) = (files.first(), runs.first()) else {
        return Err(Error::usage("there is nothing to merge"));
    };
    let mut seen: BTreeMap<u32, &PathBuf> = BTreeMap::new();
    let mut of = 0;
    for (path, run) in files.iter().zip(runs) {
        let shard = run.get("shard").and_then(|s| s.split_once('/'));
        let (index, n) = shard
            .and_then(|(i, n)| Some((i.parse::<u32>().ok()?, n.parse::<u32>().ok()?)))
            .ok_or_else(|| no_shard(path).fix("write it with ‹shard I/N›"))?;
        for key in ["commit", "command", "seed", "version", "dataset"] {
            let (a, b) = (first.get(key), run.get(key));
            if a != b {
                let told = |v: Option<&String>| v.map_or("nothing", String::as_str).to_owned();
                return Err(Error::new(
                    Code::Failed,
                    format!("the shards are of different runs: {key} is {}, not {}", told(b), told(a)),
                )
                .file(path)
                .fix(format!(
                    "{} is the first of the others; run all shards alike, with ‹read-at COMMIT›",
                    first_file.display()
                )));
            }
        }
        if of != 0 && n != of {
            return Err(
                Error::new(Code::Failed, format!("the shard is one of {n}, the others of {of}")).file(path)
            );
        }
        of = n;
        if let Some(other) = seen.insert(index, path) {
            return Err(Error::new(Code::Failed, format!("shard {index}/{n} is there twice"))
                .file(path)
                .fix(format!("the other one is {}", other.display())));
        }
    }
    let missing: Vec<String> =
        (1..=of).filter(|i| !seen.contains_key(i)).map(|i| format!("{i}/{of}")).collect();
    if !missing.is_empty() {
        return Err(Error::new(Code::Failed, format!("shards are missing: {}", missing.join(", ")))
            .fix("run the command with ‹shard› for each of them"));
    }
    Ok(first.iter().filter(|(k, _)| *k != "shard").map(|(k, v)| (k.clone(), v.clone())).collect())
}
