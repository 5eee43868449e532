//! Finding, pinning and publishing versions.

use super::encode::Refused;
use super::{MAX_LEN, Manifest, VERSION, unknown_features};
use crate::error::{Code, Error, Result};
use crate::format::checksum::hash64;
use crate::fsio::{self, Publish, SharedLock, TempFile};
use std::path::{Path, PathBuf};

/// How often a reader starts again when the version it found was collected meanwhile.
const ATTEMPTS: usize = 100;

/// Path of the manifest of a commit.
fn path_of(dir: &Path, commit: u64) -> PathBuf {
    dir.join(format!("manifest/{commit:010}.cvxm"))
}

/// The one line of CURRENT: what it is, version, checksum of that manifest, checksum of the line.
fn current_line(commit: u64, sum: u128) -> String {
    let line = format!("cvx-current 1 {commit} {sum:032x}");
    format!("{line} {:016x}\n", hash64(line.as_bytes()))
}

fn read_current(dir: &Path) -> Result<(u64, u128)> {
    let path = dir.join("CURRENT");
    let bytes = fsio::read_file(&path, 256)?;
    let text = std::str::from_utf8(&bytes).unwrap_or("");
    let mut words = text.split(' ');
    let numbers = (|| {
        (words.next()? == "cvx-current" && words.next()? == "1").then_some(())?;
        let commit: u64 = words.next()?.parse().ok()?;
        let sum = u128::from_str_radix(words.next()?, 16).ok()?;
        Some((commit, sum))
    })();
    match numbers {
        Some((commit, sum)) if current_line(commit, sum) == text => Ok((commit, sum)),
        _ => Err(Error::damaged(&path, "CURRENT is not as it was written")),
    }
}

fn decode(path: &Path, bytes: &[u8]) -> Result<(Manifest, u128)> {
    let (m, sum) = Manifest::decode(bytes).map_err(|r| match r {
        Refused::Malformed(what) => Error::damaged(path, what),
        Refused::Version(v) => {
            Error::new(Code::Version, format!("manifest format {v}, this program reads up to {VERSION}"))
                .file(path)
                .fix("use a newer cvx")
        }
        Refused::Features(bits) => unknown_features(bits).file(path),
    })?;
    m.check().map_err(|e| e.file(path))?;
    Ok((m, sum))
}

fn read_bytes(file: &std::fs::File, path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    file.take(MAX_LEN).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes)
}

/// The newest version and its checksum, without pinning it: for a writer, who holds the lock.
pub fn load(dir: &Path) -> Result<(Manifest, u128)> {
    let (commit, sum) = read_current(dir)?;
    let path = path_of(dir, commit);
    let bytes = fsio::read_file(&path, MAX_LEN)?;
    verified(&path, decode(&path, &bytes)?, commit, sum)
}

fn verified(path: &Path, found: (Manifest, u128), commit: u64, sum: u128) -> Result<(Manifest, u128)> {
    if found.0.commit != commit || found.1 != sum {
        return Err(Error::damaged(path, "the manifest is not the one that CURRENT names"));
    }
    Ok(found)
}

/// Reads the manifest of an earlier commit, which may have been collected.
pub fn read_commit(dir: &Path, commit: u64) -> Result<Option<Manifest>> {
    Ok(read_sum(dir, commit)?.map(|(m, _)| m))
}

/// As [`read_commit`], with the checksum that the next version carries.
pub fn read_sum(dir: &Path, commit: u64) -> Result<Option<(Manifest, u128)>> {
    let path = path_of(dir, commit);
    let bytes = match fsio::read_file(&path, MAX_LEN) {
        Err(_) if path.symlink_metadata().is_err() => return Ok(None),
        read => read?,
    };
    decode(&path, &bytes).map(Some)
}

