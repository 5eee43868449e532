//! Cold blocks as a whole: round trips through stores, look-ups, nearest rows, damage, and
//! stores that fail, answer late, or return too little.

use super::*;
use crate::error::{Code, Result};
use crate::format::container::{Expect, Finished, Kind, Seal};
use crate::metric::Metric;
use crate::model::{Key, TimeRange};
use crate::points::{KeptPoints, Origin, Points, Summary};
use crate::pq::{Codec, Quantizer};
use crate::segment::content_hash;
use futures_util::stream::BoxStream;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const DATASET: [u8; 16] = [5; 16];
const NAME: &str = "bucket=0000/2025.9.pqvec";

/// `n` points of a few entities, vectors around a few centres.
fn points(n: usize, dim: usize) -> Points {
    let mut p = Points::new(dim);
    let origins = ["a", "b"].map(|s| p.intern(&Origin { source: s.into(), model: format!("m@{s}") }));
    for i in 0..n {
        let v: Vec<f32> = (0..dim)
            .map(|d| (((i % 13) * 7 + d * 3) as f32).sin() + 0.4 * ((i * 31 + d * 17) as f32 * 0.77).sin())
            .collect();
        let meta = if i % 4 == 0 { String::new() } else { format!("{{\"i\":{i}}}") };
        let key = Key { entity: (i / 300) as u64 * 5, t: (i % 300) as i64 * 1000 - 7 };
        p.push(key, &v, &meta, origins[i % 2]);
    }
    p
}

struct Made {
    points: Points,
    quantizer: Arc<Quantizer>,
    bytes: Vec<u8>,
    written: Written,
}

fn make(codec: &str, n: usize, dim: usize) -> Made {
    let points = points(n, dim);
    let quantizer = Arc::new(Quantizer::train(codec.parse().unwrap(), dim, &points.x, 1).unwrap());
    let codebook = if quantizer.codec().is_trained() { 3 } else { 0 };
    let mut w = BlockWriter::in_memory(DATASET, 9, quantizer.clone(), codebook).unwrap();
    let seq: Vec<u64> = (0..n as u64).map(|i| i * 3 % 1009).collect();
    let original = (0..n as u128).map(|i| (i % 7 == 0).then_some(i << 90 | i)).collect();
    let kept = KeptPoints { points, seq, original };
    w.push(&kept).unwrap();
    let points = kept.points;
    let (Finished::Memory(bytes), written) = w.finish().unwrap() else { panic!() };
    Made { points, quantizer, bytes, written }
}

fn expect(seal: Seal) -> Expect {
    Expect { kind: Kind::ColdBlock, dataset: DATASET, id: 9, seal }
}

fn place(store: Store, bytes: &[u8]) -> Place {
    store.put(NAME, bytes.to_vec()).unwrap();
    Place { store: Arc::new(store), cache: None, name: NAME.into() }
}

fn open(bytes: &[u8], seal: Seal) -> Result<ColdBlock> {
    ColdBlock::open(place(Store::in_memory().unwrap(), bytes), &expect(seal))
}

#[test]
fn rows_are_copied_with_their_codes() {
    for codec in ["pq:4", "pq:4x4", "opq:4", "rabitq:1", "rabitq:4", "sq8", "f16"] {
        let m = make(codec, 2300, 12);
        let from = open(&m.bytes, m.written.seal).unwrap();
        let rows: Vec<u32> = (0..2300).filter(|i| i % 5 != 2 && !(500..700).contains(i)).collect();
        let mut w = BlockWriter::in_memory(DATASET, 9, m.quantizer.clone(), from.head().codebook).unwrap();
        w.copy(&from, &rows).unwrap();
        let (Finished::Memory(bytes), written) = w.finish().unwrap() else { panic!() };
        assert_eq!(written.errors, m.written.errors);
        let to = open(&bytes, written.seal).unwrap();
        assert_eq!(to.verify(Some(&m.quantizer)).unwrap(), written.summary);
        let (old, new) = (from.read(0..2300, Some(&m.quantizer)), to.read(0..to.rows(), Some(&m.quantizer)));
        let (old, new) = (old.unwrap(), new.unwrap());
        assert_eq!(new.len(), rows.len());
        for (i, row) in rows.iter().map(|r| *r as usize).enumerate() {
            assert_eq!(new.points.key(i), old.points.key(row));
            assert_eq!(new.points.row(i), old.points.row(row), "{codec} row {row}");
            assert_eq!(new.points.meta.get(i), old.points.meta.get(row));
            assert_eq!((new.seq[i], new.original[i]), (old.seq[row], old.original[row]));
            assert_eq!(to.keys().unwrap().norm[i], from.keys().unwrap().norm[row]);
        }
    }
}

