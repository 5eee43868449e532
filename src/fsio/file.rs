//! Opening, publishing, appending, removing: the only writers of dataset files.

use super::fault::{Step, step};
use crate::error::{Code, Error, Result};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Opens a dataset file for reading without following links or waiting on a pipe.
/// Anything but a regular file, and a length other than `len`, is damage.
pub fn open_read(path: &Path, len: Option<u64>) -> Result<File> {
    let file = open_regular(path, OpenOptions::new().read(true)).map_err(|e| match e.errno() {
        Some(errno) if errno == Errno::NOENT.raw_os_error() => Error::damaged(path, "the file is missing"),
        _ => e,
    })?;
    let found = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
    if let Some(want) = len
        && found != want
    {
        return Err(Error::damaged(path, format!("the file has {found} bytes, {want} are expected")));
    }
    Ok(file)
}

/// The one way in which a file of a dataset that is there already is opened. Links are not followed,
/// and FIFOs, sockets, devices and directories are damage: none of them is opened, since that alone
/// may wait or have effects.
pub(super) fn open_regular(path: &Path, how: &mut OpenOptions) -> Result<File> {
    use rustix::fs::OFlags;
    let io = |e: std::io::Error| Error::io("open", path, &e);
    refuse_special(path, &std::fs::symlink_metadata(path).map_err(io)?)?;
    // What is there may have changed since the look at it.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
    let file = how.custom_flags(flags.cast_signed()).open(path).map_err(io)?;
    refuse_special(path, &file.metadata().map_err(io)?)?;
    Ok(file)
}

fn refuse_special(path: &Path, meta: &std::fs::Metadata) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let kind = meta.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_symlink() => "a symbolic link",
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a FIFO",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(Error::damaged(path, format!("{what} is in the place of the file, which must be a regular file")))
}

/// Reads a range of a dataset file. Fewer bytes than asked for are damage.
pub fn read_range(path: &Path, range: std::ops::Range<u64>) -> Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let file = open_read(path, None)?;
    let len = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
    if range.end > len || range.start > range.end {
        let text = format!("the file ends at byte {len}, bytes {} to {} are wanted", range.start, range.end);
        return Err(Error::damaged(path, text));
    }
    let mut bytes = buffer(path, range.end - range.start)?;
    file.read_exact_at(&mut bytes, range.start).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes)
}

/// Zeros to read into; too many for the memory are an error in words.
fn buffer(path: &Path, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let short = || Error::new(Code::Failed, format!("not enough memory for {len} bytes of it")).file(path);
    let len = usize::try_from(len).map_err(|_| short())?;
    bytes.try_reserve_exact(len).map_err(|_| short())?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// Creates a file that must not exist, for data that need not survive a crash.
pub fn create_new(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Notes that a file was used now. Failing to is no error.
pub fn touch(path: &Path) {
    if let Ok(file) = open_regular(path, OpenOptions::new().append(true)) {
        let _ = file.set_modified(std::time::SystemTime::now());
    }
}

/// Length of a dataset file; `None` when there is none. Anything but a regular file is damage.
pub fn regular_len(path: &Path) -> Result<Option<u64>> {
    match std::fs::symlink_metadata(path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(Error::io("stat", path, &e)),
        Ok(meta) => refuse_special(path, &meta).map(|()| Some(meta.len())),
    }
}

/// Creates an empty file for a lock where there is none. False when its directory is gone.
pub fn create_lock(path: &Path) -> Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io("create", path, &e)),
    }
}

/// True for a directory that is not reached through a link in its last place: leftovers may be removed
/// from it. Through a link a sweep would reach files that are not the dataset's.
pub fn is_own_dir(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|m| m.is_dir())
}

/// Reads a whole dataset file of at most `limit` bytes.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = open_read(path, None)?;
    let len = file.metadata().map_err(|e| Error::io("stat", path, &e))?.len();
    if len > limit {
        return Err(Error::damaged(path, format!("the file has {len} bytes, at most {limit} are possible")));
    }
    let mut bytes = buffer(path, len)?;
    (&file).read_exact(&mut bytes).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes)
}

