//! Parquet, Arrow and NPY readers end to end: types, limits, damage.

use super::tests::{file, read_all, read_in_batches};
use super::*;
use crate::error::Code;
use ::parquet::arrow::ArrowWriter;
use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder, StringDictionaryBuilder};
use arrow_array::types::{Float16Type, Float64Type, Int32Type};
use arrow_array::*;
use arrow_schema::{DataType, Field};
use std::path::PathBuf;
use std::sync::Arc;

const DIM: usize = 3;

fn value(i: usize, k: usize) -> f32 {
    (i * DIM + k) as f32 * 0.25
}

fn fixed_lists(n: usize) -> ArrayRef {
    let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), DIM as i32);
    for i in 0..n {
        (0..DIM).for_each(|k| builder.values().append_value(value(i, k)));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

fn table(n: usize) -> RecordBatch {
    let ids: ArrayRef = Arc::new(UInt64Array::from_iter_values((0..n as u64).map(|i| u64::MAX - i)));
    let times = TimestampMicrosecondArray::from_iter_values((0..n as i64).map(|i| i * 1_000_000 - 5));
    let mut langs = StringDictionaryBuilder::<Int32Type>::new();
    (0..n).for_each(|i| if i % 3 == 0 { langs.append_null() } else { langs.append_value("en") });
    RecordBatch::try_from_iter_with_nullable([
        ("skipped", Arc::new(Int32Array::from_iter_values(0..n as i32)) as ArrayRef, false),
        ("entity_id", ids, false),
        ("timestamp", Arc::new(times.with_timezone("UTC")), false),
        ("vector", fixed_lists(n), false),
        ("lang", Arc::new(langs.finish()), true),
    ])
    .unwrap()
}

fn parquet_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    out
}

fn stream_bytes(batch: &RecordBatch, zstd: bool) -> Vec<u8> {
    let options = arrow_ipc::writer::IpcWriteOptions::default()
        .try_with_compression(zstd.then_some(arrow_ipc::CompressionType::ZSTD))
        .unwrap();
    let mut out = Vec::new();
    let mut writer =
        arrow_ipc::writer::StreamWriter::try_new_with_options(&mut out, &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    out
}

fn ipc_file_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut out, &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    out
}

fn options() -> InputOptions {
    InputOptions {
        meta: MetaColumns::List(vec!["lang".into()]),
        source: Some("s".into()),
        ..InputOptions::new(DIM, IdKind::U64)
    }
}

fn every_form(batch: &RecordBatch) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("x.parquet", parquet_bytes(batch)),
        ("x.arrows", stream_bytes(batch, false)),
        ("z.arrows", stream_bytes(batch, true)),
        ("x.arrow", ipc_file_bytes(batch)),
    ]
}

#[test]
fn the_same_rows_from_every_form() {
    let (n, mut batch) = (100, InputRows::new(DIM));
    let table = table(n);
    for (name, bytes) in every_form(&table) {
        let (_dir, path) = file(name, &bytes);
        let (rows, bad) = read_in_batches(&path, &options(), 7).unwrap();
        assert!(bad.is_empty() && rows.len() == n, "{name}");
        for i in 0..n {
            assert_eq!(
                (rows.points.entity[i], rows.points.t[i]),
                (u64::MAX - i as u64, i as i64 * 1_000_000 - 5)
            );
            assert_eq!(rows.points.row(i), (0..DIM).map(|k| value(i, k)).collect::<Vec<_>>());
            assert_eq!(rows.points.meta.get(i), if i % 3 == 0 { "" } else { "{\"lang\":\"en\"}" });
            assert_eq!(rows.place[i], i as u64 + 1);
        }
        let mut reader = open(&path, &options(), None).unwrap();
        let limits = Limits { rows: 33, bytes: usize::MAX };
        assert!(reader.next_batch(&mut batch, limits, &mut |_| Ok(())).unwrap());
        let checkpoint = reader.checkpoint();
        assert_eq!(checkpoint.rows, 33);
        let mut reader = open(&path, &options(), Some(&checkpoint)).unwrap();
        assert!(reader.resumed() && reader.next_batch(&mut batch, limits, &mut |_| Ok(())).unwrap());
        assert_eq!((batch.place[0], batch.points.entity[0]), (34, u64::MAX - 33), "{name}");
    }
}