#[test]
fn blocks_come_back_through_every_store() {
    let dir = tempfile::tempdir().unwrap();
    for codec in ["pq:4", "pq:4x4", "opq:4", "rabitq:1", "rabitq:4", "sq8", "f16", "zstd"] {
        let m = make(codec, 2300, 12);
        let local = Store::local(&dir.path().join(codec.replace(':', "_"))).unwrap();
        for store in [Store::in_memory().unwrap(), local] {
            let b = ColdBlock::open(place(store, &m.bytes), &expect(m.written.seal)).unwrap();
            assert_eq!(b.verify(Some(&m.quantizer)).unwrap(), m.written.summary);
            assert_eq!(
                (b.rows(), b.head().errors, b.head().codec),
                (2300, m.written.errors, codec.parse().unwrap())
            );
            let rows = b.read(1000..1100, Some(&m.quantizer)).unwrap();
            let want = m.quantizer.reconstruct(&m.points.x[..1024 * 12]).unwrap();
            assert_eq!(rows.points.x[..24 * 12], want[1000 * 12..]);
            assert_eq!(rows.points.entity, m.points.entity[1000..1100]);
            assert_eq!(rows.points.t, m.points.t[1000..1100]);
            assert!((0..100).all(|i| rows.points.meta.get(i) == m.points.meta.get(1000 + i)));
            let origin = |p: &Points, i: usize| p.origins[p.origin[i] as usize].clone();
            assert!((0..100).all(|i| origin(&rows.points, i) == origin(&m.points, 1000 + i)));
            assert_eq!(rows.seq, b.seqs(1000..1100).unwrap());
            for (i, original) in (1000..).zip(&rows.original) {
                let lost_before = (i % 7 == 0).then_some((i as u128) << 90 | i as u128);
                let lost_here = || content_hash(m.points.row(i), m.points.meta.get(i));
                let want = lost_before.or_else(|| (codec != "zstd").then(lost_here));
                assert_eq!(*original, want, "{codec} row {i}");
            }
        }
    }
}

#[test]
fn an_empty_block_is_a_block() {
    let m = make("zstd", 0, 3);
    let b = open(&m.bytes, m.written.seal).unwrap();
    assert_eq!(b.verify(Some(&m.quantizer)).unwrap(), Summary::default());
    assert_eq!(b.find(0, &TimeRange::ALL).unwrap(), 0..0);
}

#[test]
fn entities_are_found_without_codes() {
    let m = make("sq8", 1000, 4);
    let b = open(&m.bytes, m.written.seal).unwrap();
    assert_eq!(b.find(5, &TimeRange::ALL).unwrap(), 300..600);
    assert_eq!(b.find(6, &TimeRange::ALL).unwrap(), 600..600);
    assert_eq!(b.find(15, &TimeRange::closed(-7, 2000)).unwrap(), 900..903);
    assert_eq!(b.find(15, &TimeRange::EMPTY).unwrap(), 0..0);
}

#[test]
fn nearest_rows_agree_with_the_reconstructions() {
    for codec in ["pq:6", "pq:12x4", "opq:6", "sq8", "f16", "zstd", "rabitq:6"] {
        let m = make(codec, 1500, 12);
        let b = open(&m.bytes, m.written.seal).unwrap();
        let mut back = Vec::new();
        b.decode(&m.quantizer, 0..1500, &mut back).unwrap();
        let q = m.points.row(700);
        for metric in Metric::ALL {
            let keep = |row: usize| row % 3 == 1;
            let found = Search::new(&m.quantizer, q, metric).nearest(&b, 100..1400, 10, &keep).unwrap();
            assert_eq!(found.len(), 10);
            assert!(found.windows(2).all(|w| (w[0].distance, w[0].row) < (w[1].distance, w[1].row)));
            let exact = |row: usize| metric.exact(q, &back[row * 12..(row + 1) * 12]).unwrap();
            let mut all: Vec<f64> = (100..1400).filter(|r| keep(*r)).map(exact).collect();
            all.sort_by(f64::total_cmp);
            let slack = if codec == "pq:12x4" || codec == "rabitq:6" { 0.15 } else { 2e-3 };
            for c in &found {
                assert!(keep(c.row) && (100..1400).contains(&c.row));
                assert!(
                    (c.distance - exact(c.row)).abs() < slack,
                    "{codec} {metric:?} {c:?} {}",
                    exact(c.row)
                );
                assert!(exact(c.row) <= all[9] + slack);
            }
        }
    }
}

