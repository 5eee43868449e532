//! Real files, walked by the tables of FORMAT.md: text, code and data cannot part.

use cvx::config::Settings;
use cvx::dataset::{self, OnConflict, Options, Writer};
use cvx::model::Key;
use cvx::points::{Origin, Points};
use std::fs;
use std::path::Path;

/// One row of a table: offset, size and field. Offsets behind a text are `None`.
struct Field {
    offset: Option<usize>,
    size: Option<usize>,
    name: String,
    meaning: String,
}

/// The table under a heading.
fn table(heading: &str) -> Vec<Field> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap();
    let mut lines = text.lines().skip_while(|l| l.trim_start_matches('#').trim() != heading);
    assert!(lines.next().is_some(), "no heading {heading}");
    let out: Vec<Field> = lines
        .skip_while(|l| !l.starts_with("| offset"))
        .skip(2)
        .take_while(|l| l.starts_with('|'))
        .map(|l| {
            let c: Vec<&str> = l.split('|').map(str::trim).collect();
            Field {
                offset: c[1].parse().ok(),
                size: c[2].parse().ok(),
                name: c[4].into(),
                meaning: c[5].into(),
            }
        })
        .collect();
    assert!(!out.is_empty(), "no table under {heading}");
    // Fields follow each other without a hole.
    for w in out.windows(2) {
        if let (Some(a), Some(size), Some(b)) = (w[0].offset, w[0].size, w[1].offset) {
            assert_eq!(a + size, b, "{heading}: {} and {}", w[0].name, w[1].name);
        }
    }
    out
}

fn length(t: &[Field]) -> usize {
    let last = t.last().unwrap();
    last.offset.unwrap() + last.size.unwrap()
}

/// The number in a field, or the text of a magic.
fn number(bytes: &[u8], base: usize, t: &[Field], name: &str) -> u128 {
    let f = t.iter().find(|f| f.name == name).unwrap_or_else(|| panic!("no field {name}"));
    let at = base + f.offset.unwrap();
    let mut b = [0u8; 16];
    b[..f.size.unwrap()].copy_from_slice(&bytes[at..at + f.size.unwrap()]);
    u128::from_le_bytes(b)
}

/// Magic and zero fields are as the table says.
fn check_fixed(bytes: &[u8], base: usize, t: &[Field]) {
    for f in t {
        let (Some(at), Some(size)) = (f.offset, f.size) else { continue };
        let here = &bytes[base + at..base + at + size];
        match f.name.as_str() {
            "magic" => assert_eq!(here, f.meaning.trim_matches('`').as_bytes()),
            "zero" | "flags" => assert!(here.iter().all(|b| *b == 0), "{} at {at}", f.name),
            "version" => assert!(f.meaning.ends_with('1') && here == [1, 0]),
            _ => {}
        }
    }
}

fn dataset_with_a_log(dir: &Path) {
    dataset::init(dir, &Settings::new(3), false).unwrap();
    let mut w = Writer::open(dir, Options { command: "test".into(), ..Options::default() }).unwrap();
    let put = |w: &mut Writer, t: i64, v: f32| {
        let mut p = Points::new(3);
        let o = p.intern(&Origin { source: "s".into(), model: "m@1".into() });
        p.push(Key { entity: 9, t }, &[v, 0.0, 1.0], "{\"a\":1}", o);
        p.push(Key { entity: 7, t: -t }, &[v, 2.0, 1.0], "", o);
        w.append(&mut p, None, OnConflict::Replace, &mut |_| Ok(())).unwrap();
    };
    put(&mut w, 5, 1.0);
    w.seal().unwrap();
    put(&mut w, 5, 2.0);
    w.seal().unwrap();
    put(&mut w, 6, 3.0);
    // Dropped without an end: the log stays.
}

fn files(dir: &Path, ending: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .filter(|p| p.extension().is_some_and(|e| e == ending))
        .map(|p| fs::read(p).unwrap())
        .collect()
}

