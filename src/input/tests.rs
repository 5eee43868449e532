//! Readers end to end, on small files.

use super::*;
use crate::error::Code;
use crate::points::Origin;
use std::io::Write;

/// Reads everything: the rows, and the bad rows as `(line or row, column, code)`.
pub(super) fn read_all(path: &Path, options: &InputOptions) -> Result<(InputRows, Vec<BadRow>)> {
    read_in_batches(path, options, usize::MAX)
}

pub(super) fn read_in_batches(
    path: &Path,
    options: &InputOptions,
    rows_a_batch: usize,
) -> Result<(InputRows, Vec<BadRow>)> {
    let mut reader = open(path, options, None)?;
    let (mut all, mut batch, mut bad) =
        (InputRows::new(options.dim), InputRows::new(options.dim), Vec::new());
    let limits = Limits { rows: rows_a_batch, bytes: usize::MAX };
    while reader.next_batch(&mut batch, limits, &mut |row| {
        bad.push(row);
        Ok(())
    })? {
        assert!(batch.len() <= rows_a_batch);
        (0..batch.len()).for_each(|i| all.push_from(&batch, i));
    }
    Ok((all, bad))
}

/// A file in a directory of its own, removed with it.
pub(super) fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::File::create(&path).unwrap().write_all(content).unwrap();
    (dir, path)
}

fn verdicts(bad: &[BadRow]) -> Vec<(u64, &str, &str)> {
    bad.iter().map(|b| (b.line.unwrap(), b.column.as_deref().unwrap_or("-"), b.code.as_str())).collect()
}

const DIRTY_JSONL: &[(u64, &str, &str)] = &[
    (3, "vector", "dim_mismatch"),
    (4, "vector", "dim_mismatch"),
    (5, "vector", "dim_mismatch"),
    (6, "vector", "not_finite"),
    (7, "vector", "not_finite"),
    (8, "vector", "bad_row"),
    (9, "vector", "bad_row"),
    (17, "entity_id", "bad_entity"),
    (19, "entity_id", "bad_entity"),
    (20, "entity_id", "bad_entity"),
    (22, "metadata", "bad_metadata"),
    (23, "metadata", "bad_row"),
    (26, "vector", "bad_row"),
    (27, "-", "bad_row"),
    (28, "-", "bad_row"),
    (30, "timestamp", "bad_time"),
    (33, "timestamp", "bad_time"),
    (34, "timestamp", "bad_time"),
    (35, "timestamp", "bad_time"),
    (37, "entity_id", "bad_entity"),
    (38, "timestamp", "bad_time"),
    (39, "vector", "bad_row"),
    (40, "-", "bad_row"),
    (44, "entity_id", "bad_row"),
];

#[test]
fn every_dirty_json_line_is_named() {
    let path = Path::new("testdata/dirty/dirty.jsonl");
    let options = InputOptions::new(8, IdKind::U64);
    for rows in [1, 3, usize::MAX] {
        let (good, bad) = read_in_batches(path, &options, rows).unwrap();
        assert_eq!(verdicts(&bad), DIRTY_JSONL);
        let taken = [1, 2, 10, 11, 12, 13, 16, 18, 21, 24, 25, 29, 31, 32, 36, 41, 42, 43, 45];
        assert_eq!(good.place, taken);
    }
    let (good, _) = read_all(path, &options).unwrap();
    let at = |line: u64| good.place.iter().position(|p| *p == line).unwrap();
    assert_eq!(good.points.entity[at(16)], u64::MAX);
    assert_eq!(good.points.entity[at(18)], (1 << 53) + 1);
    assert_eq!(good.points.entity[at(21)], 1);
    assert_eq!(good.points.t[at(31)], good.points.t[at(32)]);
    assert_eq!(good.points.row(at(42))[0].to_bits(), 1e-42f32.to_bits());
    assert_eq!(good.points.meta.get(at(43)), "{\"extra\":1}");
    assert_eq!(good.points.meta.get(at(24)), "");
    assert_eq!(good.points.origins, [Origin { source: "dirty.jsonl".into(), model: String::new() }]);
}

#[test]
fn a_unit_settles_integer_times() {
    let mut options = InputOptions::new(8, IdKind::U64);
    options.time_unit = Some(TimeUnit::Us);
    let (good, bad) = read_all(Path::new("testdata/dirty/dirty.jsonl"), &options).unwrap();
    let lines: Vec<u64> = bad.iter().map(|b| b.line.unwrap()).collect();
    assert!(!lines.contains(&33) && !lines.contains(&34) && lines.contains(&35));
    let at = good.place.iter().position(|p| *p == 33).unwrap();
    assert_eq!(good.points.t[at], 1_704_067_200_000_000);
}

