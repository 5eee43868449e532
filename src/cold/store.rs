//! Where cold objects lie: a local directory, memory, or an S3-compatible store, one code
//! path for all. Calls block; an operation that takes too long is an error.

use crate::error::{Code, Error, Result};
use crate::fsio;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, WriteMultipart};
use std::future::Future;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Objects up to this size are put in one request.
const SINGLE_PUT: u64 = 32 << 20;
/// Bytes of a part of a larger one.
const PART: usize = 16 << 20;
/// How long one operation may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A place for objects, all below one prefix.
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    runtime: Runtime,
    prefix: String,
    /// How the place is written in messages.
    label: String,
    /// The directory of a local one, whose files are read without the object store.
    local: Option<PathBuf>,
    timeout: Duration,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.label)
    }
}

impl Store {
    /// Opens a target as users write it: a directory, which must be there, or `s3://BUCKET/PREFIX`.
    pub fn open(target: &str) -> Result<Store> {
        match target.split_once("://") {
            None if !Path::new(target).is_dir() => {
                Err(Error::damaged(Path::new(target), "the directory of cold blocks is not there")
                    .fix("mount it, or move it back to this path"))
            }
            None => Store::local(Path::new(target)),
            Some(("s3", rest)) => Store::s3(rest),
            Some((scheme, _)) => Err(Error::usage(format!("no cold storage speaks {scheme}://"))
                .option("target")
                .fix("give a directory or s3://BUCKET/PREFIX")),
        }
    }

    /// Makes the directory of a target that is one.
    pub fn make(target: &str) -> Result<()> {
        let dir = Path::new(target);
        if target.contains("://") {
            return Ok(());
        }
        fsio::create_dirs(dir)
    }

    /// Objects as files below a directory. Writes are synced before they are acknowledged.
    pub fn local(dir: &Path) -> Result<Store> {
        fsio::create_dirs(dir)?;
        let root = LocalFileSystem::new_with_prefix(dir)
            .map_err(|e| Error::new(Code::Io, format!("cannot open the cold directory: {e}")).file(dir))?;
        let mut store = Store::new(Arc::new(root.with_fsync(true)), dir.display().to_string())?;
        store.local = Some(dir.to_owned());
        Ok(store)
    }

    /// Objects in memory.
    pub fn in_memory() -> Result<Store> {
        Store::new(Arc::new(InMemory::new()), "memory".to_owned())
    }

    /// An S3-compatible store: `BUCKET/PREFIX`, settings from the usual `AWS_*` variables.
    #[cfg(feature = "s3")]
    fn s3(rest: &str) -> Result<Store> {
        use object_store::aws::AmazonS3Builder;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let label = format!("s3://{rest}");
        let http = std::env::var("AWS_ENDPOINT_URL").is_ok_and(|u| u.starts_with("http://"));
        let objects =
            AmazonS3Builder::from_env().with_bucket_name(bucket).with_allow_http(http).build().map_err(|e| {
                Error::usage(format!("cannot open the object store: {e}"))
                    .file(&label)
                    .fix("set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other than AWS, AWS_ENDPOINT_URL")
            })?;
        let mut store = Store::new(Arc::new(objects), label)?;
        store.prefix = prefix.trim_matches('/').to_owned();
        Ok(store)
    }

    #[cfg(not(feature = "s3"))]
    fn s3(_rest: &str) -> Result<Store> {
        Err(Error::usage("this cvx was built without object stores")
            .option("target")
            .fix("build it with --features s3, or give a directory"))
    }