/// Pins a version for reading: CURRENT's, or `commit`. No writer removes its files while the
/// returned lock lives. Never waits.
pub fn pin(dir: &Path, commit: Option<u64>) -> Result<(Manifest, Option<SharedLock>)> {
    use std::os::unix::fs::MetadataExt;
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let (newest, newest_sum) = read_current(dir)?;
        let number = commit.unwrap_or(newest);
        let path = path_of(dir, number);
        let file = match fsio::open_read(&path, None) {
            Ok(f) => f,
            // Collected between the two reads: CURRENT has moved on.
            Err(e) if commit.is_none() && read_current(dir)?.0 != newest => {
                last = Some(e);
                continue;
            }
            Err(_) if commit.is_some() && path.symlink_metadata().is_err() => {
                return Err(not_kept(number, newest));
            }
            Err(e) => return Err(e),
        };
        let bytes = read_bytes(&file, &path)?;
        let collected = file.try_clone().map_err(|e| Error::io("open", &path, &e))?;
        let lock = SharedLock::try_new(file);
        if collected.metadata().map_err(|e| Error::io("stat", &path, &e))?.nlink() == 0 {
            continue;
        }
        let found = decode(&path, &bytes)?;
        if number == newest {
            return Ok((verified(&path, found, newest, newest_sum)?.0, lock));
        }
        if number > newest {
            return Err(not_kept(number, newest));
        }
        return Ok((in_its_place(dir, found, number)?, lock));
    }
    Err(last.unwrap_or_else(|| {
        Error::new(Code::Failed, "the dataset changes faster than it can be opened").file(dir)
    }))
}

fn not_kept(number: u64, newest: u64) -> Error {
    Error::new(Code::NotFound, format!("commit {number} is not kept"))
        .fix(format!("the newest is {newest}; older ones stay for ‹keep-for›"))
}

/// An older version whose file holds the version of its name, and which the version after it follows.
fn in_its_place(dir: &Path, (m, sum): (Manifest, u128), number: u64) -> Result<Manifest> {
    let path = path_of(dir, number);
    if m.commit != number {
        let text = format!("the file of version {number} holds version {}", m.commit);
        return Err(Error::damaged(&path, text));
    }
    let next = path_of(dir, number + 1);
    // Versions in between may be collected at any time; only a neighbour says something.
    let Some((after, _)) = read_sum(dir, number + 1)? else { return Ok(m) };
    if after.commit != number + 1 {
        return Err(Error::damaged(
            &next,
            format!("the file of version {} holds version {}", number + 1, after.commit),
        ));
    }
    match after.parent {
        parent if parent == sum => Ok(m),
        // A writer that died before it published left this one, and the next began where it had.
        parent if parent == m.parent => {
            Err(Error::new(Code::NotFound, format!("commit {number} was never published")).file(&path))
        }
        _ => Err(Error::damaged(&path, format!("version {} does not follow this one", number + 1))),
    }
}

/// Publishes `manifest` as the newest version. The caller holds the writer's lock and has made
/// every file that it names durable. After an error the outcome is unknown.
pub fn publish(dir: &Path, manifest: &Manifest) -> Result<u128> {
    manifest
        .check()
        .map_err(|e| Error::internal(format!("a manifest that contradicts itself: {}", e.message())))?;
    let (bytes, sum) = manifest.encode();
    let mut t = TempFile::create(dir.join(format!("tmp/manifest-{}", manifest.commit)))?;
    t.write_all(&bytes)?;
    t.publish(&path_of(dir, manifest.commit), Publish::New)?;
    point_to(dir, manifest.commit, sum)?;
    Ok(sum)
}

fn point_to(dir: &Path, commit: u64, sum: u128) -> Result<()> {
    let mut t = TempFile::create(dir.join("tmp/CURRENT"))?;
    t.write_all(current_line(commit, sum).as_bytes())?;
    t.publish(&dir.join("CURRENT"), Publish::Replace)
}

/// The highest commit number in `manifest/`, published or left behind by a crash.
pub fn highest(dir: &Path) -> Result<u64> {
    Ok(commits(dir)?.last().copied().unwrap_or(0))
}