fn read_table(columns: Vec<(&str, ArrayRef)>, options: &InputOptions) -> Result<(InputRows, Vec<BadRow>)> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let (_a, parquet) = file("x.parquet", &parquet_bytes(&batch));
    let (_b, stream) = file("x.arrows", &stream_bytes(&batch, false));
    let (from_parquet, from_stream) = (read_all(&parquet, options), read_all(&stream, options));
    if let (Ok(a), Ok(b)) = (&from_parquet, &from_stream) {
        assert_eq!(a.0.points.entity, b.0.points.entity);
        assert_eq!(
            (&a.0.points.t, &a.0.points.meta, &a.0.points.x),
            (&b.0.points.t, &b.0.points.meta, &b.0.points.x)
        );
    }
    assert_eq!(from_parquet.is_ok(), from_stream.is_ok());
    from_stream
}

fn one_row(t: ArrayRef, unit: Option<TimeUnit>) -> Result<i64> {
    let ids: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let options = InputOptions { time_unit: unit, ..InputOptions::new(DIM, IdKind::U64) };
    let (rows, bad) = read_table(vec![("entity", ids), ("t", t), ("vector", fixed_lists(1))], &options)?;
    match bad.into_iter().next() {
        Some(b) => Err(b.into_error()),
        None => Ok(rows.points.t[0]),
    }
}

#[test]
fn times_of_every_type() {
    let day = crate::time::US_PER_DAY;
    let cases: Vec<(ArrayRef, Option<TimeUnit>, Result<i64, Code>)> = vec![
        (Arc::new(TimestampSecondArray::from(vec![-5])), None, Ok(-5_000_000)),
        (Arc::new(TimestampMillisecondArray::from(vec![5])), None, Ok(5_000)),
        (Arc::new(TimestampMicrosecondArray::from(vec![i64::MIN])), None, Ok(i64::MIN)),
        (Arc::new(TimestampNanosecondArray::from(vec![-1])), None, Ok(-1)),
        (Arc::new(TimestampMillisecondArray::from(vec![i64::MAX])), None, Err(Code::BadTime)),
        (Arc::new(Date32Array::from(vec![-1])), None, Ok(-day)),
        (Arc::new(Date64Array::from(vec![86_400_000])), None, Ok(day)),
        (Arc::new(Int64Array::from(vec![5])), None, Err(Code::BadTime)),
        (Arc::new(Int64Array::from(vec![5])), Some(TimeUnit::Ms), Ok(5_000)),
        (Arc::new(UInt64Array::from(vec![u64::MAX])), Some(TimeUnit::Us), Err(Code::BadTime)),
        (Arc::new(UInt16Array::from(vec![1971])), Some(TimeUnit::Year), Ok(365 * day)),
        (Arc::new(StringArray::from(vec!["1970-01-02"])), None, Ok(day)),
        (Arc::new(LargeStringArray::from(vec!["never"])), None, Err(Code::BadTime)),
        (Arc::new(Float64Array::from(vec![1.5])), Some(TimeUnit::S), Ok(1_500_000)),
        (Arc::new(Float64Array::from(vec![1.5])), None, Err(Code::BadTime)),
        (Arc::new(Float64Array::from(vec![f64::NAN])), Some(TimeUnit::S), Err(Code::BadTime)),
        (Arc::new(Int64Array::from(vec![i64::MIN])), Some(TimeUnit::Ns), Err(Code::BadTime)),
        (Arc::new(Date32Array::from(vec![i32::MAX])), None, Err(Code::BadTime)),
        (Arc::new(BooleanArray::from(vec![true])), Some(TimeUnit::S), Err(Code::BadFile)),
        (Arc::new(TimestampSecondArray::from(vec![None])), None, Err(Code::BadTime)),
    ];
    for (array, unit, want) in cases {
        let what = format!("{array:?}");
        assert_eq!(one_row(array, unit).map_err(|e| e.code()), want, "{what}");
    }
}

