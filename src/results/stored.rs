//! Named result files: `results/KIND.NAME.cvxr`, a container of kind 7 each; models of kind 8.
//!
//! They are written whole under the writer's lock and replaced by renaming. No manifest names
//! them: a file is what its own checksums say, and belongs to the dataset whose id it carries.

use crate::error::{Code, Error, Result};
use crate::format::DatasetId;
use crate::format::container::{Container, Finished, Kind, Writer};
use crate::fsio::{self, Publish, TempFile};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const DIR: &str = "results";
const ENDING: &str = ".cvxr";
/// Longest name.
const MAX_NAME: usize = 64;
/// Result files have names instead of numbers.
const FILE_ID: u64 = 0;
/// Largest description that is read.
const MAX_HEAD: usize = 64 << 20;

/// What a result file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Change points.
    Changepoints,
    /// States of online detectors.
    States,
    /// Reference samples of population tests.
    Baseline,
    /// Past errors of forecasts.
    Calibration,
    /// Trained models.
    Model,
    /// Trainings that were broken off.
    Checkpoint,
}

impl What {
    /// Every kind.
    pub const ALL: [What; 6] =
        [What::Changepoints, What::States, What::Baseline, What::Calibration, What::Model, What::Checkpoint];

    /// The first part of the file's name.
    pub fn as_str(self) -> &'static str {
        match self {
            What::Changepoints => "changepoints",
            What::States => "states",
            What::Baseline => "baseline",
            What::Calibration => "calibration",
            What::Model => "model",
            What::Checkpoint => "checkpoint",
        }
    }

    /// The container's kind.
    fn kind(self) -> Kind {
        match self {
            What::Model => Kind::Model,
            _ => Kind::Result,
        }
    }

    /// What a message calls it.
    fn noun(self) -> &'static str {
        match self {
            What::Changepoints => "saved change points",
            What::States => "state",
            What::Baseline => "baseline",
            What::Calibration => "calibration",
            What::Model => "model",
            What::Checkpoint => "checkpoint",
        }
    }
}

/// What a result file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The kind, so that a renamed file is not taken for another.
    pub what: String,
    /// The name it was given.
    pub name: String,
    /// When it was written, by the writer's clock.
    pub created_us: i64,
    /// The version that was read.
    pub commit: u64,
    /// Sequence number behind the newest row that was read.
    pub seq: u64,
    /// The command that wrote it.
    pub command: String,
    /// Rows, entities or points in it.
    pub rows: u64,
    /// The parameters behind it, as the command understands them.
    pub parameters: serde_json::Value,
}

/// Where a result of this name lies; the name becomes part of a file name.
pub fn path(dir: &Path, what: What, name: &str) -> Result<PathBuf> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.chars().all(fits) {
        return Err(Error::usage(format!("\"{name}\" cannot be a name"))
            .fix("names have 1 to 64 letters, digits, dots, - and _, and do not begin with a dot"));
    }
    Ok(dir.join(DIR).join(format!("{}.{name}{ENDING}", what.as_str())))
}

/// A result file that is being written. Dropped before [`Creator::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Creator {
    /// Where sections go.
    pub writer: Writer,
    dest: PathBuf,
}

impl Creator {
    /// Starts a file; the caller holds the writer's lock until it is finished.
    pub fn create(dir: &Path, dataset: DatasetId, what: What, name: &str) -> Result<Creator> {
        let dest = path(dir, what, name)?;
        let temp = dir.join(format!("tmp/result.{}", what.as_str()));
        // Left by a process that was killed while it held the lock.
        fsio::remove_file(&temp)?;
        let temp = TempFile::create(temp)?;
        Ok(Creator { writer: Writer::create(temp, what.kind(), dataset, FILE_ID)?, dest })
    }

    /// Writes the description, and gives the file its name in place of any other that had it.
    pub fn finish(mut self, head: &Head) -> Result<()> {
        let text = serde_json::to_vec(head).map_err(|e| Error::internal(format!("a result's head: {e}")))?;
        self.writer.write_section(*b"HEAD", &text)?;
        let (Finished::File(file), _) = self.writer.finish()? else {
            return Err(Error::internal("a file that was written to memory"));
        };
        file.publish(&self.dest, Publish::Replace)
    }
}

/// An open result file.
#[derive(Debug)]
pub struct Stored {
    /// Its bytes, checked on first touch.
    pub container: Container,
    /// What it says of itself.
    pub head: Head,
}

impl Stored {
    /// Opens the result of this name; `None` when there is none.
    pub fn open(dir: &Path, dataset: DatasetId, what: What, name: &str) -> Result<Option<Stored>> {
        let path = path(dir, what, name)?;
        if !path.exists() {
            return Ok(None);
        }
        let container = Container::open_alone(&path, what.kind(), dataset, FILE_ID)?;
        let head = container.require::<u8>(*b"HEAD")?;
        if head.len() > MAX_HEAD {
            return Err(container.damaged("the description is too long"));
        }
        let head: Head = serde_json::from_slice(container.bytes(head)?)
            .map_err(|e| container.damaged(format!("the description cannot be read: {e}")))?;
        if head.what != what.as_str() || head.name != name {
            return Err(container.damaged(format!("the file is {} {}, renamed", head.what, head.name)));
        }
        Ok(Some(Stored { container, head }))
    }