#[test]
fn faults_name_the_byte() {
    let text = std::fs::read("testdata/dirty/dirty.jsonl").unwrap();
    let options = InputOptions::new(8, IdKind::U64);
    let (_, bad) = read_all(Path::new("testdata/dirty/dirty.jsonl"), &options).unwrap();
    let byte = |line: u64| bad.iter().find(|b| b.line == Some(line)).unwrap().byte.unwrap() as usize;
    assert_eq!(text[byte(27)], 0xe9);
    assert!(text[byte(6)..].starts_with(b"NaN]"));
    assert!(text[byte(7)..].starts_with(b"1e999"));
    assert!(text[byte(17)..].starts_with(b"18446744073709551616"));
    assert!(text[byte(30)..].starts_with(b"\"2024-02-30"));
    assert_eq!(text[byte(26)], b'\n');
    for row in &bad {
        assert!(row.hint.is_some(), "{row:?}");
    }
}

#[test]
fn every_dirty_csv_line_is_named() {
    let path = Path::new("testdata/dirty/dirty.csv");
    let options = InputOptions::new(8, IdKind::U64);
    for rows in [1, usize::MAX] {
        let (good, bad) = read_in_batches(path, &options, rows).unwrap();
        let want = [
            (3, "vector", "dim_mismatch"),
            (4, "vector", "not_finite"),
            (5, "vector", "not_finite"),
            (8, "metadata", "bad_metadata"),
            (10, "-", "bad_row"),
            (11, "-", "bad_row"),
            (12, "entity_id", "bad_entity"),
            (16, "timestamp", "bad_time"),
            (17, "-", "bad_row"),
            (19, "-", "bad_row"),
            (20, "metadata", "bad_metadata"),
        ];
        assert_eq!(verdicts(&bad), want);
        assert_eq!(good.place, [2, 6, 9, 13, 14, 15, 18, 22, 23]);
        assert_eq!(good.points.meta.get(0), "{\"year\":1946}");
        assert_eq!(good.points.entity[3], 2);
    }
}

#[test]
fn the_same_points_from_every_text_format() {
    let wide = "entity_id,t,v0,v1,lang,score\n1,2024-01-01,0.5,-0.0,en,0.50\n\u{feff}2,2024-01-02,1e-3,2,,\n";
    let list = "score\tlang\tembedding\tt\tentity_id\r\n0.50\ten\t0.5 -0\t2024-01-01\t1\r\n";
    let json = "\u{feff}{\"t\":\"2024-01-01\",\"vector\":[0.5,-0.0],\"entity_id\":1,\"score\":0.50,\"lang\":\"en\",\"x\":null}\r\n";
    let meta = "entity_id,t,vector,meta,lang\n1,2024-01-01,\"[0.5,0]\",\"{\"\"score\"\": 0.50}\",\"en\"";
    let options = InputOptions { source: Some("s".into()), ..InputOptions::new(2, IdKind::U64) };
    let mut first = None;
    for (name, text) in [("a.csv", wide), ("a.tsv", list), ("a.jsonl", json), ("b.csv", meta)] {
        let (_dir, path) = file(name, text.as_bytes());
        let (good, _) = read_all(&path, &options).unwrap();
        assert_eq!(good.points.meta.get(0), "{\"lang\":\"en\",\"score\":0.50}", "{name}");
        let mut points = good.points;
        points.truncate(1);
        assert_eq!(points.row(0)[1].to_bits(), 0, "{name}");
        assert_eq!(*first.get_or_insert_with(|| points.clone()), points, "{name}");
    }
}

#[test]
fn empty_files_and_headers() {
    let options = InputOptions::new(2, IdKind::U64);
    for (name, text) in [
        ("a.jsonl", ""),
        ("b.csv", ""),
        ("c.jsonl", "\n \n"),
        ("d.csv", "entity,t,vector\n"),
        ("e.csv", "entity,t,vector"),
    ] {
        let (_dir, path) = file(name, text.as_bytes());
        let (good, bad) = read_all(&path, &options).unwrap();
        assert!(good.is_empty() && bad.is_empty(), "{name}");
    }
    for text in ["1,2,3\n", "entity\n", "entity,t,vector,t\n", "entity,t,\"vector\n", "\n", "a,b,\u{0}\n"] {
        let (_dir, path) = file("x.csv", text.as_bytes());
        let e = open(&path, &options, None).unwrap_err();
        assert!(e.hint().is_some() && e.exit_code() == 1, "{text}: {e}");
    }
}