#[test]
fn manifests_and_their_entries() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("d");
    dataset_with_a_log(&dir);
    let (head, entry) = (table("Manifest"), table("Manifest entry"));
    let newest = files(&dir.join("manifest"), "cvxm").pop().unwrap();
    check_fixed(&newest, 0, &head);
    assert_eq!(number(&newest, 0, &head, "dim"), 3);
    assert_eq!(number(&newest, 0, &head, "next_seq"), 4);
    let command = number(&newest, 0, &head, "command_len") as usize;
    let at = 124 + command;
    assert_eq!(&newest[124..at], b"test");
    let count = u32::from_le_bytes(newest[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(newest.len(), at + 4 + count * length(&entry) + 16);
    let mut kinds = Vec::new();
    for i in 0..count {
        let base = at + 4 + i * length(&entry);
        kinds.push(number(&newest, base, &entry, "kind"));
        let path = match kinds[i] {
            1 => format!("hot/{:010}.seg", number(&newest, base, &entry, "id")),
            3 => format!("hot/{:010}.del", number(&newest, base, &entry, "id")),
            k => panic!("kind {k}"),
        };
        let len = fs::metadata(dir.join(path)).unwrap().len();
        assert_eq!(u128::from(len), number(&newest, base, &entry, "len"));
    }
    assert_eq!(kinds, [1, 1, 3]);
    let sum = &newest[newest.len() - 16..];
    let hash = xxhash_rust::xxh3::xxh3_128(&newest[..newest.len() - 16]);
    assert_eq!(sum, hash.to_le_bytes());
    let current = fs::read_to_string(dir.join("CURRENT")).unwrap();
    let words: Vec<&str> = current.trim_end_matches('\n').split(' ').collect();
    assert_eq!((words[0], words[1], words[3]), ("cvx-current", "1", format!("{hash:032x}").as_str()));
    assert_eq!(words[2].parse::<u128>().unwrap(), number(&newest, 0, &head, "commit"));
}

#[test]
fn logs_and_their_frames() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("d");
    dataset_with_a_log(&dir);
    let (head, frame) = (table("Log header"), table("Log frame"));
    let log = files(&dir.join("wal"), "wal").pop().unwrap();
    check_fixed(&log, 0, &head);
    assert_eq!(length(&head), cvx::wal::HEADER_LEN);
    let first = number(&log, 0, &head, "first_seq");
    assert_eq!(first, 4);
    let base = length(&head);
    check_fixed(&log, base, &frame);
    let payload = number(&log, base, &frame, "payload_len") as usize;
    assert_eq!(number(&log, base, &frame, "rows"), 2);
    assert_eq!(number(&log, base, &frame, "first_seq"), first);
    let payload_at = frame.iter().find(|f| f.name == "payload").unwrap().offset.unwrap();
    assert_eq!(payload_at, cvx::wal::FRAME_HEAD_LEN);
    assert_eq!(log.len(), base + (payload_at + payload + 4).next_multiple_of(8));
}

#[test]
fn containers() {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().join("d");
    dataset_with_a_log(&dir);
    let (head, section, footer) =
        (table("Container header"), table("Container section"), table("Container footer"));
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("FORMAT.md")).unwrap();
    for result in [
        &["changepoints", "--save", "x"][..],
        &["changepoints", "--state", "x"],
        &["predict", "--horizon", "1d", "--method", "last"],
    ] {
        crate::stdout(crate::cvx(t.path()).args(["-q", "-d", "d"]).args(result));
    }
    for (ending, kind, place) in [("seg", 1, "hot"), ("del", 3, "hot"), ("cvxr", 7, "results")] {
        let found = files(&dir.join(place), ending);
        assert!(!found.is_empty(), "no {ending}");
        for file in found {
            check_fixed(&file, 0, &head);
            assert_eq!(number(&file, 0, &head, "kind"), kind);
            let base = file.len() - length(&footer);
            check_fixed(&file, base, &footer);
            let trailer = number(&file, base, &footer, "trailer") as usize;
            let sections = number(&file, base, &footer, "sections") as usize;
            let blocks = number(&file, base, &footer, "blocks") as usize;
            assert_eq!(blocks, trailer.div_ceil(64 * 1024));
            assert_eq!(trailer + sections * length(&section) + blocks * 8, base);
            for i in 0..sections {
                let at = trailer + i * length(&section);
                let tag = String::from_utf8(file[at..at + 4].to_vec()).unwrap();
                assert!(text.contains(&format!("| {tag} |")), "section {tag} is not in FORMAT.md");
                let (offset, len) =
                    (number(&file, at, &section, "offset"), number(&file, at, &section, "len"));
                assert!(offset % 64 == 0 && (offset + len) as usize <= trailer);
                assert_eq!(len % number(&file, at, &section, "elem"), 0);
            }
            let id = [&file[8..24], &(kind as u16).to_le_bytes(), &file[24..32]].concat();
            let seed = xxhash_rust::xxh3::xxh3_64(&id);
            let end = trailer.min(64 * 1024);
            let sum = xxhash_rust::xxh3::xxh3_64_with_seed(&file[..end], seed);
            let at = trailer + sections * length(&section);
            assert_eq!(&file[at..at + 8], &sum.to_le_bytes());
        }
    }
}

#[test]
fn calibrations() {
    let t = tempfile::tempdir().unwrap();
    crate::walkers(&t.path().join("d"));
    crate::stdout(crate::cvx(t.path()).args(["-q", "-d", "d", "predict", "--horizon", "1d"]));
    let (head, footer, section) =
        (table("Calibration"), table("Container footer"), table("Container section"));
    let file = files(&t.path().join("d/results"), "cvxr").pop().unwrap();
    let base = file.len() - length(&footer);
    let trailer = number(&file, base, &footer, "trailer") as usize;
    assert_eq!(&file[trailer..trailer + 4], b"SCOR");
    let at = number(&file, trailer, &section, "offset") as usize;
    assert_eq!((number(&file, at, &head, "layout"), number(&file, at, &head, "entities")), (2, 1));
    assert_eq!(f64::from_bits(number(&file, at, &head, "unit_s") as u64), 86_400.0);
    assert!(f64::from_bits(number(&file, at, &head, "period_s") as u64).is_nan());
    // Six methods, the first of them with the length of its word.
    let record = at + length(&head);
    assert_eq!(&file[record..record + 12], b"\x06\0\0\0\x04\0\0\0last");
}