#[test]
fn codebooks_come_back_and_another_one_is_refused() {
    let m = make("opq:4", 600, 12);
    let (bytes, seal) = write_codebook(&m.quantizer, DATASET, 3).unwrap();
    let e = Expect { kind: Kind::Codebook, dataset: DATASET, id: 3, seal };
    let path = std::path::Path::new("codebook-3.pqcb");
    assert_eq!(read_codebook(path, &bytes, &e).unwrap(), *m.quantizer);
    for i in (0..bytes.len()).step_by(29) {
        let mut bad = bytes.clone();
        bad[i] ^= 4;
        assert!(read_codebook(path, &bad, &e).is_err(), "byte {i}");
    }
    let other = Quantizer::train(Codec::Sq8, 12, &[], 0).unwrap();
    let b = open(&m.bytes, m.written.seal).unwrap();
    assert_eq!(b.decode(&other, 0..1, &mut Vec::new()).unwrap_err().code(), Code::Damaged);
}

#[test]
fn measured_errors_are_those_of_the_reconstructions() {
    let m = make("pq:4", 1500, 12);
    let back = m.quantizer.reconstruct(&m.points.x).unwrap();
    let errors = crate::pq::ErrorStats::of(crate::pq::relative_errors(&m.points.x, &back, 12));
    assert_eq!(m.written.errors, errors);
    assert!(errors.p50 > 0.0 && errors.p50 <= errors.p99 && errors.p99 <= errors.max);
    assert_eq!(make("zstd", 1500, 12).written.errors.max, 0.0);
}

#[test]
fn flipped_and_cut_bytes_are_found() {
    let m = make("pq:4", 700, 12);
    let read = |bytes: &[u8]| open(bytes, m.written.seal).and_then(|b| b.verify(Some(&m.quantizer)));
    read(&m.bytes).unwrap();
    let n = m.bytes.len();
    for i in (0..n).filter(|i| i % 101 == 0 || *i < 64 || i + 300 > n) {
        let mut bad = m.bytes.clone();
        bad[i] ^= 1 << (i % 8);
        let found = read(&bad).map_err(|e| e.code());
        assert!(matches!(found, Err(Code::Damaged | Code::Version)), "byte {i} of {n}: {found:?}");
    }
    for cut in (0..n).step_by(997) {
        assert_eq!(read(&m.bytes[..cut]).map_err(|e| e.code()), Err(Code::Damaged));
    }
    let other = Expect { id: 8, ..expect(m.written.seal) };
    let store = place(Store::in_memory().unwrap(), &m.bytes);
    assert_eq!(ColdBlock::open(store, &other).unwrap_err().code(), Code::Damaged);
}

/// A store in memory that misbehaves from the `from`-th read or write on.
#[derive(Debug)]
struct Faulty {
    inner: object_store::memory::InMemory,
    count: AtomicU64,
    reads: AtomicU64,
    from: u64,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Fail,
    Hang,
    Shorten,
    Flip,
    Work,
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faulty")
    }
}

impl Faulty {
    fn new(how: How, from: u64) -> Faulty {
        let (count, reads) = (AtomicU64::new(0), AtomicU64::new(0));
        Faulty { inner: object_store::memory::InMemory::new(), count, reads, from, how }
    }