    /// As [`Stored::open`]; a result that is not there is an error with code `not_found`.
    pub fn require(dir: &Path, dataset: DatasetId, what: What, name: &str) -> Result<Stored> {
        if let Some(stored) = Stored::open(dir, dataset, what, name)? {
            return Ok(stored);
        }
        Err(missing(dir, what, name)?)
    }
}

/// Length of the file of a result; a result that is not there is an error with code `not_found`.
pub fn bytes(dir: &Path, what: What, name: &str) -> Result<u64> {
    fsio::regular_len(&path(dir, what, name)?)?.map_or_else(|| Err(missing(dir, what, name)?), Ok)
}

/// Removes a result; the caller holds the writer's lock.
pub fn remove(dir: &Path, what: What, name: &str) -> Result<()> {
    fsio::remove_file(&path(dir, what, name)?)?;
    fsio::sync_dir(&dir.join(DIR))
}

/// The error about a result that is not there.
fn missing(dir: &Path, what: What, name: &str) -> Result<Error> {
    let names = names(dir, what)?;
    let error = Error::new(Code::NotFound, format!("there is no {} named {name}", what.noun()));
    Ok(error.fix(match names.len() {
        0 => format!("the dataset holds no {}", what.noun()),
        _ => format!("there are: {}", names.join(", ")),
    }))
}

/// The names of the results of a kind, in order.
pub fn names(dir: &Path, what: What) -> Result<Vec<String>> {
    let start = format!("{}.", what.as_str());
    let all = fsio::list_dir(&dir.join(DIR))?.into_iter();
    Ok(all.filter_map(|n| Some(n.strip_prefix(&start)?.strip_suffix(ENDING)?.to_string())).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory as a dataset has it.
    pub(crate) fn dataset_dir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for d in ["tmp", "results"] {
            std::fs::create_dir(dir.path().join(d)).unwrap();
        }
        dir
    }

    pub(crate) fn head(what: What, name: &str) -> Head {
        let parameters = serde_json::json!({"threshold": 0.5});
        Head {
            what: what.as_str().into(),
            name: name.into(),
            created_us: 1,
            commit: 2,
            seq: 3,
            command: "test".into(),
            rows: 0,
            parameters,
        }
    }

    #[test]
    fn round_trip_replacing_and_listing() {
        let dir = dataset_dir();
        assert!(Stored::open(dir.path(), [1; 16], What::States, "a").unwrap().is_none());
        for commit in [2, 9] {
            let creator = Creator::create(dir.path(), [1; 16], What::States, "a").unwrap();
            creator.finish(&Head { commit, ..head(What::States, "a") }).unwrap();
        }
        let stored = Stored::require(dir.path(), [1; 16], What::States, "a").unwrap();
        assert_eq!(stored.head, Head { commit: 9, ..head(What::States, "a") });
        assert_eq!(names(dir.path(), What::States).unwrap(), ["a"]);
        assert!(names(dir.path(), What::Baseline).unwrap().is_empty());
        // An abandoned file leaves nothing.
        drop(Creator::create(dir.path(), [1; 16], What::States, "b").unwrap());
        assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
        let e = Stored::require(dir.path(), [1; 16], What::States, "b").unwrap_err();
        assert_eq!((e.code(), e.hint()), (Code::NotFound, Some("there are: a")));
    }

    #[test]
    fn other_datasets_names_and_kinds_are_refused() {
        let dir = dataset_dir();
        let creator = Creator::create(dir.path(), [1; 16], What::States, "a").unwrap();
        creator.finish(&head(What::States, "a")).unwrap();
        let open = |id: u8, what, name| Stored::open(dir.path(), [id; 16], what, name).map(|s| s.is_some());
        assert_eq!(open(2, What::States, "a").unwrap_err().code(), Code::Damaged);
        let results = dir.path().join("results");
        std::fs::copy(results.join("states.a.cvxr"), results.join("states.b.cvxr")).unwrap();
        assert_eq!(open(1, What::States, "b").unwrap_err().code(), Code::Damaged);
        for bad in ["", ".a", "a/b", "a b", &"x".repeat(65)] {
            assert_eq!(open(1, What::States, bad).unwrap_err().code(), Code::Usage, "{bad}");
        }
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let dir = dataset_dir();
        let creator = Creator::create(dir.path(), [1; 16], What::Baseline, "a").unwrap();
        creator.finish(&head(What::Baseline, "a")).unwrap();
        let path = dir.path().join("results/baseline.a.cvxr");
        let good = std::fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 4;
            std::fs::write(&path, bad).unwrap();
            let e = Stored::open(dir.path(), [1; 16], What::Baseline, "a").unwrap_err();
            assert!(matches!(e.code(), Code::Damaged | Code::Version), "byte {i}: {e:?}");
        }
        for n in 0..good.len() {
            std::fs::write(&path, &good[..n]).unwrap();
            assert!(Stored::open(dir.path(), [1; 16], What::Baseline, "a").is_err(), "{n} bytes");
        }
    }
}