#[test]
fn names_normalisation_and_provenance() {
    let line = |id: &str| format!("{{\"entity\":{id},\"t\":\"2024\\u002d01\",\"vector\":[3,4]}}\n");
    let text =
        [line("\"caf\\u00e9\""), line("17"), line("1.5"), line("\"\""), line("null"), line("[1]")].concat();
    let (_dir, path) = file("x.jsonl", text.as_bytes());
    let options =
        InputOptions { normalize: true, model: Some("m@1".into()), ..InputOptions::new(2, IdKind::Name) };
    let (good, bad) = read_all(&path, &options).unwrap();
    assert_eq!(good.names.iter().collect::<Vec<_>>(), ["café", "17"]);
    assert_eq!(good.points.row(0), [0.6, 0.8]);
    assert_eq!(good.points.meta.get(0), "{\"_norm\":5.0}");
    assert_eq!(good.points.origins[0].model, "m@1");
    assert!(bad.iter().all(|b| b.code == Code::BadEntity && b.column.as_deref() == Some("entity")));
    assert_eq!(bad.len(), 4);
}

#[test]
fn exports_come_back() {
    let line = "{\"entity_id\":7,\"entity\":null,\"timestamp\":\"2024-01-01T00:00:00Z\",\"vector\":[1,2],\"metadata\":{\"a\":1},\"source\":\"s.csv\",\"model\":\"m@2\",\"commit\":3,\"approx\":false,\"seq\":9}\n{\"entity_id\":8,\"t\":\"2024-01-01\",\"vector\":[1,2],\"source\":\"x\"}";
    let (_dir, path) = file("x.jsonl", line.as_bytes());
    let (good, bad) = read_all(&path, &InputOptions::new(2, IdKind::U64)).unwrap();
    assert!(bad.is_empty(), "{bad:?}");
    assert_eq!(good.points.meta.iter().collect::<Vec<_>>(), ["{\"a\":1}", "{\"source\":\"x\"}"]);
    let origin = |i: usize| &good.points.origins[good.points.origin[i] as usize];
    assert_eq!((origin(0).source.as_str(), origin(0).model.as_str()), ("s.csv", "m@2"));
    assert_eq!((origin(1).source.as_str(), origin(1).model.as_str()), ("x.jsonl", ""));
}

/// Lines that fill several blocks' worth of small pieces, with bad, blank and long ones between.
fn many_lines() -> Vec<u8> {
    let mut text = Vec::new();
    for i in 0..3000u64 {
        match i % 50 {
            7 => text.extend_from_slice(b"\n"),
            11 => text.extend_from_slice(b"nonsense\n"),
            13 => text.extend_from_slice(format!("{{\"x\":\"{}\"}}\n", "y".repeat(3000)).as_bytes()),
            _ => text.extend_from_slice(
                format!("{{\"entity\":{i},\"t\":\"@{i}s\",\"vector\":[{i},0.5]}}\n").as_bytes(),
            ),
        }
    }
    text
}

#[test]
fn batches_and_checkpoints_cover_the_file_once() {
    let text = many_lines();
    let (_dir, path) = file("x.jsonl", &text);
    let mut options = InputOptions::new(2, IdKind::U64);
    options.max_line = 1000;
    let (all, bad) = read_all(&path, &options).unwrap();
    assert_eq!((all.len(), bad.len()), (47 * 60, 2 * 60));
    for limits in [Limits { rows: 333, bytes: usize::MAX }, Limits { rows: 5000, bytes: 20_000 }] {
        let (mut got, mut batch) = (InputRows::new(2), InputRows::new(2));
        let (mut faults, mut from, mut batches) = (Vec::new(), None, 0);
        // Each batch by a reader of its own, as if the run had been interrupted behind it.
        loop {
            let mut reader = open(&path, &options, from.as_ref()).unwrap();
            assert_eq!(reader.resumed(), from.is_some());
            let more = reader.next_batch(&mut batch, limits, &mut |b| {
                faults.push(b);
                Ok(())
            });
            if !more.unwrap() {
                break;
            }
            assert!(batch.len() <= limits.rows && (batch.len() == 1 || batch.size_bytes() <= limits.bytes));
            (0..batch.len()).for_each(|i| got.push_from(&batch, i));
            let checkpoint = reader.checkpoint();
            assert_eq!(
                checkpoint.prefix,
                crate::format::checksum::hash128(&text[..checkpoint.byte as usize])
            );
            assert_eq!(checkpoint.rows as usize, got.len() + faults.len());
            from = Some(checkpoint);
            batches += 1;
        }
        assert!(batches > 5);
        assert_eq!((&got, &faults), (&all, &bad));
    }
}

