//! What cold codecs keep and cost: one JSON line a codec. `scripts/bench_pq.py` runs it beside faiss.
//!
//! `cold_codecs X.f32 Q.f32 TRUTH.u32 DIM CODEC..`: rows and queries as raw little-endian f32, and for each
//! query the ordinals of its ten nearest rows by cosine. A codebook learns from every third row. Rates are of
//! the threads that RAYON_NUM_THREADS gives; a scan finds the best 100 of all rows, heap and all.

use cvx::cold::{BlockWriter, ColdBlock, Place, Search, Store};
use cvx::error::{Error, Result};
use cvx::format::container::{Expect, Finished, Kind};
use cvx::metric::Metric;
use cvx::model::Key;
use cvx::points::{KeptPoints, Origin};
use cvx::pq::{CHUNK_ROWS, Codec, Quantizer};
use cvx::simd::reference::dot;
use std::sync::Arc;
use std::time::Instant;

const K: usize = 10;
const CANDIDATES: usize = 100;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [x, q, truth, dim, codecs @ ..] = args.as_slice() else {
        return Err(Error::usage("give X.f32 Q.f32 TRUTH.u32 DIM CODEC.."));
    };
    let dim: usize = dim.parse().map_err(|_| Error::usage("DIM is a number"))?;
    let (x, q) = (floats(x)?, floats(q)?);
    let truth: Vec<u32> = floats(truth)?.into_iter().map(f32::to_bits).collect();
    for codec in codecs {
        println!("{}", measure(codec.parse()?, dim, &x, &q, &truth)?);
    }
    Ok(())
}

fn floats(path: &str) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path.as_ref(), &e))?;
    Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn measure(codec: Codec, dim: usize, x: &[f32], q: &[f32], truth: &[u32]) -> Result<String> {
    let n = x.len() / dim;
    let sample: Vec<f32> = x.chunks_exact(dim).step_by(3).flatten().copied().collect();
    let started = Instant::now();
    let quantizer = Arc::new(Quantizer::train(codec, dim, &sample, 1)?);
    let train_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let chunks: Result<Vec<Vec<u8>>> = x.chunks(CHUNK_ROWS * dim).map(|c| quantizer.encode(c)).collect();
    let chunks = chunks?;
    let encode_s = started.elapsed().as_secs_f64();
    let (block, errors) = block(x, dim, &quantizer)?;
    let started = Instant::now();
    let mut back = Vec::with_capacity(x.len());
    block.decode(&quantizer, 0..n, &mut back)?;
    let decode_s = started.elapsed().as_secs_f64();
    let (mut hits, queries) = ([0usize; 3], q.len() / dim);
    let mut scan_s = 0.0;
    for (q, truth) in q.chunks_exact(dim).zip(truth.chunks_exact(K)) {
        let started = Instant::now();
        let search = Search::new(&quantizer, q, Metric::Cosine);
        let found = search.nearest(&block, 0..n, CANDIDATES, &|_| true)?;
        scan_s += started.elapsed().as_secs_f64();
        let rows: Vec<usize> = found.iter().map(|c| c.row).collect();
        for (hits, depth) in hits.iter_mut().zip([K, 50, CANDIDATES]) {
            *hits += best(x, dim, q, &rows[..depth.min(rows.len())], depth > K)
                .iter()
                .filter(|r| truth.contains(&(**r as u32)))
                .count();
        }
    }
    let recall = hits.map(|h| h as f64 / (queries * K) as f64);
    let bytes = chunks.iter().map(Vec::len).sum::<usize>() as f64 / n as f64;
    Ok(serde_json::json!({
        "codec": codec.to_string(),
        "bytes": bytes,
        "share": bytes / (4 * dim) as f64,
        "error_p50": errors[0],
        "error_p99": errors[1],
        "recall": recall[0],
        "recall_rerank50": recall[1],
        "recall_rerank100": recall[2],
        "train_s": train_s,
        "encode_per_s": n as f64 / encode_s,
        "decode_per_s": n as f64 / decode_s,
        "scan_per_s": (n * queries) as f64 / scan_s,
    })
    .to_string())
}

/// The ten best of some rows: as they are, or ranked by the exact vectors.
fn best(x: &[f32], dim: usize, q: &[f32], rows: &[usize], exact: bool) -> Vec<usize> {
    let mut rows = rows.to_vec();
    if exact {
        let row = |r: usize| &x[r * dim..(r + 1) * dim];
        let cosine = |r: usize| dot(q, row(r)) / dot(row(r), row(r)).sqrt();
        rows.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)));
    }
    rows.truncate(K);
    rows
}

fn block(x: &[f32], dim: usize, quantizer: &Arc<Quantizer>) -> Result<(ColdBlock, [f64; 2])> {
    let id = [1; 16];
    let codebook = u64::from(quantizer.codec().is_trained());
    let mut out = BlockWriter::in_memory(id, 1, quantizer.clone(), codebook)?;
    for (first, rows) in (0..).step_by(CHUNK_ROWS).zip(x.chunks(CHUNK_ROWS * dim)) {
        let mut kept = KeptPoints::new(dim);
        let origin = kept.points.intern(&Origin::default());
        for (i, x) in (first..).zip(rows.chunks_exact(dim)) {
            kept.points.push(Key { entity: i, t: 0 }, x, "", origin);
            kept.seq.push(i);
            kept.original.push(None);
        }
        out.push(&kept)?;
    }
    let (finished, written) = out.finish()?;
    let Finished::Memory(bytes) = finished else { return Err(Error::internal("a block in a file")) };
    let store = Store::in_memory()?;
    store.put("block", bytes)?;
    let place = Place { store: Arc::new(store), cache: None, name: "block".into() };
    let expect = Expect { kind: Kind::ColdBlock, dataset: id, id: 1, seal: written.seal };
    Ok((ColdBlock::open(place, &expect)?, [written.errors.p50, written.errors.p99]))
}
