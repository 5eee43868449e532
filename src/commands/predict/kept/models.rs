//! Trained models: named, versioned, checked on every load.
//!
//! Owns the results `model.NAME@VERSION` (a training under a name that exists adds the next
//! version) and `checkpoint.NAME`, where a training that was broken off goes on.

use crate::analytics::predict::node::Model;
use crate::dataset::{self, Options, Snapshot};
use crate::error::{Error, Result};
use crate::format::container::Tag;
use crate::fsio;
use crate::model::TimestampUs;
use crate::results::stored::{self, Creator, Head, Stored as File, What};
use serde_json::Value;

/// Longest name: a version must fit behind it.
const MAX_NAME: usize = 48;

/// A stored model: its label, and itself or why it cannot be used.
#[derive(Debug)]
pub struct Stored {
    /// Name.
    pub name: String,
    /// From 1.
    pub version: u32,
    /// The model, and when it was trained.
    pub found: Result<Trained>,
}

/// A model that was read.
#[derive(Debug)]
pub struct Trained {
    /// By the clock of the machine that trained it.
    pub trained_us: TimestampUs,
    /// Length of its file.
    pub bytes: u64,
    /// The model.
    pub model: Model,
}

impl Stored {
    /// `NAME@VERSION`.
    pub fn label(&self) -> String {
        label(&self.name, self.version)
    }
}

/// All models, by name and version.
pub fn list(snapshot: &Snapshot) -> Result<Vec<Stored>> {
    let mut labels: Vec<(String, u32)> = stored::names(snapshot.dir(), What::Model)?
        .iter()
        .filter_map(|file| split(file).and_then(|(name, version)| Some((name.to_string(), version?))))
        .collect();
    labels.sort();
    Ok(labels
        .into_iter()
        .map(|(name, version)| Stored { found: read(snapshot, &name, version), name, version })
        .collect())
}

/// The model called `NAME@VERSION`, or the newest of `NAME`; `None` when there is none.
pub fn find(snapshot: &Snapshot, text: &str) -> Result<Option<Stored>> {
    let Some((name, version)) = split(text) else {
        return Err(Error::usage(format!("\"{text}\" is not the name of a model"))
            .fix("`cvx predict models` lists all; a name may carry a version, as in daily@2"));
    };
    let there = versions(snapshot, name)?;
    let chosen = match version {
        Some(v) => there.into_iter().find(|have| *have == v),
        None => there.last().copied(),
    };
    Ok(chosen.map(|v| Stored { name: name.to_string(), version: v, found: read(snapshot, name, v) }))
}

/// The model trained last among those that can be read and satisfy `wanted`.
pub fn latest(snapshot: &Snapshot, wanted: impl Fn(&Model) -> bool) -> Result<Option<Stored>> {
    let trained = |s: &Stored| s.found.as_ref().ok().map(|t| t.trained_us);
    let fits = |s: &Stored| s.found.as_ref().is_ok_and(|t| wanted(&t.model));
    Ok(list(snapshot)?.into_iter().filter(fits).max_by_key(trained))
}

/// Stores a model as the next version of its name, and removes the checkpoint of its training.
pub fn save(
    snapshot: &Snapshot,
    name: &str,
    model: &Model,
    trained_us: TimestampUs,
    options: &Options,
) -> Result<u32> {
    check_name(name)?;
    dataset::publish(snapshot.dir(), options, || {
        let version = versions(snapshot, name)?.last().map_or(1, |v| v + 1);
        write(
            snapshot,
            What::Model,
            &label(name, version),
            (*b"NODE", &model.encode()),
            trained_us,
            options,
        )?;
        fsio::remove_file(&stored::path(snapshot.dir(), What::Checkpoint, name)?)?;
        Ok(version)
    })
}

/// Where a training of this name left off; `None` when nothing is kept.
pub fn checkpoint(snapshot: &Snapshot, name: &str) -> Result<Option<Vec<u8>>> {
    check_name(name)?;
    let found = File::open(snapshot.dir(), snapshot.config().id, What::Checkpoint, name)?;
    found.map(|f| f.container.all::<u8>(*b"CKPT").map(<[u8]>::to_vec)).transpose()
}

/// Keeps a checkpoint; `now` is when it was made.
pub fn save_checkpoint(
    snapshot: &Snapshot,
    name: &str,
    bytes: &[u8],
    now: TimestampUs,
    options: &Options,
) -> Result<()> {
    check_name(name)?;
    dataset::publish(snapshot.dir(), options, || {
        write(snapshot, What::Checkpoint, name, (*b"CKPT", bytes), now, options)
    })
}

fn write(
    snapshot: &Snapshot,
    what: What,
    name: &str,
    (tag, bytes): (Tag, &[u8]),
    now: TimestampUs,
    options: &Options,
) -> Result<()> {
    let mut file = Creator::create(snapshot.dir(), snapshot.config().id, what, name)?;
    file.writer.write_section(tag, bytes)?;
    file.finish(&Head {
        what: what.as_str().into(),
        name: name.into(),
        created_us: now,
        commit: snapshot.manifest().commit,
        seq: snapshot.next_seq(),
        command: options.command.clone(),
        rows: 1,
        parameters: Value::Null,
    })
}

/// Refuses names that are no plain file names.
pub fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    let good = (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if good {
        return Ok(());
    }
    Err(Error::usage(format!("\"{name}\" cannot be the name of a model"))
        .fix("use up to 48 letters, digits, dots, dashes and underscores, a letter or digit first"))
}

fn label(name: &str, version: u32) -> String {
    format!("{name}@{version}")
}

/// Name and version; `None` for what no label looks like.
fn split(text: &str) -> Option<(&str, Option<u32>)> {
    let (name, version) = match text.rsplit_once('@') {
        Some((name, version)) => (name, Some(version.parse().ok()?)),
        None => (text, None),
    };
    check_name(name).ok().map(|()| (name, version))
}

/// Versions of a name, ascending.
fn versions(snapshot: &Snapshot, name: &str) -> Result<Vec<u32>> {
    let mut out: Vec<u32> = stored::names(snapshot.dir(), What::Model)?
        .iter()
        .filter_map(|file| split(file).filter(|(n, _)| *n == name)?.1)
        .collect();
    out.sort_unstable();
    Ok(out)
}

fn read(snapshot: &Snapshot, name: &str, version: u32) -> Result<Trained> {
    let label = label(name, version);
    let found = File::open(snapshot.dir(), snapshot.config().id, What::Model, &label)
        .and_then(|f| f.map(|f| decode(&f)).transpose());
    let again = |e: Error| e.fix("train the model again with `cvx predict train`; its data is untouched");
    found.map_err(again)?.ok_or_else(|| Error::internal("a model that is listed and not there"))
}

fn decode(file: &File) -> Result<Trained> {
    let container = &file.container;
    container.check_all()?;
    let model = Model::decode(container.all(*b"NODE")?)
        .map_err(|m| container.damaged(format!("the model cannot be read: {m}")))?;
    Ok(Trained { trained_us: file.head.created_us, bytes: container.len(), model })
}