/// Makes a directory (its parent must exist) and its name durable. It may exist already.
pub fn create_dir(path: &Path) -> Result<()> {
    step(&Step::CreateDir(path)).map_err(|e| Error::io("create", path, &e))?;
    match std::fs::create_dir(path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::io("create directory", path, &e)
                .fix("make the directory above it, or choose another place"));
        }
        Err(e) => return Err(Error::io("create directory", path, &e)),
    }
    sync_dir(parent(path))
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<()> {
    let go = || {
        step(&Step::SyncDir(path))?;
        sync_all(&File::open(path)?)
    };
    go().map_err(|e| Error::io("sync directory", path, &e))
}

/// Gives a published file a second name and makes it durable. Fails when the name is taken.
pub fn link(from: &Path, to: &Path) -> Result<()> {
    let go = || {
        step(&Step::Link(from, to))?;
        std::fs::hard_link(from, to)
    };
    go().map_err(|e| Error::io("link", to, &e))?;
    sync_dir(parent(to))
}

/// Removes a file's name. A missing file is no error; durability comes with the next [`sync_dir`].
pub fn remove_file(path: &Path) -> Result<()> {
    let go = || {
        step(&Step::Remove(path))?;
        std::fs::remove_file(path)
    };
    match go() {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

/// Removes an empty directory; one that is missing or not empty is left without error.
pub fn remove_dir(path: &Path) -> Result<()> {
    step(&Step::RemoveDir(path)).map_err(|e| Error::io("remove", path, &e))?;
    let _ = std::fs::remove_dir(path);
    Ok(())
}

/// The names in a directory, sorted. A missing directory has none.
pub fn list_dir(path: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("list", path, &e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| Error::io("list", path, &e))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Unit tests look at the steps, not at the disk, and take thousands of them: there the call
/// itself is left out. The tests of the real binary make it.
fn sync_all(file: &File) -> std::io::Result<()> {
    if cfg!(test) { Ok(()) } else { file.sync_all() }
}

fn sync_data(file: &File) -> std::io::Result<()> {
    if cfg!(test) { Ok(()) } else { file.sync_data() }
}

/// The directory that holds `path`'s name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// How a finished file gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publish {
    /// Replaces whatever had the name.
    Replace,
    /// Fails with [`Code::Locked`] when the name exists: someone else has published.
    New,
}

/// A new file that grows at its end.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    file: File,
    len: u64,
}

impl NewFile {
    /// Creates `path`, which must not exist.
    fn create(path: PathBuf) -> Result<NewFile> {
        let go = || {
            step(&Step::Create(&path))?;
            OpenOptions::new().append(true).create_new(true).open(&path)
        };
        let file = go().map_err(|e| Error::io("create", &path, &e))?;
        Ok(NewFile { path, file, len: 0 })
    }

    /// Its path, a temporary one while it is not published.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes all of `bytes` at the end. Durable only after a sync.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        let go = || {
            step(&Step::Write(&self.path, bytes))?;
            (&self.file).write_all(bytes)
        };
        go().map_err(|e| Error::io("write", &self.path, &e))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes the content durable.
    pub fn sync(&mut self) -> Result<()> {
        let go = || {
            step(&Step::SyncFile(&self.path))?;
            sync_all(&self.file)
        };
        go().map_err(|e| Error::io("fsync", &self.path, &e))
    }
}

/// A file being written under a temporary name; removed on drop unless published.
#[derive(Debug)]
pub struct TempFile {
    new: NewFile,
    live: bool,
}

impl Deref for TempFile {
    type Target = NewFile;

    fn deref(&self) -> &NewFile {
        &self.new
    }
}

impl DerefMut for TempFile {
    fn deref_mut(&mut self) -> &mut NewFile {
        &mut self.new
    }
}

impl TempFile {
    /// Creates `path`, which must not exist.
    pub fn create(path: PathBuf) -> Result<TempFile> {
        Ok(TempFile { new: NewFile::create(path)?, live: true })
    }

    /// Syncs the content, gives the file its final name, and makes the name durable.
    pub fn publish(self, dest: &Path, how: Publish) -> Result<()> {
        self.publish_unsynced_name(dest, how)?;
        sync_dir(parent(dest))
    }