#[test]
fn vectors_of_every_type() {
    let wide = FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>(
        vec![
            Some(vec![Some(0.1), Some(-0.0), Some(3.0)]),
            None,
            Some(vec![Some(1e39), Some(0.0), Some(0.0)]),
        ],
        3,
    );
    let half = ListArray::from_iter_primitive::<Float16Type, _, _>(vec![
        Some(vec![Some(half::f16::from_f32(0.5)); 3]),
        Some(vec![Some(half::f16::NAN); 3]),
        Some(vec![None; 3]),
    ]);
    let mut ragged = ListBuilder::new(Float32Builder::new());
    for len in [3, 2, 0] {
        ragged.values().append_slice(&vec![1.0; len]);
        ragged.append(true);
    }
    let large: LargeListArray =
        LargeListArray::from_iter_primitive::<Float64Type, _, _>(vec![Some(vec![Some(2.0); 3]); 3]);
    let text = StringArray::from(vec!["[1,2,3]", "[1,2]", "x"]);
    let columns: Vec<(ArrayRef, Vec<Code>)> = vec![
        (Arc::new(wide), vec![Code::BadRow, Code::NotFinite]),
        (Arc::new(half), vec![Code::NotFinite, Code::BadRow]),
        (Arc::new(ragged.finish()), vec![Code::DimMismatch, Code::DimMismatch]),
        (Arc::new(large), vec![]),
        (Arc::new(text), vec![Code::DimMismatch, Code::BadRow]),
    ];
    for (vector, want) in columns {
        let what = vector.data_type().to_string();
        let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let t: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, 2]));
        let options = InputOptions::new(DIM, IdKind::U64);
        let (rows, bad) =
            read_table(vec![("entity", ids), ("t", t), ("embedding", vector)], &options).unwrap();
        assert_eq!(rows.len() + bad.len(), 3, "{what}");
        assert_eq!(bad.iter().map(|b| b.code).collect::<Vec<_>>(), want, "{what}");
        assert!(bad.iter().all(|b| b.column.as_deref() == Some("embedding")));
        assert!(rows.points.x.iter().all(|v| v.to_bits() != (-0.0f32).to_bits()));
    }
    let each: Vec<(&str, ArrayRef)> = vec![
        ("entity", Arc::new(Int64Array::from(vec![1, 2]))),
        ("t", Arc::new(Date32Array::from(vec![0, 1]))),
        ("v0", Arc::new(Float32Array::from(vec![1.0, 2.0]))),
        ("v1", Arc::new(Float64Array::from(vec![Some(1.0), None]))),
        ("v2", Arc::new(Float32Array::from(vec![-0.0, 2.0]))),
    ];
    let (rows, bad) = read_table(each, &InputOptions::new(DIM, IdKind::U64)).unwrap();
    assert_eq!(rows.points.x, [1.0, 1.0, 0.0]);
    assert_eq!((bad[0].row, bad[0].column.as_deref()), (Some(2), Some("v1")));
}

