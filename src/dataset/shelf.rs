//! What the parts of a version share: how files of each tier are opened, cold stores, codebooks,
//! decoded pieces.

use super::chunks::Chunks;
use super::deletions;
use super::loaded::Loaded;
use super::part::{Body, Part};
use crate::cold::{Cache, ColdBlock, Place, Store, read_codebook};
use crate::config::{Config, IdKind};
use crate::error::{Error, Result};
use crate::format::container::{Expect, Kind};
use crate::fsio::{self, Copies};
use crate::manifest::{FileEntry, FileKind, HOME, Manifest, Placement};
use crate::pq::{Codec, Quantizer};
use crate::segment::Segment;
use crate::warm::{self, WarmFile};
use roaring::RoaringBitmap;
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Bytes of pieces of remote objects that are kept on the local disk.
const CACHE_BYTES: u64 = 1 << 30;
/// Bytes of a remote file that are fetched at a time.
const FETCH_BYTES: u64 = 16 << 20;

/// Opens files of points.
#[derive(Debug)]
pub(super) struct Shelf {
    dir: PathBuf,
    config: Config,
    chunks: Arc<Chunks>,
    stores: Mutex<HashMap<String, Arc<Store>>>,
    codebooks: Mutex<HashMap<u64, Arc<Quantizer>>>,
    originals: Mutex<HashMap<u64, Arc<Loaded>>>,
}

impl Shelf {
    pub(super) fn new(dir: &Path, config: &Config) -> Shelf {
        Shelf {
            dir: dir.to_owned(),
            config: config.clone(),
            chunks: Arc::default(),
            stores: Mutex::default(),
            codebooks: Mutex::default(),
            originals: Mutex::default(),
        }
    }

    /// Opens a file of points with its dead rows.
    pub(super) fn part(&self, m: &Manifest, entry: &FileEntry, replaced: &RoaringBitmap) -> Result<Part> {
        let path = self.dir.join(m.path_of(entry));
        let body = match entry.kind {
            FileKind::Warm => Body::Tier(Arc::new(self.warm(&path, entry)?)),
            FileKind::Cold => Body::Tier(Arc::new(self.cold(m, entry)?)),
            _ => {
                let expect =
                    Expect { kind: Kind::Segment, dataset: self.config.id, id: entry.id, seal: entry.seal };
                Body::Hot(Arc::new(Segment::open(&path, &expect, self.config.settings.dim)?))
            }
        };
        let mut part = Part { body, dead: RoaringBitmap::new(), entry: Some(*entry) };
        if part.rows() as u64 != entry.rows {
            return Err(part.damaged(&format!("{} rows, the manifest counts {}", part.rows(), entry.rows)));
        }
        part.dead = self.dead(m, entry)? | replaced;
        Ok(part)
    }

    /// The dead rows of a file.
    pub(super) fn dead(&self, m: &Manifest, entry: &FileEntry) -> Result<RoaringBitmap> {
        let Some(d) = m.deletions_of(entry.id) else { return Ok(RoaringBitmap::new()) };
        let expect = Expect { kind: Kind::Deletions, dataset: self.config.id, id: d.id, seal: d.seal };
        deletions::read(&self.dir.join(m.path_of(d)), &expect, d.rows, entry.rows)
    }

    /// Opens a warm file that lies at `path`, wherever that is.
    pub(super) fn warm(&self, path: &Path, entry: &FileEntry) -> Result<Loaded> {
        Loaded::warm(entry.id, WarmFile::open(path, &self.warm_expect(entry))?, self.chunks.clone())
    }

    fn warm_expect(&self, entry: &FileEntry) -> warm::Expect {
        warm::Expect {
            dataset: self.config.id,
            id: entry.id,
            seal: entry.seal,
            rows: entry.rows,
            dim: self.config.settings.dim,
            named: self.config.settings.ids == IdKind::String,
        }
    }

    fn cold(&self, m: &Manifest, entry: &FileEntry) -> Result<Loaded> {
        let place = placed(m, entry)?;
        let quantizer = self.quantizer(m, &place.codec, place.codebook)?;
        let expect =
            Expect { kind: Kind::ColdBlock, dataset: self.config.id, id: entry.id, seal: entry.seal };
        let block = ColdBlock::open(self.place(m, entry)?, &expect)?;
        if block.head().dim != self.config.settings.dim || block.head().codebook != place.codebook {
            return Err(Error::damaged(block.path(), "the block is not of this dataset's shape"));
        }
        Loaded::cold(entry.id, block, quantizer, self.chunks.clone())
    }