    /// As [`TempFile::publish`], but leaves syncing the directory to the caller, who publishes
    /// several files and syncs their directory once.
    pub fn publish_unsynced_name(mut self, dest: &Path, how: Publish) -> Result<()> {
        self.sync()?;
        match how {
            Publish::Replace => {
                let go = || {
                    step(&Step::Rename(&self.path, dest))?;
                    std::fs::rename(&self.path, dest)
                };
                go().map_err(|e| Error::io("rename", dest, &e))?;
            }
            Publish::New => self.link(dest)?,
        }
        self.live = false;
        Ok(())
    }

    /// Gives the file its final name without waiting for the disk: for scratch data.
    pub fn publish_unsynced(mut self, dest: &Path) -> Result<()> {
        self.link(dest)?;
        self.live = false;
        Ok(())
    }

    fn link(&self, dest: &Path) -> Result<()> {
        let taken = || {
            Error::new(Code::Locked, "another process has written this version in spite of the lock")
                .file(dest)
                .fix("run the command again; on a network file system let one host write")
        };
        let go = || {
            step(&Step::Link(&self.path, dest))?;
            std::fs::hard_link(&self.path, dest)
        };
        match go() {
            Ok(()) => remove_file(&self.path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(taken()),
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::Unsupported | std::io::ErrorKind::PermissionDenied
                ) =>
            {
                self.rename_noreplace(dest).map_err(|e| match e.kind() {
                    std::io::ErrorKind::AlreadyExists => taken(),
                    _ => Error::io("rename", dest, &e),
                })
            }
            Err(e) => Err(Error::io("link", dest, &e)),
        }
    }

    /// For file systems without hard links.
    fn rename_noreplace(&self, dest: &Path) -> std::io::Result<()> {
        step(&Step::Rename(&self.path, dest))?;
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            match renameat_with(CWD, &self.path, CWD, dest, RenameFlags::NOREPLACE) {
                Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
                other => return Ok(other?),
            }
        }
        if dest.exists() {
            return Err(std::io::ErrorKind::AlreadyExists.into());
        }
        std::fs::rename(&self.path, dest)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if self.live {
            // A leftover is swept by the next writer, so failing here is harmless.
            let _ = remove_file(&self.path);
        }
    }
}

/// A file that is only appended to: the write-ahead log.
#[derive(Debug)]
pub struct AppendFile(NewFile);

impl Deref for AppendFile {
    type Target = NewFile;

    fn deref(&self) -> &NewFile {
        &self.0
    }
}

impl AppendFile {
    /// Creates `path`, writes `head`, and makes content and name durable.
    pub fn create(path: PathBuf, head: &[u8]) -> Result<AppendFile> {
        let mut this = AppendFile(NewFile::create(path)?);
        this.append(head)?;
        this.0.sync()?;
        sync_dir(parent(&this.path))?;
        Ok(this)
    }

    /// Writes all of `bytes` at the end. Durable only after [`AppendFile::sync`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)
    }

    /// Makes all appended bytes durable. After a failure the file must not be used again.
    pub fn sync(&mut self) -> Result<()> {
        let go = || {
            step(&Step::SyncFile(&self.path))?;
            sync_data(&self.file)
        };
        go().map_err(|e| Error::io("fdatasync", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fsio::fault::{Mode, arm};

    #[test]
    fn a_published_file_is_whole_or_absent_at_every_step() {
        for how in [Publish::Replace, Publish::New] {
            let mut n = 0;
            loop {
                n += 1;
                let dir = tempfile::tempdir().unwrap();
                let root = dir.path().canonicalize().unwrap();
                let armed = arm(&root, n, Mode::FromThere, false);
                let go = || -> Result<()> {
                    let mut t = TempFile::create(root.join("tmp"))?;
                    t.write_all(b"all ")?;
                    t.write_all(b"of it")?;
                    t.publish(&root.join("final"), how)
                };
                let r = go();
                let found = std::fs::read(root.join("final")).ok();
                assert!(found.is_none() || found.as_deref() == Some(b"all of it"));
                if !armed.fired() {
                    r.unwrap();
                    assert!(n > 5);
                    break;
                }
                assert!(r.is_err());
            }
        }
    }

    #[test]
    fn publishing_a_taken_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"old").unwrap();
        let t = TempFile::create(dir.path().join("t")).unwrap();
        let e = t.publish(&dir.path().join("f"), Publish::New).unwrap_err();
        assert_eq!(e.code(), Code::Locked);
        assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"old");
        assert!(!dir.path().join("t").exists());
    }
}
