//! Making a dataset.

use super::DIRS;
use crate::config::{self, Config, IdKind, Settings};
use crate::error::{Code, Error, Result};
use crate::format::DatasetId;
use crate::fsio::{self, Publish, TempFile};
use crate::manifest::{self, Manifest};
use crate::time::clock_us;
use std::path::Path;

/// What [`init`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialised {
    /// A new dataset is there.
    Created,
    /// A dataset with the same settings was there already.
    Existed,
}

/// Makes an empty dataset in `dir`, whose parent must exist. With `exist_ok` a dataset with the
/// same settings is success. Interrupted, it can be run again.
pub fn init(dir: &Path, settings: &Settings, exist_ok: bool) -> Result<Initialised> {
    settings.check()?;
    if dir.join(config::FILE).exists() {
        return existing(dir, settings, exist_ok);
    }
    // A dataset in the directory of another would be swept with that one's leftovers.
    fsio::refuse_inside_dataset(&dir.join(".."), "new dataset")?;
    if !dir.exists() {
        fsio::create_dir(dir)?;
    }
    let strangers: Vec<String> = fsio::list_dir(dir)?.into_iter().filter(|n| !is_ours(n)).collect();
    if !strangers.is_empty() {
        let files = if strangers.len() == 1 { "1 file".into() } else { format!("{} files", strangers.len()) };
        return Err(Error::new(
            Code::Exists,
            format!("{} is not empty and holds no dataset ({files})", dir.display()),
        )
        .file(dir)
        .fix("choose another directory, or empty it"));
    }
    for d in DIRS {
        fsio::create_dir(&dir.join(d))?;
        if !fsio::is_own_dir(&dir.join(d)) {
            return Err(Error::new(Code::Exists, format!("{d} is a link to another directory"))
                .file(dir.join(d))
                .fix("remove the link, or choose another directory"));
        }
    }
    // What an interrupted init left behind.
    for d in ["manifest", "tmp"] {
        for name in fsio::list_dir(&dir.join(d))? {
            fsio::remove_file(&dir.join(d).join(name))?;
        }
    }
    publish(dir, "LOCK", b"")?;
    let id = random_id();
    manifest::publish(dir, &first_manifest(id, settings))?;
    // Last: with this file the directory is a dataset.
    Config { id, settings: *settings, defaults: toml::Table::new() }.write(dir)?;
    Ok(Initialised::Created)
}

fn is_ours(name: &str) -> bool {
    DIRS.contains(&name) || ["LOCK", "CURRENT"].contains(&name)
}

fn existing(dir: &Path, settings: &Settings, exist_ok: bool) -> Result<Initialised> {
    let there = Config::read(dir)?.settings;
    let differences = there.differences(settings);
    if exist_ok && differences.is_empty() {
        return Ok(Initialised::Existed);
    }
    if !exist_ok {
        return Err(Error::new(Code::Exists, format!("{} holds a dataset already", dir.display()))
            .file(dir)
            .fix("use it as it is, add ‹exist-ok›, or choose another directory"));
    }
    let list: Vec<String> = differences.iter().map(|(n, a, b)| format!("{n} is {a}, not {b}")).collect();
    Err(Error::new(
        Code::Exists,
        format!("{} holds a dataset with other settings: {}", dir.display(), list.join("; ")),
    )
    .file(dir)
    .fix("choose another directory, or the settings of the dataset that is there"))
}

fn publish(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let mut t = TempFile::create(dir.join("tmp").join(name))?;
    t.write_all(bytes)?;
    t.publish(&dir.join(name), Publish::Replace)
}

fn first_manifest(dataset: DatasetId, s: &Settings) -> Manifest {
    Manifest {
        commit: 1,
        parent: 0,
        dataset,
        dim: s.dim as u32,
        metric: config::metric_number(s.metric),
        named: s.ids == IdKind::String,
        required_features: 0,
        created_us: clock_us(),
        command: "init".into(),
        rows_added: 0,
        rows_replaced: 0,
        rows_deleted: 0,
        next_file: 1,
        next_seq: 0,
        log: 0,
        files: Vec::new(),
        stores: Vec::new(),
        placements: Vec::new(),
        covered: Vec::new(),
    }
}

/// 16 bytes from the standard library's randomly keyed hasher.
fn random_id() -> DatasetId {
    use std::hash::{BuildHasher, RandomState};
    let mut id = [0; 16];
    let salt = (std::process::id(), clock_us());
    for half in id.chunks_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(salt).to_le_bytes());
    }
    id
}