    /// The codec of a block with what it learnt.
    pub(super) fn quantizer(&self, m: &Manifest, codec: &str, codebook: u64) -> Result<Arc<Quantizer>> {
        let mut held = self.codebooks.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(q) = held.get(&codebook).filter(|q| q.codec().to_string() == codec) {
            return Ok(q.clone());
        }
        let codec: Codec =
            codec.parse().map_err(|_| Error::internal("a codec that the manifest was checked for"))?;
        let quantizer = match m.find(FileKind::Codebook, codebook) {
            None => Quantizer::train(codec, self.config.settings.dim, &[], 0)?,
            Some(entry) => {
                let place = self.place(m, entry)?;
                let bytes = place.store.read(&place.name, 0..entry.seal.len)?;
                let expect =
                    Expect { kind: Kind::Codebook, dataset: self.config.id, id: entry.id, seal: entry.seal };
                read_codebook(&place.store.path(&place.name), &bytes, &expect)?
            }
        };
        let quantizer = Arc::new(quantizer);
        held.insert(codebook, quantizer.clone());
        Ok(quantizer)
    }

    /// The exact file kept of a block; fetched whole when it lies in a remote store.
    pub(super) fn original(&self, m: &Manifest, entry: &FileEntry) -> Result<Arc<Loaded>> {
        let mut held = self.originals.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(o) = held.get(&entry.id) {
            return Ok(o.clone());
        }
        let place = self.place(m, entry)?;
        let path = match place.store.is_local() {
            true => place.store.path(&place.name),
            false => self.fetched(&place, entry)?,
        };
        let loaded = Arc::new(self.warm(&path, entry)?);
        held.insert(entry.id, loaded.clone());
        Ok(loaded)
    }

    /// A local copy of a remote file, made when it is not here.
    fn fetched(&self, place: &Place, entry: &FileEntry) -> Result<PathBuf> {
        let copies = Copies::open(&self.dir.join("cache"))?;
        let name = format!("original-{:010}.parquet", entry.id);
        let path = copies.path(&name);
        if fsio::regular_len(&path)? == Some(entry.seal.len) {
            return Ok(path);
        }
        let is_original = |name: &str| name.starts_with("original-");
        copies.shrink(&is_original, CACHE_BYTES.saturating_sub(entry.seal.len));
        let temporary = format!("original-{:010}-{}.tmp", entry.id, std::process::id());
        copies.put(&name, &temporary, |out| {
            for start in (0..entry.seal.len).step_by(FETCH_BYTES as usize) {
                let bytes =
                    place.store.read(&place.name, start..(start + FETCH_BYTES).min(entry.seal.len))?;
                out.write_all(&bytes).map_err(|e| Error::io("write", &path, &e))?;
            }
            Ok(())
        })?;
        Ok(path)
    }

    /// The store of a placed file.
    pub(super) fn store(&self, m: &Manifest, store: u32) -> Result<Arc<Store>> {
        let target = match store {
            HOME => self.dir.display().to_string(),
            n => m
                .stores
                .get(n as usize - 1)
                .cloned()
                .ok_or_else(|| Error::internal("a store that is not listed"))?,
        };
        let mut held = self.stores.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(s) = held.get(&target) {
            return Ok(s.clone());
        }
        let opened = Arc::new(if store == HOME { Store::local(&self.dir)? } else { Store::open(&target)? });
        held.insert(target, opened.clone());
        Ok(opened)
    }

    /// Fails unless a placed file has the length that the manifest says.
    pub(super) fn check_len(&self, m: &Manifest, entry: &FileEntry) -> Result<()> {
        let place = self.place(m, entry)?;
        match place.store.len(&place.name)? {
            Some(len) if len == entry.seal.len => Ok(()),
            Some(len) => Err(Error::damaged(
                &place.store.path(&place.name),
                format!("the object has {len} bytes, {} are expected", entry.seal.len),
            )),
            None => Err(Error::damaged(&place.store.path(&place.name), "the cold object is missing")),
        }
    }

    /// Where a placed file is read from.
    pub(super) fn place(&self, m: &Manifest, entry: &FileEntry) -> Result<Place> {
        let store = self.store(m, placed(m, entry)?.store)?;
        let cache = if store.is_local() {
            None
        } else {
            // Without a cache everything works, slower.
            Cache::open(&self.dir.join("cache"), CACHE_BYTES).ok().map(Arc::new)
        };
        Ok(Place { store, cache, name: m.path_of(entry) })
    }
}

fn placed<'a>(m: &'a Manifest, entry: &FileEntry) -> Result<&'a Placement> {
    m.placement(entry.id).ok_or_else(|| Error::internal("a cold file without its place"))
}