#[test]
fn a_changed_file_starts_anew() {
    let mut text = many_lines();
    let options = InputOptions::new(2, IdKind::U64);
    let (_dir, path) = file("x.jsonl", &text);
    let mut reader = open(&path, &options, None).unwrap();
    let mut rows = InputRows::new(2);
    reader.next_batch(&mut rows, Limits { rows: 100, bytes: usize::MAX }, &mut |_| Ok(())).unwrap();
    let checkpoint = reader.checkpoint();
    text[5] ^= 1;
    std::fs::write(&path, &text).unwrap();
    assert!(!open(&path, &options, Some(&checkpoint)).unwrap().resumed());
    std::fs::write(&path, &text[..50]).unwrap();
    assert!(!open(&path, &options, Some(&checkpoint)).unwrap().resumed());
}

#[test]
fn a_sink_that_fails_ends_the_batch_at_its_row() {
    let (_dir, path) = file("x.jsonl", &many_lines());
    let mut reader = open(&path, &InputOptions::new(2, IdKind::U64), None).unwrap();
    let mut rows = InputRows::new(2);
    let limits = Limits { rows: usize::MAX, bytes: usize::MAX };
    let e = reader.next_batch(&mut rows, limits, &mut |b| Err(b.into_error())).unwrap_err();
    assert_eq!((e.code(), e.place().line, rows.len()), (Code::BadRow, Some(12), 10));
}

#[test]
fn records_beyond_the_limit_are_passed_over() {
    let good = "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1,2]}\n";
    // Longer than a block, so that its end is in another one.
    let long = "x".repeat(20 << 20);
    let (_dir, path) = file("x.jsonl", format!("{good}{long}\n{good}{long}").as_bytes());
    let mut options = InputOptions::new(2, IdKind::U64);
    let (rows, bad) = read_all(&path, &options).unwrap();
    assert_eq!(rows.place, [1, 3]);
    assert_eq!(verdicts(&bad), [(2, "-", "bad_row"), (4, "-", "bad_row")]);
    assert!(bad[0].raw.len() <= 1024 && bad[0].message.contains("longer than"));
    let open_quote = format!("entity,t,vector\n1,1970-01-01,\"1 2\n{}", "2,1970-01-01,1 2\n".repeat(5000));
    let (_dir, path) = file("x.csv", open_quote.as_bytes());
    options.max_line = 10_000;
    let (rows, bad) = read_all(&path, &options).unwrap();
    assert_eq!((rows.len(), verdicts(&bad)), (5000, vec![(2, "-", "bad_row")]));
    assert!(bad[0].message.contains("not closed"));
}

#[test]
fn raw_text_is_kept_for_rejects() {
    let (_dir, path) = file("x.csv", b"entity,t,vector\r\n1,never,1 2\r\n");
    let (_, bad) = read_all(&path, &InputOptions::new(2, IdKind::U64)).unwrap();
    assert_eq!(
        (bad[0].raw.as_str(), bad[0].byte, bad[0].file.as_path()),
        ("1,never,1 2", Some(19), path.as_path())
    );
    let e = bad[0].clone().into_error();
    assert!(e.to_string().contains("line 2") && e.to_string().contains("column \"t\""));
}

#[test]
fn hostile_text_is_refused() {
    let options = InputOptions::new(1, IdKind::U64);
    let deep = format!("{{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1],\"x\":{}}}", "[".repeat(100_000));
    let nested = format!(
        "{{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1],\"x\":{}1{}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    for line in [
        deep.as_str(),
        nested.as_str(),
        "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1],\"x\":1,\"x\":1}",
        "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1],\"x\":1,\"metadata\":{\"x\":1}}",
        "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1],\"x\":\"\u{0}\"}",
        "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1]} {}",
        "{\"entity\":1e0,\"t\":\"1970-01-01\",\"vector\":[1]}",
        "{\"entity\":1,\"t\":1.5,\"vector\":[1]}",
        "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":\"[1\"}",
        "{\"entity\":1,\"t\":\"1970-01-01\" \"vector\":[1]}",
        "{\"entity\":1,\"t\":\"1970-01-01\",\"vector\":[1]",
        "{entity:1}",
        "{\"entity\"",
        "{\"ent\\",
        "{",
        "{}",
    ] {
        let (_dir, path) = file("x.jsonl", line.as_bytes());
        let (good, bad) = read_all(&path, &options).unwrap();
        assert_eq!((good.len(), bad.len()), (0, 1), "{}", &line[..line.len().min(100)]);
    }
}