    async fn step(&self) -> object_store::Result<bool> {
        let due = self.count.fetch_add(1, Ordering::Relaxed) + 1 >= self.from;
        match self.how {
            How::Fail if due => {
                Err(object_store::Error::Generic { store: "faulty", source: "broken pipe".into() })
            }
            How::Hang if due => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(true)
            }
            _ => Ok(due),
        }
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        at: &ObjectPath,
        p: PutPayload,
        o: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.step().await?;
        self.inner.put_opts(at, p, o).await
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        o: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.step().await?;
        self.inner.put_multipart_opts(at, o).await
    }

    async fn get_opts(&self, at: &ObjectPath, o: GetOptions) -> object_store::Result<GetResult> {
        let due = self.step().await?;
        let head = o.head;
        let got = self.inner.get_opts(at, o).await?;
        if head || !due || !matches!(self.how, How::Shorten | How::Flip | How::Work) {
            return Ok(got);
        }
        self.reads.fetch_add(1, Ordering::Relaxed);
        let (meta, range, attributes, extensions) =
            (got.meta.clone(), got.range.clone(), got.attributes.clone(), got.extensions.clone());
        let mut bytes = got.bytes().await?.to_vec();
        match self.how {
            How::Shorten => bytes.truncate(bytes.len() / 2),
            How::Flip => bytes.iter_mut().step_by(50).for_each(|b| *b ^= 1),
            _ => {}
        }
        let stream = futures_util::stream::once(async move { Ok(bytes::Bytes::from(bytes)) });
        let payload = object_store::GetResultPayload::Stream(Box::pin(stream));
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.inner.delete_stream(at)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(
        &self,
        from: &ObjectPath,
        to: &ObjectPath,
        o: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, o).await
    }
}

#[test]
fn a_store_that_misbehaves_gives_a_clear_error_and_no_answer() {
    let m = make("pq:4", 1100, 12);
    for (how, code) in [
        (How::Fail, Code::Io),
        (How::Hang, Code::Io),
        (How::Shorten, Code::Damaged),
        (How::Flip, Code::Damaged),
    ] {
        // The first operation puts the object; the reads after it fail one after the other.
        let mut from = 2;
        loop {
            let faulty = Arc::new(Faulty::new(how, from));
            let store =
                Store::new(faulty.clone(), "faulty".into()).unwrap().with_timeout(Duration::from_millis(20));
            let place = place(store, &m.bytes);
            let read =
                ColdBlock::open(place, &expect(m.written.seal)).and_then(|b| b.verify(Some(&m.quantizer)));
            if faulty.count.load(Ordering::Relaxed) < from {
                assert_eq!(read.unwrap(), m.written.summary);
                break;
            }
            // A wrong length of the whole object is not among these faults: only reads are cut.
            match read {
                Err(e) => {
                    assert_eq!(e.code(), code, "{how:?} from {from}: {e}");
                    assert!(e.to_string().contains("faulty"), "{e}");
                }
                Ok(_) => assert!(
                    matches!(how, How::Shorten | How::Flip) && faulty.reads.load(Ordering::Relaxed) == 0
                ),
            }
            from += if from < 12 { 1 } else { 9 };
        }
        assert!(from > 8, "{how:?}: {from}");
    }
}

#[test]
fn a_failed_put_leaves_no_object() {
    for how in [How::Fail, How::Hang] {
        let faulty = Arc::new(Faulty::new(how, 1));
        let store =
            Store::new(faulty.clone(), "faulty".into()).unwrap().with_timeout(Duration::from_millis(20));
        let e = store.put(NAME, vec![1; 100]).unwrap_err();
        assert_eq!(e.code(), Code::Io);
        assert!(e.hint().is_some());
        let store = Store::new(Arc::new(Faulty::new(How::Work, 1)), "again".into()).unwrap();
        assert_eq!(store.len(NAME).unwrap(), None);
    }
}

#[test]
fn a_cache_saves_reads_and_its_damage_is_repaired() {
    let m = make("pq:4", 1100, 12);
    let dir = tempfile::tempdir().unwrap();
    let cache = Arc::new(Cache::open(dir.path(), 64 << 20).unwrap());
    let faulty = Arc::new(Faulty::new(How::Work, 1));
    let mut place = place(Store::new(faulty.clone(), "remote".into()).unwrap(), &m.bytes);
    place.cache = Some(cache);
    let reads = || faulty.reads.load(Ordering::Relaxed);
    let verify = || {
        let b = ColdBlock::open(place.clone(), &expect(m.written.seal)).unwrap();
        assert_eq!(b.verify(Some(&m.quantizer)).unwrap(), m.written.summary);
    };
    verify();
    let first = reads();
    assert!(first > 0);
    verify();
    assert_eq!(reads(), first);
    for piece in std::fs::read_dir(dir.path()).unwrap() {
        let path = piece.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let n = bytes.len();
        bytes[n / 2] ^= 1;
        bytes[n - 70] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    verify();
    assert!(reads() > first);
}