/// The commit numbers in `manifest/`, ascending.
pub fn commits(dir: &Path) -> Result<Vec<u64>> {
    let names = fsio::list_dir(&dir.join("manifest"))?;
    let mut out: Vec<u64> = names.iter().filter_map(|n| n.strip_suffix(".cvxm")?.parse().ok()).collect();
    out.sort_unstable();
    Ok(out)
}

/// Path of a commit's manifest, for garbage collection.
pub fn manifest_path(dir: &Path, commit: u64) -> PathBuf {
    path_of(dir, commit)
}

#[cfg(test)]
mod tests {
    use super::super::encode::sample;
    use super::*;

    fn dataset() -> (tempfile::TempDir, PathBuf) {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().canonicalize().unwrap();
        for d in ["manifest", "tmp"] {
            std::fs::create_dir(dir.join(d)).unwrap();
        }
        (t, dir)
    }

    #[test]
    fn publish_load_pin() {
        let (_t, dir) = dataset();
        let m = sample();
        let sum = publish(&dir, &m).unwrap();
        assert_eq!(load(&dir).unwrap(), (m.clone(), sum));
        let (pinned, lock) = pin(&dir, None).unwrap();
        assert_eq!(pinned, m);
        assert!(fsio::try_exclusive(&manifest_path(&dir, 2)).unwrap().is_none(), "pinned");
        drop(lock);
        assert!(fsio::try_exclusive(&manifest_path(&dir, 2)).unwrap().is_some());
        assert_eq!(publish(&dir, &m).unwrap_err().code(), Code::Locked);
        assert_eq!(pin(&dir, Some(1)).unwrap_err().code(), Code::NotFound);
    }

    #[test]
    fn an_older_version_is_the_one_of_its_name() {
        let (_t, dir) = dataset();
        let first = sample();
        let sum = publish(&dir, &first).unwrap();
        let second = Manifest { commit: 3, parent: sum, ..sample() };
        let sum = publish(&dir, &second).unwrap();
        // Left behind by a writer that died: version 5 follows version 3 as well.
        let (bytes, _) = Manifest { commit: 4, parent: sum, rows_added: 1, ..sample() }.encode();
        std::fs::write(path_of(&dir, 4), bytes).unwrap();
        let third = Manifest { commit: 5, parent: sum, ..sample() };
        let sum = publish(&dir, &third).unwrap();
        publish(&dir, &Manifest { commit: 6, parent: sum, ..sample() }).unwrap();
        let at = |n: u64| pin(&dir, Some(n)).map(|(m, _)| m.commit).map_err(|e| e.code());
        assert_eq!(
            [2, 3, 4, 5, 6, 7].map(at),
            [Ok(2), Ok(3), Err(Code::NotFound), Ok(5), Ok(6), Err(Code::NotFound)]
        );
        std::fs::copy(path_of(&dir, 2), path_of(&dir, 5)).unwrap();
        assert_eq!(at(5), Err(Code::Damaged));
        std::fs::remove_file(path_of(&dir, 5)).unwrap();
        // Version 3 with another content: its checksums hold, and version 4 does not follow it.
        let (bytes, _) = Manifest { commit: 2, parent: 1, rows_added: 7, ..sample() }.encode();
        std::fs::write(path_of(&dir, 2), bytes).unwrap();
        assert_eq!(at(2), Err(Code::Damaged));
        std::fs::create_dir(path_of(&dir, 5)).unwrap();
        assert_eq!(at(5), Err(Code::Damaged), "a directory in its place");
    }

    #[test]
    fn a_changed_current_is_damage() {
        let (_t, dir) = dataset();
        publish(&dir, &sample()).unwrap();
        let path = dir.join("CURRENT");
        let good = std::fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(pin(&dir, None).unwrap_err().code(), Code::Damaged, "byte {i}");
            std::fs::write(&path, &good[..i]).unwrap();
            assert_eq!(pin(&dir, None).unwrap_err().code(), Code::Damaged, "cut {i}");
        }
    }
}