/// The first fault of a text, its message and hint together.
fn said(name: &str, text: &str) -> String {
    let (_dir, path) = file(name, text.as_bytes());
    let fault = match read_all(&path, &InputOptions::new(2, IdKind::U64)) {
        Err(e) => (e.message().to_owned(), e.hint().unwrap_or_default().to_owned()),
        Ok((good, bad)) => {
            assert!(good.is_empty(), "{text}");
            (bad[0].message.clone(), bad[0].hint.clone().unwrap_or_default())
        }
    };
    format!("{} / {}", fault.0, fault.1)
}

#[test]
fn mends_that_mend() {
    let json = |vector: &str, more: &str| {
        format!("{{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":{vector}{more}}}\n")
    };
    for (name, text, message, hint) in [
        ("a.csv", "entity_id,t,vector\r1,2024-01-01,\"[1,2]\"\r".to_owned(), "carriage return", "tr '"),
        ("a.csv", "entity_id,t,v0,v1\r1,2024-01-01,1,2\r".to_owned(), "carriage return", "tr '"),
        (
            "a.csv",
            "entity_id,t,v0,v1\n1,2024-01-01,1,2\r2,2024-01-01,1,2\n".into(),
            "7 fields",
            "quote fields",
        ),
        ("a.csv", "entity_id,t,v0,v1,x\n1,2024-01-01,1,2,a\rb\n".into(), "carriage return", "in quotes"),
        ("a.csv", "entity_id;t;v0;v1\n1;2024-01-01;1;2\n".into(), "1 column", "--ifs ';'"),
        ("a.csv", "entity_id\tt\tv0\tv1\n".into(), "1 column", "‹input-format tsv›"),
        ("a.csv", "entity_id,t,v0,v1\n1,2024-01-01,1\n".into(), "3 fields", "cut"),
        ("a.csv", "entity_id,t,v0,v1\n1,2024-01-01, \"1,5\",2\n".into(), "5 fields", "blank"),
        ("a.csv", "entity_id,t,vector\n1,2024-01-01,[1 ... 2]\n".into(), "`...`", ".tolist()"),
        ("a.csv", "entity_id,t,vector\n1,2024-01-01,\"tensor([1, 2])\"\n".into(), "tensor", ".tolist()"),
        ("a.csv", "entity_id,t,vector\n1,20240101,1 2\n".into(), "bare number", "‹time-unit date›"),
        ("a.csv", "entity_id,t,vector\n1,2012,1 2\n".into(), "bare number", "‹time-unit year›"),
        ("a.csv", "entity_id,t,vector\n007,2024-01-01,1 2\n".into(), "begins with a zero", "‹ids string›"),
        ("a.jsonl", json("[1,2]", ",\"x\":NaN"), "broken JSON", "not JSON"),
        ("a.jsonl", json("[1,2]", ",\"x\":None"), "broken JSON", "json.dumps"),
        ("a.jsonl", "[{\"entity_id\":1}]\n".into(), "not a JSON object", "jq -c '.[]'"),
        ("a.jsonl", "{\n".into(), "ends inside", "jq -c ."),
        ("a.jsonl", json("5", ""), "not an array", "base64"),
        (
            "a.jsonl",
            "{\"entity_id\":1,\"t\":2012,\"vector\":[1,2]}\n".into(),
            "bare number",
            "‹time-unit year›",
        ),
        (
            "a.jsonl",
            "{\"entity_id\":1,\"t\":1700000000.5,\"vector\":[1,2]}\n".into(),
            "bare number",
            "‹time-unit",
        ),
    ] {
        let said = said(name, &text);
        assert!(said.contains(message) && said.contains(hint), "{text}: {said}");
    }
    let long = format!(",\"note\":\"{}\"", "x".repeat(70_000));
    let (_dir, path) = file("a.jsonl", json("[1,2]", &long).as_bytes());
    let (_, bad) = read_all(&path, &InputOptions::new(2, IdKind::U64)).unwrap();
    assert_eq!(bad[0].column, None, "there is no column of the whole metadata");
    let (_dir, path) = file("a.jsonl", (json("\"[1, 2]\"", "") + &json("\"AACAPwAAAEA=\"", "")).as_bytes());
    let (good, bad) = read_all(&path, &InputOptions::new(2, IdKind::U64)).unwrap();
    assert!(bad.is_empty() && good.points.x == [1.0, 2.0, 1.0, 2.0], "{bad:?}");
}

