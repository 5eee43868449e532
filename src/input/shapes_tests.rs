//! Files whose points do not stand in columns of a table: testdata/writers.

use super::tests::{file, read_all, read_in_batches};
use super::writers_tests::{path, times};
use super::*;
use crate::error::Code;

fn options(dim: usize, ids: IdKind, map: &str) -> InputOptions {
    let map = if map.is_empty() { Mapping::default() } else { Mapping::parse(map).unwrap() };
    InputOptions { map, ..InputOptions::new(dim, ids) }
}

fn read(name: &str, options: &InputOptions) -> InputRows {
    let (rows, bad) = read_all(&path(name), options).unwrap_or_else(|e| panic!("{name}: {e} {:?}", e.hint()));
    assert!(bad.is_empty(), "{name}: {bad:?}");
    rows
}

fn refused(path: &Path, options: &InputOptions) -> Error {
    read_all(path, options).map(|_| path.display().to_string()).unwrap_err()
}

fn metas(rows: &InputRows) -> Vec<&str> {
    rows.points.meta.iter().collect()
}

fn names(rows: &InputRows) -> Vec<&str> {
    rows.names.iter().collect()
}

#[test]
fn fields_inside_structs_objects_and_texts() {
    let by_name = options(2, IdKind::Name, "entity=user.name,vector=data.emb");
    let text = ["{\"lang\":\"en\"}"; 2];
    for name in ["nested.parquet", "nested.arrow"] {
        let rows = read(name, &by_name);
        assert_eq!(
            (names(&rows), rows.points.x.as_slice()),
            (vec!["alice", "bob"], &[0.5, 0.0, 1.5, 1.0][..])
        );
        let want = r#"{"data":{"lang":"en"},"n":1,"term":"x","user":{"id":7}}"#;
        assert_eq!(rows.points.meta.get(0), want, "{name}");
        // Other columns than those that are mapped are read only where they are wanted.
        let bare = InputOptions { meta: MetaColumns::None, ..by_name.clone() };
        assert_eq!(metas(&read(name, &bare)), ["", ""], "{name}");
        let listed = MetaColumns::List(vec!["data.lang".into()]);
        let rows = read(name, &InputOptions { meta: listed, ..by_name.clone() });
        assert_eq!(rows.points.meta.get(0), r#"{"data.lang":"en","n":1,"term":"x"}"#, "{name}");
        // The key of an object that stands as text.
        let rows = read(name, &options(2, IdKind::Name, "entity=metadata.term,vector=data.emb"));
        assert_eq!(names(&rows), ["x", "y"], "{name}");
        assert_eq!(
            rows.points.meta.get(1),
            r#"{"data":{"lang":"en"},"user":{"id":8,"name":"bob"}}"#,
            "{name}"
        );
        let rows = read(name, &options(2, IdKind::U64, "entity=user.id,vector=data.emb"));
        assert_eq!(rows.points.entity, [7, 8], "{name}");
    }
    let lines = format!(
        "{}\n{}\n",
        r#"{"user":{"id":7,"name":"alice"},"t":"2024-01-01","data":{"emb":[0.5,0],"lang":"en"}}"#,
        r#"{"user":{"name":"bob","id":8},"t":"2024-01-01","data":{"lang":"en","emb":[1.5,1]},"metadata":{"term":"y"}}"#
    );
    let (_dir, jsonl) = file("a.jsonl", lines.as_bytes());
    let (rows, bad) = read_all(&jsonl, &by_name).unwrap();
    assert_eq!((names(&rows), bad.len()), (vec!["alice", "bob"], 0));
    assert_eq!(rows.points.x, [0.5, 0.0, 1.5, 1.0]);
    assert_eq!(metas(&rows)[1], r#"{"data":{"lang":"en"},"term":"y","user":{"id":8}}"#);
    let (rows, bad) =
        read_all(&jsonl, &options(2, IdKind::Name, "entity=metadata.term,vector=data.emb")).unwrap();
    assert_eq!((names(&rows), bad[0].code), (vec!["y"], Code::BadEntity));
    let table = "t,data,metadata\n2024-01-01,\"{\"\"emb\"\":[0.5,1],\"\"lang\"\":\"\"en\"\"}\",\"{\"\"term\"\":\"\"x\"\",\"\"n\"\":1}\"\n";
    let (_dir, csv) = file("a.csv", table.as_bytes());
    let (rows, _) =
        read_all(&csv, &options(2, IdKind::Name, "entity=metadata.term,vector=data.emb")).unwrap();
    assert_eq!((names(&rows), rows.points.x.as_slice()), (vec!["x"], &[0.5, 1.0][..]));
    assert_eq!(metas(&rows), [r#"{"data":"{\"lang\":\"en\"}","n":1}"#], "{text:?}");
}

#[test]
fn keys_of_the_path_and_names_beside_numbers() {
    let hive = options(2, IdKind::U64, "time=dt");
    for (i, day) in ["2024-01-01", "2024-01-02"].into_iter().enumerate() {
        let rows = read(&format!("hive/dt={day}/part-0.parquet"), &hive);
        assert_eq!((times(&rows), rows.points.entity[0]), (vec![format!("{day}T00:00:00Z")], i as u64 + 1));
        assert_eq!(metas(&rows), [""]);
    }
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("dt=2024-01-01/model=m%401");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("a.csv"), "id,label,vector\n1,x,1 2\n").unwrap();
    std::fs::write(place.join("a.jsonl"), "{\"id\":1,\"label\":\"x\",\"vector\":[1,2]}\n").unwrap();
    for name in ["a.csv", "a.jsonl"] {
        let mut named = options(2, IdKind::Name, "entity=id,name=label,t=dt");
        named.meta = MetaColumns::List(vec!["model".into()]);
        let (rows, bad) = read_all(&place.join(name), &named).unwrap();
        assert_eq!(
            (names(&rows), metas(&rows), bad.len()),
            (vec!["x"], vec![r#"{"model":"m@1"}"#], 0),
            "{name}"
        );
        let (rows, _) =
            read_all(&place.join(name), &options(2, IdKind::Name, "entity=id,name=label,t=dt")).unwrap();
        assert_eq!(metas(&rows), [""], "{name}: the number stays out of the metadata");
        let e = refused(&place.join(name), &options(2, IdKind::U64, "entity=id,name=label,t=dt"));
        assert!(e.message().contains("have no names"), "{e}");
    }
    // A time for all points goes before the file's own, which then is metadata as any column.
    let (_dir, csv) = file("b.csv", b"entity,t,vector\n1,x,1 2\n");
    let fixed = InputOptions { time: Some("1990-05".into()), ..options(2, IdKind::U64, "") };
    let (rows, _) = read_all(&csv, &fixed).unwrap();
    assert_eq!((times(&rows), metas(&rows)), (vec!["1990-05-01T00:00:00Z".to_owned()], vec![r#"{"t":"x"}"#]));
    let year = InputOptions { time: Some("1990".into()), ..fixed };
    let (_, bad) = read_all(&csv, &year).unwrap();
    assert!(bad[0].message.contains("which unit"), "{bad:?}");
}

#[test]
fn int96_times_that_do_not_fit_are_refused() {
    let e = refused(&path("int96-far.parquet"), &options(2, IdKind::U64, ""));
    assert!(e.code() == Code::BadFile && e.message().contains("outside the range"), "{e}");
    assert_eq!((e.place().row, e.place().column.as_deref()), (Some(1), Some("timestamp")));
    let mut until = options(2, IdKind::U64, "t=until");
    until.meta = MetaColumns::None;
    let rows = read("int96-far.parquet", &until);
    assert_eq!(times(&rows), ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"]);
}

#[test]
fn values_that_json_does_not_have_are_counted() {
    let mut reader = open(&path("nan-meta.parquet"), &options(2, IdKind::U64, ""), None).unwrap();
    let mut rows = InputRows::new(2);
    let all = Limits { rows: 10, bytes: usize::MAX };
    assert!(reader.next_batch(&mut rows, all, &mut |_| Ok(())).unwrap());
    assert_eq!((metas(&rows), rows.lost), (vec!["", r#"{"score":0.5}"#], 1));
    assert!(!reader.next_batch(&mut rows, all, &mut |_| Ok(())).unwrap() && rows.lost == 0);
}

#[test]
fn arrays_by_name() {
    let rows = read("arrays.npz", &options(2, IdKind::Name, ""));
    assert_eq!(
        (names(&rows), rows.points.x.as_slice()),
        (vec!["a", "b", "c"], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..])
    );
    assert_eq!(times(&read("arrays.npz", &options(2, IdKind::Name, "")))[2], "2010-01-01T00:00:00Z");
    let mut by_hand = options(2, IdKind::U64, "vector=arr_0,entity=arr_1,t=arr_2");
    assert!(refused(&path("packed.npz"), &by_hand).message().contains("which unit"));
    by_hand.time_unit = Some(TimeUnit::Year);
    let rows = read("packed.npz", &by_hand);
    assert_eq!((rows.points.entity.as_slice(), rows.points.x.len()), (&[1, 2, 3][..], 6));
    assert_eq!(times(&rows)[0], "1990-01-01T00:00:00Z");
    let e = refused(&path("packed.npz"), &options(2, IdKind::U64, ""));
    assert!(
        e.hint().unwrap().contains("arr_0, arr_1, arr_2; name the right one with ‹map vector=NAME›"),
        "{e}"
    );
    let e = refused(&path("arrays.npz"), &options(2, IdKind::Name, "t=when"));
    assert!(e.message().contains("no array when") && e.hint().unwrap().contains("‹at›"), "{e}");
    assert_eq!(dimension(&path("arrays.npz"), &options(1, IdKind::U64, "")).unwrap(), 2);
    // A byte of an array that changed is found by the archive's checksum.
    let mut bytes = std::fs::read(path("arrays.npz")).unwrap();
    let value = 6f32.to_le_bytes();
    let at = bytes.windows(4).position(|w| w == value).unwrap();
    bytes[at] ^= 1;
    let (_dir, damaged) = file("a.npz", &bytes);
    assert!(read_all(&damaged, &options(2, IdKind::Name, "")).is_err());
    let (_dir, cut) = file("a.npz", &bytes[..bytes.len() - 30]);
    assert_eq!(refused(&cut, &options(2, IdKind::Name, "")).code(), Code::BadFile);
}

#[test]
fn words_in_text_and_binary() {
    let fixed = InputOptions { time: Some("1990-01-01".into()), ..options(3, IdKind::Name, "") };
    let want = [0.5, -1.25, 3e-5, 1.0, 2.0, 3.0];
    for (name, format) in [
        ("gensim.vec", None),
        ("fasttext.vec.gz", None),
        ("gensim.bin", Some(Format::W2vBin)),
        ("word2vec.bin", Some(Format::W2vBin)),
    ] {
        let options = InputOptions { format, ..fixed.clone() };
        let rows = read(name, &options);
        assert_eq!((names(&rows), rows.points.x.as_slice()), (vec!["the", "café"], &want[..]), "{name}");
        assert_eq!(times(&rows), ["1990-01-01T00:00:00Z"; 2], "{name}");
        assert_eq!(dimension(&path(name), &options).unwrap(), 3, "{name}");
        let e = refused(&path(name), &InputOptions { time: None, ..options.clone() });
        assert!(e.code() == Code::BadTime && e.hint().unwrap().contains("‹at›"), "{name}: {e}");
        assert_eq!(
            refused(&path(name), &InputOptions { dim: 4, ..options }).code(),
            Code::DimMismatch,
            "{name}"
        );
    }
    let glove = InputOptions { format: Some(Format::Glove), ..fixed.clone() };
    let rows = read("glove.txt", &glove);
    assert_eq!((names(&rows), rows.points.x[8].to_bits()), (vec!["the", "café", ". ."], 0));
    assert_eq!(dimension(&path("glove.txt"), &glove).unwrap(), 3);
    let e = refused(&path("glove.txt"), &InputOptions { format: Some(Format::W2v), ..fixed });
    assert!(e.hint().unwrap().contains("‹input-format glove›"), "{e}");
}

#[test]
fn words_that_are_cut_or_broken() {
    let fixed = InputOptions { time: Some("1990-01-01".into()), ..options(2, IdKind::Name, "") };
    let say = |text: &[u8], format| {
        let (_dir, path) = file("x", text);
        let options = InputOptions { format: Some(format), ..fixed.clone() };
        match read_all(&path, &options) {
            Ok((rows, bad)) => {
                format!("{} rows; {}", rows.len(), bad.iter().map(|b| b.message.clone()).collect::<String>())
            }
            Err(e) => e.message().to_owned(),
        }
    };
    assert_eq!(say(b"2 2\na 1 2\n", Format::W2v), "the first line says 2 words, the file has 1");
    assert_eq!(
        say(b"2 2\na 1 2\nb 1\n", Format::W2v),
        "1 rows; vector has 1 values, the dataset has dimension 2"
    );
    assert!(say(b"1 2\na x 2\n", Format::W2v).contains("value 1"));
    assert!(say(b"", Format::W2v).contains("first line"));
    let binary = [b"2 2\na ".as_slice(), &[0; 8], b"b ", &[0; 8]].concat();
    assert_eq!(say(&binary, Format::W2vBin), "2 rows; ");
    assert_eq!(say(&binary[..binary.len() - 1], Format::W2vBin), "the file ends inside word 2 of 2");
    assert_eq!(say(&binary[..15], Format::W2vBin), "no blank ends word 2");
    assert!(say(&[&binary[..], b"xx"].concat(), Format::W2vBin).contains("more follows"));
    assert!(say(&[b"1 2\n\xff ".as_slice(), &[0; 8]].concat(), Format::W2vBin).contains("not UTF-8"));
}

#[test]
fn vectors_of_benchmarks() {
    let fixed = InputOptions { time: Some("2024-01-01".into()), ..options(3, IdKind::U64, "") };
    for name in ["base.fvecs", "base.fbin"] {
        let rows = read(name, &fixed);
        assert_eq!(
            (rows.points.entity.as_slice(), rows.points.x.as_slice()),
            (&[0, 1][..], &[0.5, 1.0, 2.0, 3.0, 4.0, 5.0][..])
        );
        assert_eq!(dimension(&path(name), &fixed).unwrap(), 3, "{name}");
        assert!(refused(&path(name), &options(3, IdKind::U64, "")).hint().unwrap().contains("‹at›"));
        let bytes = std::fs::read(path(name)).unwrap();
        let (_dir, cut) = file(name, &bytes[..bytes.len() - 1]);
        assert_eq!(refused(&cut, &fixed).code(), Code::BadFile, "{name}");
        let (_dir, ids) = file("ids.txt", b"7\n9\n");
        let rows = read(name, &InputOptions { ids_file: Some(ids), ..fixed.clone() });
        assert_eq!(rows.points.entity, [7, 9], "{name}");
    }
}

#[test]
fn every_form_goes_on_where_an_earlier_run_stopped() {
    let fixed = InputOptions { time: Some("1990-01-01".into()), ..options(3, IdKind::Name, "") };
    for (name, format) in [
        ("glove.txt", Format::Glove),
        ("gensim.vec", Format::W2v),
        ("word2vec.bin", Format::W2vBin),
        ("base.fvecs", Format::Fvecs),
        ("base.fbin", Format::Fbin),
    ] {
        let options = InputOptions { format: Some(format), ..fixed.clone() };
        let (all, _) = read_in_batches(&path(name), &options, 1).unwrap();
        let mut reader = open(&path(name), &options, None).unwrap();
        let (mut rows, one) = (InputRows::new(3), Limits { rows: 1, bytes: usize::MAX });
        assert!(reader.next_batch(&mut rows, one, &mut |_| Ok(())).unwrap(), "{name}");
        let from = reader.checkpoint();
        let mut reader = open(&path(name), &options, Some(&from)).unwrap();
        assert!(reader.resumed(), "{name}");
        let rest = Limits { rows: 10, bytes: usize::MAX };
        assert!(reader.next_batch(&mut rows, rest, &mut |_| Ok(())).unwrap(), "{name}");
        assert_eq!(rows.points.x, all.points.x[3..], "{name}");
        assert!(!reader.next_batch(&mut rows, rest, &mut |_| Ok(())).unwrap(), "{name}");
    }
}