#[test]
fn entities_and_nested_metadata() {
    let inner = StructArray::from(vec![
        (
            Arc::new(Field::new("b", DataType::Float32, true)),
            Arc::new(Float32Array::from(vec![Some(0.1), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("a", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![Some(-3), Some(4)])),
        ),
    ]);
    let tags = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let mut names = StringDictionaryBuilder::<Int32Type>::new();
    names.append_value("b\"é");
    names.append_value("b");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("entity", Arc::new(names.finish())),
        ("t", Arc::new(Date32Array::from(vec![0, 1]))),
        ("vector", fixed_lists(2)),
        ("metadata", Arc::new(inner)),
        ("tags", Arc::new(tags)),
        ("day", Arc::new(Date32Array::from(vec![Some(1), None]))),
        ("at", Arc::new(TimestampSecondArray::from(vec![Some(0), None]).with_timezone("UTC"))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
    ];
    let (rows, bad) = read_table(columns, &InputOptions::new(DIM, IdKind::Name)).unwrap();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(rows.names.iter().collect::<Vec<_>>(), ["b\"é", "b"]);
    let want = r#"{"a":-3,"at":"1970-01-01T00:00:00Z","b":0.1,"day":"1970-01-02","ok":true,"tags":[1,null]}"#;
    assert_eq!(rows.points.meta.iter().collect::<Vec<_>>(), [want, r#"{"a":4}"#]);

    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(-1), None, Some(5)]));
    let t: ArrayRef = Arc::new(Date32Array::from(vec![0, 1, 2]));
    let columns = vec![("entity_id", ids), ("t", t), ("vector", fixed_lists(3))];
    let (rows, bad) = read_table(columns, &InputOptions::new(DIM, IdKind::U64)).unwrap();
    assert_eq!((rows.points.entity, bad.len()), (vec![5], 2));
    assert!(bad.iter().all(|b| b.code == Code::BadEntity));
}

/// An `.npy` file of a type and shape.
fn npy(descr: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(body);
    out
}

fn npy_options(dir: &Path, ids: &str, times: &str) -> InputOptions {
    InputOptions {
        ids_file: Some(dir.join(ids)),
        times_file: Some(dir.join(times)),
        ..InputOptions::new(2, IdKind::U64)
    }
}

/// Three vectors with their ids and times in every form.
fn npy_files() -> (tempfile::TempDir, PathBuf) {
    let x = [1.0f32, -0.0, f32::NAN, 1.0, 0.5, 2.5];
    let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
    let (dir, path) = file("x.npy", &npy("<f4", "3, 2", &bytes));
    let wide: Vec<u8> = x.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
    let half: Vec<u8> = x.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
    let ids: Vec<u8> = [7u32, 8, 9].iter().flat_map(|v| v.to_le_bytes()).collect();
    let times: Vec<u8> = [-1i64, 0, 86_400].iter().flat_map(|v| v.to_le_bytes()).collect();
    for (name, content) in [
        ("x8.npy", npy("<f8", "3, 2", &wide)),
        ("x2.npy", npy("<f2", "3, 2", &half)),
        ("ids.npy", npy("<u4", "3,", &ids)),
        ("times.npy", npy("<M8[s]", "3,", &times)),
        ("raw.npy", npy("<i8", "3,", &times)),
        ("ids.txt", b"7\n8\n9".to_vec()),
        ("times.txt", b"1969-12-31T23:59:59Z\r\n1970-01-01\n1970-01-02\n".to_vec()),
        ("short.txt", b"7\n".to_vec()),
        ("more.txt", b"t\n1970-01-01\n1970-01-01\n1970-01-01\n\n".to_vec()),
        ("more.csv", b"entity_id\n1\n2\n3\n4\n".to_vec()),
        ("twice.npy", npy("<f4", "3, 2", &[bytes.clone(), bytes.clone()].concat())),
        ("two.npy", npy("<u4", "2,", &ids)),
        ("big.npy", npy(">f4", "3, 2", &bytes)),
        ("cut.npy", npy("<f4", "4, 2", &bytes)),
        ("vast.npy", npy("<f4", "18446744073709551615, 2", &bytes)),
        ("flat.npy", npy("<f4", "6,", &bytes)),
        ("deep.npy", npy("<f4", "2, 3", &bytes)),
    ] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    (dir, path)
}

#[test]
fn arrays_of_vectors() {
    let (dir, _) = npy_files();
    for (x, ids, times) in [
        ("x.npy", "ids.npy", "times.npy"),
        ("x8.npy", "ids.txt", "times.txt"),
        ("x2.npy", "ids.npy", "times.txt"),
    ] {
        let options = npy_options(dir.path(), ids, times);
        let (rows, bad) = read_in_batches(&dir.path().join(x), &options, 1).unwrap();
        assert_eq!((rows.points.entity.as_slice(), rows.place.as_slice()), (&[7, 9][..], &[1, 3][..]), "{x}");
        assert_eq!(rows.points.t, [-1_000_000, 86_400_000_000]);
        assert_eq!(
            rows.points.x.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            [1.0f32, 0.0, 0.5, 2.5].map(f32::to_bits)
        );
        assert_eq!((bad[0].row, bad[0].code, bad.len()), (Some(2), Code::NotFinite, 1));
        let checkpoint = Checkpoint { rows: 2, byte: 0, prefix: 0 };
        let mut reader = open(&dir.path().join(x), &options, Some(&checkpoint)).unwrap();
        let mut batch = InputRows::new(2);
        let limits = Limits { rows: 9, bytes: usize::MAX };
        assert!(reader.next_batch(&mut batch, limits, &mut |_| Ok(())).unwrap());
        assert_eq!((batch.points.entity[0], reader.checkpoint().rows), (9, 3));
    }
}

#[test]
fn arrays_that_do_not_fit() {
    let (dir, _) = npy_files();
    for (x, ids, times, say) in [
        ("x.npy", "two.npy", "times.npy", "the vectors need [3]"),
        ("x.npy", "short.txt", "times.npy", "1 lines for 3 vectors"),
        ("x.npy", "times.txt", "x.npy", "the vectors need [3]"),
        ("x.npy", "ids.npy", "more.txt", "4 lines for 3 vectors"),
        ("x.npy", "more.csv", "times.npy", "4 rows for 3 vectors"),
        ("twice.npy", "ids.npy", "times.npy", "stand behind the array"),
        ("x.npy", "ids.npy", "raw.npy", "which unit"),
        ("x.npy", "none.npy", "times.npy", "cannot open"),
        ("big.npy", "ids.npy", "times.npy", "`>f4`"),
        ("cut.npy", "ids.npy", "times.npy", "needs more"),
        ("vast.npy", "ids.npy", "times.npy", "needs more"),
        ("flat.npy", "ids.npy", "times.npy", "rows and components"),
        ("deep.npy", "ids.npy", "times.npy", "has 3 values"),
    ] {
        let mut options = npy_options(dir.path(), ids, times);
        options.format = Some(Format::Npy);
        let e = read_in_batches(&dir.path().join(x), &options, 9).map(|(_, bad)| bad).unwrap_err();
        assert!(e.message().contains(say), "{x} {ids} {times}: {e}");
    }
    let e = open(&dir.path().join("x.npy"), &InputOptions::new(2, IdKind::U64), None).unwrap_err();
    assert!(e.message().contains("‹ids-file›"));
}

/// Reads damaged bytes: rows or an error of the input, never a panic.
fn survives(name: &str, bytes: &[u8], options: &InputOptions) {
    let (_dir, path) = file(name, bytes);
    if let Err(e) = read_all(&path, options) {
        assert!(matches!(e.exit_code(), 1), "{name}: {e}");
    }
}

#[test]
fn flipped_and_cut_files_never_panic() {
    let batch = table(6);
    let options = options();
    for (name, bytes) in every_form(&batch) {
        for at in (0..bytes.len()).step_by(13) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            survives(name, &flipped, &options);
            flipped[at] = 0xff;
            survives(name, &flipped, &options);
        }
        for len in (0..bytes.len()).step_by(41) {
            survives(name, &bytes[..len], &options);
        }
    }
    let (dir, path) = npy_files();
    let options = npy_options(dir.path(), "ids.npy", "times.npy");
    let bytes = std::fs::read(path).unwrap();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        survives("y.npy", &flipped, &options);
        survives("y.npy", &bytes[..at], &options);
    }
}

#[test]
fn promises_beyond_the_file_are_refused() {
    // A zstd buffer that says it unpacks to 2^40 bytes.
    let batch = table(400);
    let bytes = stream_bytes(&batch, true);
    let frame = b"\x28\xb5\x2f\xfd";
    let mut hits = 0;
    for at in 8..bytes.len() - 4 {
        if &bytes[at..at + 4] == frame {
            let mut lying = bytes.clone();
            lying[at - 8..at].copy_from_slice(&(1i64 << 40).to_le_bytes());
            let (_dir, path) = file("x.arrows", &lying);
            let e = read_all(&path, &options()).unwrap_err();
            assert!(e.message().contains("unpacks to"), "{e}");
            hits += 1;
        }
    }
    assert!(hits > 0);
    let (_dir, path) = file("x.parquet", b"PAR1");
    assert_eq!(open(&path, &options(), None).unwrap_err().code(), Code::BadFile);
    let (_dir, path) = file("cut.arrow", &ipc_file_bytes(&batch)[..900]);
    assert!(open(&path, &options(), None).unwrap_err().message().contains("end is missing"));
}