#[test]
fn wide_tables_and_lines_take_linear_time() {
    let n = 60_000;
    let names: String = (0..n).map(|i| format!(",c{i}")).collect();
    let options = InputOptions { meta: MetaColumns::None, ..InputOptions::new(2, IdKind::U64) };
    let csv = format!("entity_id,t,v0,v1{names}\n1,2024-01-01,1,2{}\n", ",1".repeat(n));
    let json: String = (0..n).map(|i| format!(",\"k{i}\":1")).collect();
    let json = format!("{{\"entity_id\":1,\"t\":\"2024-01-01\",\"vector\":[1,2]{json}}}\n");
    let started = std::time::Instant::now();
    for (name, text) in [("a.csv", csv), ("a.jsonl", json)] {
        let (_dir, path) = file(name, text.as_bytes());
        let (good, bad) = read_all(&path, &options).unwrap();
        assert_eq!((good.len(), bad.len()), (1, 0), "{name}");
    }
    // Quadratic, it was 15 seconds in a release build.
    assert!(started.elapsed().as_secs() < 5);
}

proptest::proptest! {
    #[test]
    fn any_text_gives_rows_or_faults(
        text in "([{}\\[\\]\",:0-9a-z \\n\\r]|\"t\":|\"vector\":|\"entity\":1,|\"1970-01-01\"|1,1970-01-01,5\n){0,40}",
        csv in proptest::bool::ANY,
    ) {
        let text = if csv { format!("entity,t,vector\n{text}") } else { text };
        let (_dir, path) = file(if csv { "x.csv" } else { "x.jsonl" }, text.as_bytes());
        let options = InputOptions { max_line: 64, ..InputOptions::new(1, IdKind::U64) };
        let (a, bad) = read_all(&path, &options).unwrap();
        let (b, worse) = read_in_batches(&path, &options, 1).unwrap();
        proptest::prop_assert_eq!((a, bad), (b, worse));
    }

    #[test]
    fn points_survive_jsonl_and_csv(
        rows in proptest::collection::vec(
            (proptest::num::u64::ANY, proptest::num::i64::ANY, proptest::collection::vec(proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL, 3), ".{0,6}"),
            0..20,
        ),
    ) {
        let mut json = String::new();
        let mut csv = "metadata,entity_id,timestamp,vector\n".to_owned();
        for (entity, t, x, text) in &rows {
            let vector = serde_json::to_string(x).unwrap();
            let meta = serde_json::json!({ "text": text }).to_string();
            json.push_str(&format!("{{\"metadata\":{meta},\"vector\":{vector},\"entity_id\":{entity},\"timestamp\":{t}}}\n"));
            csv.push_str(&format!("\"{}\",{entity},{t},\"{vector}\"\n", meta.replace('"', "\"\"")));
        }
        let options = InputOptions {
            time_unit: Some(TimeUnit::Us),
            source: Some(String::new()),
            ..InputOptions::new(3, IdKind::U64)
        };
        let (_a, json) = file("x.jsonl", json.as_bytes());
        let (_b, csv) = file("x.csv", csv.as_bytes());
        let ((from_json, bad), (from_csv, worse)) =
            (read_all(&json, &options).unwrap(), read_all(&csv, &options).unwrap());
        proptest::prop_assert_eq!((bad, worse), (vec![], vec![]));
        proptest::prop_assert_eq!(&from_json.points, &from_csv.points);
        proptest::prop_assert_eq!(from_json.len(), rows.len());
        for (i, (entity, t, x, text)) in rows.iter().enumerate() {
            let p = &from_json.points;
            proptest::prop_assert_eq!((p.entity[i], p.t[i], p.row(i)), (*entity, *t, x.as_slice()));
            let meta: serde_json::Value = serde_json::from_str(p.meta.get(i)).unwrap();
            proptest::prop_assert_eq!(meta["text"].as_str(), Some(text.as_str()));
        }
    }
}
