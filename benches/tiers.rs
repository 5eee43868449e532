//! Warm and cold files: coding and decoding vectors, scanning codes, reading one trajectory
//! from Parquet.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use cvx::format::container::Seal;
use cvx::fsio::{Publish, TempFile};
use cvx::model::{Key, TimeRange};
use cvx::points::{KeptPoints, Origin};
use cvx::pq::{CHUNK_ROWS, Codec, Quantizer};
use cvx::warm::{Columns, Expect, WarmFile, WarmWriter};
use std::hint::black_box;
use std::path::Path;
use support::{CpuTime, pairs, vectors};

const DIM: usize = 384;
const TRAINING_ROWS: usize = 8_192;
const CODECS: [&str; 6] = ["pq:64", "pq:128x4", "opq:64", "rabitq:1", "sq8", "zstd"];

fn codes(c: &mut Criterion<CpuTime>) {
    let sample = vectors(1, TRAINING_ROWS, DIM);
    let x = &sample[..CHUNK_ROWS * DIM];
    let query = vectors(2, 1, DIM);
    let mut g = c.benchmark_group("codecs384");
    g.throughput(pairs(CHUNK_ROWS));
    for name in CODECS {
        let codec: Codec = name.parse().unwrap();
        let quantizer = Quantizer::train(codec, DIM, &sample, 0).unwrap();
        let chunk = quantizer.encode(x).unwrap();
        g.bench_function(format!("encode/{name}"), |b| b.iter(|| quantizer.encode(black_box(x)).unwrap()));
        g.bench_function(format!("decode/{name}"), |b| {
            let mut out = Vec::with_capacity(x.len());
            b.iter(|| {
                out.clear();
                quantizer.decode(black_box(&chunk), CHUNK_ROWS, 0..CHUNK_ROWS, &mut out).unwrap();
            });
        });
        let prepared = quantizer.query(&query);
        let (mut dots, mut norms2) = (Vec::new(), Vec::new());
        g.bench_function(format!("scan/{name}"), |b| {
            b.iter(|| {
                dots.clear();
                norms2.clear();
                prepared.scan(black_box(&chunk), CHUNK_ROWS, &mut dots, &mut norms2).unwrap();
            });
        });
    }
    g.finish();
}

/// A warm file of `entities` trajectories of `each` points.
fn warm_file(path: &Path, entities: u64, each: usize) -> (Seal, u64) {
    let temporary = TempFile::create(path.with_extension("tmp")).unwrap();
    let mut writer = WarmWriter::create(temporary, [7; 16], 1, DIM, false).unwrap();
    for entity in 0..entities {
        let mut rows = KeptPoints::new(DIM);
        let origin = rows.points.intern(&Origin { source: "bench".into(), model: "m@1".into() });
        for (i, x) in vectors(entity, each, DIM).chunks(DIM).enumerate() {
            rows.points.push(Key { entity, t: i as i64 }, x, "", origin);
            rows.seq.push(entity * each as u64 + i as u64);
            rows.original.push(None);
        }
        writer.write(&rows, None).unwrap();
    }
    let (file, seal, summary) = writer.finish().unwrap();
    file.publish(path, Publish::Replace).unwrap();
    (seal, summary.rows)
}

fn parquet(c: &mut Criterion<CpuTime>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("warm.parquet");
    let (seal, rows) = warm_file(&path, 500, 100);
    let expect = Expect { dataset: [7; 16], id: 1, seal, rows, dim: DIM, named: false };
    let mut g = c.benchmark_group("warm50kx384");
    g.throughput(pairs(100));
    g.bench_function("open", |b| b.iter(|| WarmFile::open(&path, &expect).unwrap()));
    let file = WarmFile::open(&path, &expect).unwrap();
    g.bench_function("trajectory", |b| {
        b.iter(|| {
            let rows = file.find(black_box(250), &TimeRange::ALL).unwrap();
            file.read(&[rows], Columns::ALL).unwrap()
        });
    });
    g.finish();
}

fn config() -> Criterion<CpuTime> {
    Criterion::default()
        .with_measurement(CpuTime)
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(2))
        .without_plots()
}

criterion_group!(name = benches; config = config(); targets = codes, parquet);
criterion_main!(benches);
