//! Files as the libraries write them that users have them from: testdata/writers.

use super::tests::{file, read_all};
use super::*;
use crate::error::Code;
use crate::time::{TimeFormat, format_time};

pub(super) fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/writers").join(name)
}

fn read(name: &str) -> (InputRows, Vec<BadRow>) {
    read_all(&path(name), &InputOptions::new(2, IdKind::U64)).unwrap()
}

fn good(name: &str) -> InputRows {
    let (rows, bad) = read(name);
    assert!(bad.is_empty(), "{name}: {bad:?}");
    rows
}

fn refused(name: &str) -> Error {
    read_all(&path(name), &InputOptions::new(2, IdKind::U64)).map(|_| name.to_owned()).unwrap_err()
}

pub(super) fn times(rows: &InputRows) -> Vec<String> {
    rows.points.t.iter().map(|t| format_time(*t, TimeFormat::Rfc3339)).collect()
}

#[test]
fn int96_times_are_those_that_were_written() {
    let rows = good("int96.parquet");
    let want = ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2024-05-06T07:08:09.000010Z"];
    assert_eq!(times(&rows), want);
    for (meta, t) in rows.points.meta.iter().zip(want) {
        assert_eq!(meta, format!("{{\"span\":{{\"until\":\"{t}\"}},\"valid_to\":\"{t}\"}}"));
    }
}