    /// Any object store; `label` names it in messages.
    pub fn new(objects: Arc<dyn ObjectStore>, label: String) -> Result<Store> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::new(Code::Io, format!("cannot start the input/output runtime: {e}")))?;
        Ok(Store { objects, runtime, prefix: String::new(), label, local: None, timeout: TIMEOUT })
    }

    /// The same with another time limit for each operation.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Store {
        self.timeout = timeout;
        self
    }

    /// True when objects are local files, which need no cache.
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// How an object is called in messages.
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("{}/{name}", self.label))
    }

    fn object(&self, name: &str) -> Result<ObjectPath> {
        let part = |p: &str| {
            let letters = p.bytes().all(|b| b.is_ascii_alphanumeric() || b"._=-".contains(&b));
            letters && (1..=100).contains(&p.len()) && !p.starts_with('.')
        };
        if !name.split('/').all(part) {
            return Err(Error::internal(format!("\"{name}\" is no name of a cold object")));
        }
        let full = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Ok(ObjectPath::from(full))
    }

    /// Runs one operation; its error says what was attempted on which object.
    fn run<T>(
        &self,
        what: &str,
        name: &str,
        operation: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T> {
        let limited = async { tokio::time::timeout(self.timeout, operation).await };
        match self.runtime.block_on(limited) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(object_store::Error::NotFound { .. })) => {
                Err(Error::damaged(&self.path(name), "the cold object is missing"))
            }
            Ok(Err(object_store::Error::AlreadyExists { .. })) => {
                Err(Error::new(Code::Failed, "a cold object of this name is already there")
                    .file(self.path(name)))
            }
            Ok(Err(e)) => Err(Error::new(Code::Io, format!("cannot {what} the cold object: {e}"))
                .file(self.path(name))
                .fix("check the store and the network, then run the command again; nothing was lost")),
            Err(_) => Err(Error::new(
                Code::Io,
                format!("cannot {what} the cold object: no answer within {} s", self.timeout.as_secs_f32()),
            )
            .file(self.path(name))
            .fix("check the store and the network, then run the command again; nothing was lost")),
        }
    }

    /// Puts a new object, whole or not at all. One of this name must not exist.
    pub fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let at = self.object(name)?;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        self.run("write", name, self.objects.put_opts(&at, PutPayload::from(bytes), options)).map(|_| ())
    }

    /// Puts a file as a new object, whole or not at all, in parts when it is large.
    pub fn put_file(&self, name: &str, file: &Path) -> Result<()> {
        let io = |e: std::io::Error| Error::io("read", file, &e);
        let mut source = fsio::open_read(file, None)?;
        let len = source.metadata().map_err(io)?.len();
        if len <= SINGLE_PUT {
            let mut bytes = Vec::with_capacity(len as usize);
            source.read_to_end(&mut bytes).map_err(io)?;
            return self.put(name, bytes);
        }
        let at = self.object(name)?;
        if self.len(name)?.is_some() {
            return Err(
                Error::new(Code::Failed, "a cold object of this name is already there").file(self.path(name))
            );
        }
        let upload = self.run("write", name, self.objects.put_multipart(&at))?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut buffer = vec![0; PART];
        loop {
            let n = source.read(&mut buffer).map_err(io)?;
            if n == 0 {
                break;
            }
            let go = async {
                parts.wait_for_capacity(2).await?;
                parts.write(&buffer[..n]);
                Ok(())
            };
            if let Err(e) = self.run("write", name, go) {
                // What was uploaded so far has no name; aborting only frees it sooner.
                let _ = self.run("abandon", name, parts.abort());
                return Err(e);
            }
        }
        self.run("write", name, parts.finish()).map(|_| ())
    }

    /// Bytes of an object. Fewer than asked are damage.
    pub fn read(&self, name: &str, range: Range<u64>) -> Result<bytes::Bytes> {
        if range.is_empty() {
            return Ok(bytes::Bytes::new());
        }
        let at = self.object(name)?;
        if let Some(dir) = &self.local {
            let path = dir.join(name);
            if path.symlink_metadata().is_err() {
                return Err(Error::damaged(&path, "the cold object is missing"));
            }
            return fsio::read_range(&path, range).map(bytes::Bytes::from);
        }
        let bytes = match self.run("read", name, self.objects.get_range(&at, range.clone())) {
            // Some stores refuse a range behind the end with an error of their own.
            Err(e) if e.code() == Code::Io && matches!(self.len(name), Ok(Some(len)) if len < range.end) => {
                return Err(Error::damaged(&self.path(name), "the object is cut short"));
            }
            other => other?,
        };
        if bytes.len() as u64 != range.end - range.start {
            let what = format!(
                "the object ends early: {} bytes came of {} from byte {} on",
                bytes.len(),
                range.end - range.start,
                range.start
            );
            return Err(Error::damaged(&self.path(name), what));
        }
        Ok(bytes)
    }

    /// Length of an object; `None` when there is none of this name.
    pub fn len(&self, name: &str) -> Result<Option<u64>> {
        let at = self.object(name)?;
        if let Some(dir) = &self.local {
            return fsio::regular_len(&dir.join(name));
        }
        let head = async {
            match self.objects.head(&at).await {
                Ok(meta) => Ok(Some(meta.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(e) => Err(e),
            }
        };
        self.run("look up", name, head)
    }

    /// Removes an object. A missing one is no error.
    pub fn remove(&self, name: &str) -> Result<()> {
        let at = self.object(name)?;
        let gone = async {
            match self.objects.delete(&at).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                done => done,
            }
        };
        self.run("remove", name, gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_go_in_once_and_come_out_in_ranges() {
        let dir = tempfile::tempdir().unwrap();
        for store in [Store::in_memory().unwrap(), Store::local(&dir.path().join("cold")).unwrap()] {
            let name = "bucket=00a7/2025-Q1.12.pqvec";
            assert_eq!(store.len(name).unwrap(), None);
            store.put(name, (0..200).collect()).unwrap();
            assert_eq!(store.put(name, vec![1]).unwrap_err().code(), Code::Failed);
            assert_eq!(store.len(name).unwrap(), Some(200));
            assert_eq!(&store.read(name, 3..6).unwrap()[..], &[3, 4, 5]);
            assert_eq!(store.read(name, 190..210).unwrap_err().code(), Code::Damaged);
            assert_eq!(store.read("other", 0..1).unwrap_err().code(), Code::Damaged);
            store.remove(name).unwrap();
            store.remove(name).unwrap();
            assert_eq!(store.len(name).unwrap(), None);
        }
    }

    #[test]
    fn large_files_go_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("big");
        let bytes: Vec<u8> = (0..SINGLE_PUT as usize + 5).map(|i| ((i * 7) >> 3) as u8).collect();
        std::fs::write(&file, &bytes).unwrap();
        let store = Store::in_memory().unwrap();
        store.put_file("big", &file).unwrap();
        assert_eq!(store.len("big").unwrap(), Some(bytes.len() as u64));
        let end = bytes.len() as u64;
        assert_eq!(store.read("big", end - 9..end).unwrap(), bytes[bytes.len() - 9..]);
        assert_eq!(store.put_file("big", &file).unwrap_err().code(), Code::Failed);
    }

    #[test]
    fn names_that_lead_elsewhere_and_unknown_schemes_are_refused() {
        let store = Store::in_memory().unwrap();
        for name in ["", "a//b", "../a", "a/..", ".hidden", "a b", "é"] {
            assert!(store.len(name).is_err(), "{name}");
        }
        assert_eq!(Store::open("ftp://x").unwrap_err().code(), Code::Usage);
    }
}
