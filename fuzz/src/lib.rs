//! What the fuzz targets do: each takes bytes and gives them to one reader of cvx.
//!
//! A target must return. A panic, a failed assertion, an invalid access and an allocation beyond the
//! limit are faults. Checksums are not compared in these builds, see `cvx::format::checksum::holds`.

mod merge;
mod readers;
mod results;
mod storage;
mod texts;
mod tiers;

pub use merge::merge;
pub use readers::read;
pub use results::{ledger, results};
pub use storage::{batch, dictionary, index, log, manifest, segment};
pub use texts::{config, filter, lookup, time};
pub use tiers::{codebook, cold, warm};

use cvx::format::container::{Expect, Kind, Seal};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A directory of this process, with the directories that readers expect in a dataset.
fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("cvx-fuzz-{}", std::process::id()));
        for part in ["wal", "results", "manifest", "tmp"] {
            std::fs::create_dir_all(dir.join(part)).expect("a directory for temporary files");
        }
        dir
    })
}

/// Writes a file of [`dir`] anew.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir().join(name);
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, bytes).expect("a temporary file");
    path
}

/// The name that stands in errors.
fn nowhere() -> &'static Path {
    Path::new("f")
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().expect("8 bytes")))
}

fn dataset_at(bytes: &[u8], at: usize) -> [u8; 16] {
    bytes.get(at..at + 16).map_or([0; 16], |b| b.try_into().expect("16 bytes"))
}

/// What a manifest would say of a file that is what it says itself.
fn expect(bytes: &[u8], kind: Kind) -> Expect {
    let seal = Seal { len: bytes.len() as u64, root: 0 };
    Expect { kind, dataset: dataset_at(bytes, 8), id: u64_at(bytes, 24), seal }
}