#[test]
fn packings_and_codings() {
    for name in ["brotli.parquet", "lz4.arrow"] {
        assert_eq!(good(name).points.x, [0.5, 0.0, 1.5, 1.0], "{name}");
    }
    for name in ["polars.arrow", "polars-zstd.arrow"] {
        let rows = good(name);
        assert_eq!(rows.points.x, [0.5, 0.0, 1.5, 1.0, 2.5, 2.0], "{name}");
        assert_eq!(
            rows.points.meta.iter().collect::<Vec<_>>(),
            ["{\"lang\":\"en\"}", "{\"lang\":\"de\"}", ""]
        );
    }
    let rows = good("coded.arrow");
    assert_eq!(rows.points.entity, [7, 9, 7]);
    assert_eq!(times(&rows)[2], "2024-01-03T00:00:00Z");
    for name in ["rows.csv.gz", "rows.csv.bz2", "rows.csv.zst"] {
        let rows = good(name);
        assert_eq!((rows.points.entity.as_slice(), rows.points.x.len()), (&[1, 2][..], 4), "{name}");
        assert_eq!(times(&rows), ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"], "{name}");
    }
    for name in ["blob.parquet", "blob-fixed.parquet"] {
        assert_eq!(good(name).points.x, [0.0, 0.5, 1.0, 0.5], "{name}");
        assert_eq!(dimension(&path(name), &InputOptions::new(1, IdKind::U64)).unwrap(), 2, "{name}");
    }
}

#[test]
fn metadata_of_odd_types() {
    let rows = good("map.parquet");
    assert_eq!(rows.points.meta.iter().collect::<Vec<_>>(), ["{\"a\":2,\"b\":1}", ""]);
    // Of a key that is given twice the last value counts, as the Parquet format has it.
    let rows = good("map-twice.parquet");
    assert_eq!(
        rows.points.meta.iter().collect::<Vec<_>>(),
        ["{\"tags\":{\"k\":\"w\",\"l\":\"x\"}}", "{\"k\":\"v\"}"]
    );
    let rows = good("infinity.parquet");
    let meta: Vec<serde_json::Value> =
        rows.points.meta.iter().map(|m| serde_json::from_str(m).unwrap()).collect();
    assert_eq!((&meta[0]["until"], &meta[1]["until"]), (&"infinity".into(), &"-infinity".into()));
    assert_eq!((&meta[0]["at"], &meta[1]["at"]), (&"infinity".into(), &"-infinity".into()));
    assert_eq!((&meta[2]["until"], &meta[0]["far"]), (&"2022-01-08".into(), &"+31690708-07-05".into()));
}

#[test]
fn ids_and_times_as_tables_with_gaps_have_them() {
    let options = InputOptions { time_unit: Some(TimeUnit::S), ..InputOptions::new(2, IdKind::U64) };
    let (rows, bad) = read_all(&path("floats.parquet"), &options).unwrap();
    assert_eq!((rows.points.entity, rows.points.t), (vec![1, 2], vec![1_500_000, 1_700_000_000_100_000]));
    assert_eq!((bad.len(), bad[0].code), (1, Code::BadEntity));
    let e = refused("floats.parquet");
    assert!(e.code() == Code::BadTime && e.message().contains("which unit"), "{e}");
    let (rows, bad) = read_all(&path("uuid.parquet"), &InputOptions::new(2, IdKind::Name)).unwrap();
    assert_eq!((rows.names.get(0), bad.len()), ("00010203-0405-0607-0809-0a0b0c0d0e0f", 0));
    let (rows, bad) = read("uuid.parquet");
    assert!(rows.is_empty() && bad[0].hint.as_deref().unwrap().contains("‹ids string›"));
}

#[test]
fn arrays_with_missing_times_and_ids_of_all_kinds() {
    let npy = |ids: &str, times: &str| {
        let options = InputOptions {
            ids_file: Some(path(ids)),
            times_file: Some(path(times)),
            ..InputOptions::new(2, IdKind::Name)
        };
        read_all(&path("x.npy"), &options).unwrap()
    };
    for (file, last) in [("nat.npy", "1969-12-31T23:59:59.999999Z"), ("nat-ns.npy", "1969-12-31T00:00:00Z")] {
        let (rows, bad) = npy("names.npy", file);
        assert_eq!(rows.names.iter().collect::<Vec<_>>(), ["alice", "c"], "{file}");
        assert_eq!(times(&rows)[1], last, "{file}");
        assert!(bad.len() == 1 && bad[0].row == Some(2) && bad[0].message.contains("NaT"), "{bad:?}");
    }
    let (rows, bad) = npy("float-ids.npy", "days.npy");
    assert_eq!((rows.names.iter().collect::<Vec<_>>(), bad.len()), (vec!["1", "2", "3"], 0));
    assert_eq!(times(&rows)[1..], ["1969-12-31T00:00:00Z", "1970-01-02T00:00:00Z"]);
    let options = InputOptions { format: Some(Format::Npy), ..InputOptions::new(2, IdKind::U64) };
    let e = open(&path("fortran.npy"), &options, None).unwrap_err();
    assert!(e.hint().unwrap().contains("ascontiguousarray"), "{e}");
    let e = open(&path("twice.npy"), &options, None).unwrap_err();
    assert!(e.message().contains("152 bytes stand behind the array"), "{e}");
}

#[test]
fn streams_and_files_one_after_the_other() {
    let bytes = |name: &str| std::fs::read(path(name)).unwrap();
    let options = InputOptions::new(2, IdKind::U64);
    let (_dir, both) = file("x.arrows", &[bytes("part1.arrows"), bytes("part2.arrows")].concat());
    let (rows, bad) = read_all(&both, &options).unwrap();
    assert_eq!((rows.points.entity, rows.place, bad.len()), (vec![1, 2], vec![1, 2], 0));
    // A stream may also end without its end mark.
    let first = bytes("part1.arrows");
    let (_dir, both) = file("x.arrows", &[&first[..first.len() - 8], &bytes("part2.arrows")].concat());
    assert_eq!(read_all(&both, &options).unwrap().0.points.entity, [1, 2]);
    let mut other = bytes("part2.arrows");
    let at = other.windows(9).position(|w| w == b"entity_id").unwrap();
    other[at] = b'E';
    let (_dir, both) = file("x.arrows", &[first, other].concat());
    assert!(read_all(&both, &options).unwrap_err().message().contains("other columns"));
    for (one, two) in
        [("lz4.arrow", "lz4.arrow"), ("polars.arrow", "lz4.arrow"), ("coded.arrow", "coded.arrow")]
    {
        let (_dir, both) = file("x.arrow", &[bytes(one), bytes(two)].concat());
        let e = read_all(&both, &options).unwrap_err();
        assert!(e.message().contains("leaves") && e.hint().unwrap().contains("file of its own"), "{e}");
    }
    for two in ["map.parquet", "brotli.parquet", "long-text.parquet"] {
        let (_dir, both) = file("x.parquet", &[bytes("brotli.parquet"), bytes(two)].concat());
        let e = read_all(&both, &options).unwrap_err();
        assert!(e.message().contains("one behind the other"), "{two}: {e}");
    }
    let e = refused("big-endian.arrows");
    assert!(e.message().contains("big-endian") || e.message().contains("no column"), "{e}");
}

#[test]
fn directories_and_checksums_that_lie() {
    let e = refused("crc.parquet");
    assert!(e.message().contains("CRC"), "{e}");
    // Its directory says no rows, its row group six: pyarrow and DuckDB read six.
    let options = InputOptions {
        map: Mapping::parse("entity=id,t=id").unwrap(),
        vector_cols: Some(("id".into(), "id".into())),
        time_unit: Some(TimeUnit::Us),
        meta: MetaColumns::None,
        ..InputOptions::new(1, IdKind::U64)
    };
    let (rows, bad) = read_all(&path("repeated_no_annotation.parquet"), &options).unwrap();
    assert_eq!((rows.len(), bad.len()), (6, 0));
}

#[test]
fn memory_is_checked_before_it_is_taken() {
    let options = InputOptions { memory: 128 << 20, ..InputOptions::new(2, IdKind::U64) };
    let e = read_all(&path("long-list.parquet"), &options).unwrap_err();
    assert!(e.message().contains("memory allowed") && e.hint().unwrap().contains("‹memory›"), "{e}");
    // A text that stands once in the file stands once in memory; as metadata it is too long.
    let (rows, bad) = read_all(&path("long-text.parquet"), &options).unwrap();
    assert_eq!((rows.len(), bad.len()), (0, 5000));
    assert!(bad[0].message.contains("65536"), "{:?}", bad[0]);
    let options = InputOptions { meta: MetaColumns::None, ..options };
    assert_eq!(read_all(&path("long-text.parquet"), &options).unwrap().0.len(), 5000);
}
