//! How fast input is read at D = 768, against the parsers that any tool could use.
//!
//! `cargo bench --bench input`. Text rates are bytes of text per second on one thread, from a
//! file in the page cache; `serde_json` and `csv` parse the same bytes in the same run, typed,
//! line by line from memory, and do nothing else with them.

use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cvx::input::{IdKind, InputOptions, InputRows, Limits, open};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

const DIM: usize = 768;
const ROWS: usize = 2_000;

/// Components like those of unit vectors: about 0.04 in size, all digits of an f32.
fn component(i: usize) -> f32 {
    let bits = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (bits as f32 / (1u32 << 24) as f32 - 0.5) * 0.12
}

fn vector(row: usize) -> Vec<f32> {
    (0..DIM).map(|k| component(row * DIM + k + 1)).collect()
}

fn jsonl() -> String {
    (0..ROWS)
        .map(|i| {
            let vector = serde_json::to_string(&vector(i)).unwrap_or_default();
            format!("{{\"entity_id\":{i},\"timestamp\":\"2024-01-01T00:00:00Z\",\"vector\":{vector},\"metadata\":{{\"lang\":\"en\"}}}}\n")
        })
        .collect()
}

fn csv_list() -> String {
    let mut text = "entity_id,timestamp,vector\n".to_owned();
    for i in 0..ROWS {
        let vector = serde_json::to_string(&vector(i)).unwrap_or_default();
        text.push_str(&format!("{i},2024-01-01T00:00:00Z,\"{vector}\"\n"));
    }
    text
}

fn csv_wide() -> String {
    let names: Vec<String> = (0..DIM).map(|k| format!("v{k}")).collect();
    let mut text = format!("entity_id,timestamp,{}\n", names.join(","));
    for i in 0..ROWS {
        let cells: Vec<String> =
            vector(i).iter().map(|v| serde_json::to_string(v).unwrap_or_default()).collect();
        text.push_str(&format!("{i},2024-01-01T00:00:00Z,{}\n", cells.join(",")));
    }
    text
}

fn batch() -> RecordBatch {
    let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), DIM as i32);
    for i in 0..ROWS {
        vectors.values().append_slice(&vector(i));
        vectors.append(true);
    }
    let ids: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..ROWS as u64));
    let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(0..ROWS as i64));
    let columns =
        [("entity_id", ids), ("timestamp", times), ("vector", Arc::new(vectors.finish()) as ArrayRef)];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Reads a whole file into batches, returns the rows.
fn read(path: &Path) -> usize {
    let options = InputOptions::new(DIM, IdKind::U64);
    let mut reader = open(path, &options, None).expect("the bench wrote this file");
    let mut rows = InputRows::new(DIM);
    let limits = Limits { rows: 65_536, bytes: 64 << 20 };
    let mut total = 0;
    while reader.next_batch(&mut rows, limits, &mut |bad| Err(bad.into_error())).expect("good rows") {
        total += rows.len();
    }
    total
}

#[derive(serde::Deserialize)]
struct Line<'a> {
    entity_id: u64,
    timestamp: &'a str,
    vector: Vec<f32>,
    #[serde(borrow)]
    metadata: &'a serde_json::value::RawValue,
}

fn serde_typed(text: &str) -> f32 {
    text.lines()
        .filter_map(|line| serde_json::from_str::<Line<'_>>(line).ok())
        .map(|l| l.vector[0] + (l.entity_id as usize + l.timestamp.len() + l.metadata.get().len()) as f32)
        .sum()
}

fn csv_typed(text: &str) -> f32 {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut record = csv::ByteRecord::new();
    let mut sum = 0.0;
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        let cells = record.iter().skip(2).filter_map(|c| std::str::from_utf8(c).ok()?.parse::<f32>().ok());
        sum += cells.sum::<f32>();
    }
    sum
}

fn formats(c: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory for the bench");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread");
    let (json, list, wide, batch) = (jsonl(), csv_list(), csv_wide(), batch());
    let mut parquet = Vec::new();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut parquet, batch.schema(), None).expect("a schema");
    writer.write(&batch).and_then(|()| writer.close()).expect("writing to memory");
    let mut arrow = Vec::new();
    let mut writer = arrow_ipc::writer::StreamWriter::try_new(&mut arrow, &batch.schema()).expect("a schema");
    writer.write(&batch).and_then(|()| writer.finish()).expect("writing to memory");
    drop(writer);
    let mut group = c.benchmark_group("read");
    group.sample_size(15);
    for (name, bytes) in [
        ("list.jsonl", json.as_bytes()),
        ("list.csv", list.as_bytes()),
        ("wide.csv", wide.as_bytes()),
        ("plain.parquet", &parquet),
        ("stream.arrow", &arrow),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("the bench writes its own directory");
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| b.iter(|| assert_eq!(one.install(|| read(&path)), ROWS)));
    }
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("serde_json typed", |b| b.iter(|| black_box(serde_typed(&json))));
    group.throughput(Throughput::Bytes(wide.len() as u64));
    group.bench_function("csv and str::parse", |b| b.iter(|| black_box(csv_typed(&wide))));
    group.finish();
}

criterion_group!(benches, formats);
criterion_main!(benches);
