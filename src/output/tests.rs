//! Every format from the same rows, against texts written by hand and the formats' own readers.

use super::*;
use crate::time::TimeFormat;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::io::{Seek, Write};

crate::row! {
    /// One of each type.
    pub struct Sample {
        /// An id.
        pub entity_id: Id,
        /// A name.
        pub entity: Option<String>,
        /// A time.
        pub t: Time,
        /// A small float.
        pub distance: f32 => "cosine",
        /// A large one.
        pub score: Option<f64>,
        /// A flag.
        pub approx: bool,
        /// A JSON value.
        pub meta: Option<Meta>,
        /// A vector.
        pub vector: Option<Vec<f32>>,
    }
    wide [approx]
}

fn samples() -> Vec<Sample> {
    let first = Sample {
        entity_id: Id(u64::MAX),
        entity: Some("a \"b\", c".into()),
        t: Time(1_709_294_400_000_000),
        distance: 0.1,
        score: Some(1.0 / 3.0),
        approx: true,
        meta: Some(Meta(r#"{"k":[1,"x"]}"#.into())),
        vector: Some(vec![0.5, -1.25]),
    };
    let second = Sample {
        entity_id: Id(7),
        entity: None,
        t: Time(-1),
        distance: f32::NAN,
        score: Some(f64::INFINITY),
        approx: false,
        meta: None,
        vector: None,
    };
    vec![first, second]
}

/// What `options` makes of `rows`, through a file.
fn bytes_with(options: Options<'_>, rows: &[Sample]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("out");
    let mut out = Output::<Sample>::open(options, Target::file(&dest).unwrap()).unwrap();
    rows.iter().for_each(|r| out.row(r).unwrap());
    assert!(!dest.exists(), "named before it was whole");
    out.finish().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "left something behind");
    std::fs::read(dest).unwrap()
}

fn text(format: Format, change: impl FnOnce(&mut Options<'_>)) -> String {
    let mut options = Options::new(format);
    options.dim = 2;
    change(&mut options);
    String::from_utf8(bytes_with(options, &samples())).unwrap()
}

#[test]
fn jsonl() {
    assert_eq!(
        text(Format::Jsonl, |o| o.style.vectors = Vectors::List),
        concat!(
            r#"{"entity_id":18446744073709551615,"entity":"a \"b\", c","t":"2024-03-01T12:00:00Z","distance":0.1,"#,
            r#""score":0.3333333333333333,"approx":true,"meta":{"k":[1,"x"]},"vector":[0.5,-1.25]}"#,
            "\n",
            r#"{"entity_id":7,"entity":null,"t":"1969-12-31T23:59:59.999999Z","distance":null,"#,
            r#""score":null,"approx":false,"meta":null,"vector":null}"#,
            "\n"
        )
    );
}

#[test]
fn json_is_one_array_even_of_nothing() {
    let some = text(Format::Json, |o| o.style.ids_as_text = true);
    let value: serde_json::Value = serde_json::from_str(&some).unwrap();
    assert_eq!(value[0]["entity_id"], "18446744073709551615");
    assert_eq!(value[1]["distance"], serde_json::Value::Null);
    assert_eq!(value.as_array().unwrap().len(), 2);
    assert!(value[0].get("vector").is_none());
    assert_eq!(bytes_with(Options::new(Format::Json), &[]), b"[]\n");
}

#[test]
fn csv_and_tsv() {
    let csv = text(Format::Csv, |o| {
        o.style.vectors = Vectors::Columns;
        o.style.time = TimeFormat::Us;
        o.style.digits = Some(3);
        o.hidden = &["meta"];
    });
    assert_eq!(
        csv,
        "entity_id,entity,t,distance,score,approx,v0,v1\n\
         18446744073709551615,\"a \"\"b\"\", c\",1709294400000000,0.1,0.333,true,0.5,-1.25\n\
         7,,-1,,,false,,\n"
    );
    let tsv = text(Format::Tsv, |o| {
        o.style.vectors = Vectors::Base64;
        o.style.time = TimeFormat::Date;
        o.hidden = &["score", "approx", "meta"];
    });
    assert_eq!(
        tsv,
        "entity_id\tentity\tt\tdistance\tvector\n\
         18446744073709551615\t\"a \"\"b\"\", c\"\t2024-03-01\t0.1\tAAAAPwAAoL8=\n\
         7\t\t1969-12-31\t\t\n"
    );
}

#[test]
fn csv_has_a_header_without_rows() {
    let header = bytes_with(Options::new(Format::Csv), &[]);
    let names: Vec<&str> = Sample::COLUMNS.iter().map(|c| c.name).filter(|n| *n != "vector").collect();
    assert_eq!(header, format!("{}\n", names.join(",")).as_bytes());
}

#[test]
fn table() {
    let table = text(Format::Table, |o| o.hidden = &["entity"]);
    let rule = "-".repeat(84);
    assert_eq!(
        table,
        format!(
            "           entity_id  t                            distance     score  meta\n\
             {rule}\n\
             18446744073709551615  2024-03-01T12:00:00Z              0.1  0.333333  {{\"k\":[1,\"x\"]}}\n\
             {:>20}  1969-12-31T23:59:59.999999Z         -         -  -\n",
            7
        )
    );
}

#[test]
fn tables_fit_without_wrapping() {
    for width in [10, 20, 40, 60, 90, 200] {
        for unicode in [true, false] {
            let table = text(Format::Table, |o| {
                o.style.width = Some(width);
                o.style.unicode = unicode;
                o.style.vectors = Vectors::List;
            });
            let lines: Vec<&str> = table.lines().filter(|l| !l.starts_with("(too narrow")).collect();
            assert_eq!(lines.len(), 4, "wrapped at {width}:\n{table}");
            // One column of numbers is never cut.
            let widest = lines.iter().map(|l| l.chars().count()).max().unwrap();
            assert!(widest <= width.max(20), "{widest} columns in {width}:\n{table}");
            assert_eq!(table.is_ascii(), !unicode || !table.contains(['…', '─']), "{table}");
        }
    }
}

#[test]
fn a_record_too_wide_stands_upright() {
    let mut options = Options::new(Format::Table);
    options.style.width = Some(30);
    let one = String::from_utf8(bytes_with(options, &samples()[1..])).unwrap();
    let expected = [
        "entity_id  7",
        "entity     -",
        "t          1969-12-31T23:59...",
        "distance   -",
        "score      -",
        "meta       -",
        "",
    ];
    assert_eq!(one, expected.join("\n"));
}

#[test]
fn long_tables_keep_their_columns() {
    let rows: Vec<Sample> = (0..2_500).map(|i| Sample { entity_id: Id(i), ..samples()[1].clone() }).collect();
    let table = String::from_utf8(bytes_with(Options::new(Format::Table), &rows)).unwrap();
    assert_eq!(table.lines().count(), 2_502);
    let at: std::collections::BTreeSet<_> = table.lines().skip(2).map(|l| l.find("1969-12")).collect();
    assert_eq!(at.len(), 1, "columns moved");
}

fn check_batch(batch: &RecordBatch) {
    let names: Vec<_> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(names, ["entity_id", "entity", "t", "distance", "score", "approx", "meta", "vector"]);
    assert_eq!(batch.column(0).as_primitive::<UInt64Type>().values(), &[u64::MAX, 7]);
    assert!(batch.column(1).is_null(1));
    assert_eq!(batch.column(2).as_primitive::<TimestampMicrosecondType>().value(1), -1);
    assert!(batch.column(3).is_null(1), "NaN was written");
    let vectors = batch.column(7).as_fixed_size_list();
    assert_eq!(vectors.value(0).as_primitive::<Float32Type>().values(), &[0.5, -1.25]);
    assert!(vectors.is_null(1));
}

fn binary(format: Format, rows: &[Sample]) -> std::fs::File {
    let mut options = Options::new(format);
    options.dim = 2;
    options.style.vectors = Vectors::List;
    options.stamp = vec![("seed".into(), "0".into())];
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes_with(options, rows)).unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn parquet_reads_back() {
    let reader =
        |rows: &[Sample]| ParquetRecordBatchReaderBuilder::try_new(binary(Format::Parquet, rows)).unwrap();
    let seed = ("cvx.seed".to_string(), "0".to_string());
    assert!(reader(&[]).schema().metadata().iter().any(|(k, v)| (k, v) == (&seed.0, &seed.1)));
    let pairs = reader(&[]).metadata().file_metadata().key_value_metadata().cloned().unwrap();
    assert!(
        pairs.iter().any(|p| p.key == seed.0 && p.value.as_ref() == Some(&seed.1)),
        "not for all readers"
    );
    let batches: Vec<_> = reader(&samples()).build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 1);
    check_batch(&batches[0]);
    assert_eq!(reader(&[]).schema().fields().len(), 8, "no columns without rows");
}

#[test]
fn arrow_reads_back() {
    let file = binary(Format::Arrow, &samples());
    let mut reader = arrow_ipc::reader::FileReader::try_new(file, None).unwrap();
    assert_eq!(reader.schema().metadata().get("cvx.seed").map(String::as_str), Some("0"));
    check_batch(&reader.next().unwrap().unwrap());
}

#[test]
fn a_distance_is_null_where_it_must_not_be_missing() {
    // `distance: f32` is not nullable by type, yet NaN has no text: the column says so.
    let column = Sample::COLUMNS.iter().find(|c| c.name == "distance").unwrap();
    assert!(column.nullable);
}

#[test]
fn an_abandoned_file_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dest = dir.path().join("rows.csv");
    let mut out = Output::<Sample>::open(Options::new(Format::Csv), Target::file(&dest).unwrap()).unwrap();
    out.row(&samples()[0]).unwrap();
    drop(out);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_dataset_holds_no_outputs() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cvx.toml"), "").unwrap();
    std::fs::write(dir.path().join("CURRENT"), "").unwrap();
    std::fs::create_dir(dir.path().join("hot")).unwrap();
    let e = Target::file(&dir.path().join("hot/x.csv")).unwrap_err();
    assert_eq!(e.code(), crate::Code::Usage);
    assert!(e.message().contains("inside the dataset"));
}

/// Pairs in a hash map come in an order of their own in each run; files must not.
#[test]
fn the_same_rows_are_the_same_bytes() {
    for format in [Format::Parquet, Format::Arrow] {
        let make = || {
            let mut options = Options::new(format);
            options.stamp = ["version", "command", "dataset", "commit", "shard", "seed"]
                .map(|k| (k.to_string(), "x".to_string()))
                .to_vec();
            bytes_with(options, &samples())
        };
        let first = make();
        assert!((0..8).all(|_| make() == first), "{format:?}");
    }
}

#[test]
fn links_are_followed_and_devices_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real.csv"), dir.path().join("link.csv"));
    std::fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let mut target = Target::file(&link).unwrap();
    target.write(b"new").unwrap();
    target.finish().unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::read(&real).unwrap(), b"new");
    // As `-o >(program)` names a pipe.
    let (reader, writer) = std::io::pipe().unwrap();
    use std::os::fd::AsRawFd;
    let mut target = Target::file(format!("/dev/fd/{}", writer.as_raw_fd()).as_ref()).unwrap();
    target.write(b"rows").unwrap();
    target.finish().unwrap();
    drop(writer);
    assert_eq!(std::io::read_to_string(reader).unwrap(), "rows");
}
