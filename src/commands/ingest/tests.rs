use super::*;
use crate::config::Settings;
use crate::dataset::{Select, Snapshot, init};
use crate::watch::Watch;
use std::cell::RefCell;
use std::sync::atomic::{AtomicI32, Ordering};

struct Bench {
    root: tempfile::TempDir,
    events: RefCell<Vec<Event>>,
}

impl Bench {
    fn new(settings: Settings) -> Bench {
        let root = tempfile::tempdir().unwrap();
        init(&root.path().join("d"), &settings, false).unwrap();
        Bench { root, events: RefCell::default() }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("d")
    }

    fn file(&self, name: &str, lines: &[String]) -> PathBuf {
        let path = self.root.path().join(name);
        std::fs::write(&path, lines.concat()).unwrap();
        path
    }

    fn options(&self, sources: &[&PathBuf]) -> Options {
        let mut input = InputOptions::new(2, crate::input::IdKind::U64);
        input.time_unit = Some(crate::input::TimeUnit::Us);
        Options {
            sources: sources.iter().map(|p| p.to_path_buf()).collect(),
            input,
            on_conflict: OnConflict::Error,
            max_errors: Tolerance::Count(0),
            allow_empty: false,
            rejects: None,
            batch: Limits { rows: 10, bytes: 1 << 20 },
            trust_mtime: false,
            detect: None,
            words: Default::default(),
            allow_erased: false,
        }
    }

    fn run(&self, options: &Options) -> Result<Report> {
        self.run_with(options, dataset::Options::default(), &|| Ok(()))
    }

    fn run_with(&self, options: &Options, writer: dataset::Options, watch: &dyn Watch) -> Result<Report> {
        let mut on_event = |e| {
            self.events.borrow_mut().push(e);
            Ok(())
        };
        ingest(&self.dir(), writer, options, &mut on_event, watch)
    }

    fn points(&self) -> u64 {
        let s = Snapshot::open(&self.dir(), None).unwrap();
        Select::default().resolve(&s).unwrap().points()
    }
}

fn line(entity: u64, t: i64) -> String {
    format!("{{\"entity_id\":{entity},\"t\":{t},\"vector\":[{t},1],\"k\":{entity}}}\n")
}

fn lines(n: i64) -> Vec<String> {
    (0..n).map(|t| line((t % 3) as u64, t)).collect()
}

#[test]
fn a_file_is_taken_once() {
    let b = Bench::new(Settings::new(2));
    let f = b.file("a.jsonl", &lines(25));
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.files, r.rows_read, r.rows_added, r.entities_new, r.points_total), (1, 25, 25, 3, 25));
    assert_eq!((r.seq_from, r.seq_to), (0, 25));
    let durable: Vec<u64> = b
        .events
        .borrow()
        .iter()
        .filter_map(|e| match e {
            Event::Commit { rows_durable, .. } => Some(*rows_durable),
            _ => None,
        })
        .collect();
    assert_eq!(durable, [10, 20, 25]);
    // Again: skipped by its content. Changed in time only: still. Grown: only the new rows.
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.files_skipped, r.rows_read), (1, 0));
    let f = b.file("a.jsonl", &lines(25));
    assert_eq!(b.run(&b.options(&[&f])).unwrap().files_skipped, 1);
    let f = b.file("a.jsonl", &lines(30));
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.rows_read, r.rows_added, r.rows_unchanged), (5, 5, 0));
    // Changed at the start: read again, equal rows are no-ops.
    let mut changed = lines(30);
    changed.insert(0, line(9, -1));
    let f = b.file("a.jsonl", &changed);
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.rows_read, r.rows_added, r.rows_unchanged, r.entities_new), (31, 1, 30, 1));
    assert_eq!(b.points(), 31);
}

#[test]
fn the_first_bad_row_ends_the_run_and_earlier_batches_stay() {
    let b = Bench::new(Settings::new(2));
    let mut l = lines(25);
    l[17] = "{\"entity_id\":1,\"t\":17,\"vector\":[1]}\n".into();
    let f = b.file("a.jsonl", &l);
    let e = b.run(&b.options(&[&f])).unwrap_err();
    assert_eq!((e.code(), e.place().line), (Code::DimMismatch, Some(18)));
    assert_eq!(b.points(), 10);
    let rejects = b.root.path().join("bad.jsonl");
    let o = Options { max_errors: Tolerance::Count(1), rejects: Some(rejects.clone()), ..b.options(&[&f]) };
    let r = b.run(&o).unwrap();
    assert_eq!((r.rows_rejected, r.rows_added), (1, 14));
    let text = std::fs::read_to_string(rejects).unwrap();
    assert!(text.contains("\"line\":18") && text.contains("dim_mismatch"), "{text}");
    // Finished for good, and never into the dataset or over the input.
    let r = b.run(&o).unwrap();
    assert_eq!((r.rows_rejected, r.rows_read, r.files_skipped), (0, 0, 1));
    let over = Options { rejects: Some(f.clone()), ..b.options(&[&f]) };
    assert_eq!(b.run(&over).unwrap_err().code(), Code::Usage);
    assert_eq!(std::fs::read_to_string(&f).unwrap(), l.concat());
    let inside = Options { rejects: Some(b.dir().join("bad.jsonl")), ..o.clone() };
    assert_eq!(b.run(&inside).unwrap_err().code(), Code::Usage);
    assert!(!b.dir().join("bad.jsonl").exists());
    let current = Options { rejects: Some(b.dir().join("CURRENT")), ..b.options(&[&f]) };
    assert_eq!(b.run(&current).unwrap_err().code(), Code::Usage);
    assert_eq!(b.points(), 24);
}

#[test]
fn a_conflict_is_a_bad_row() {
    let b = Bench::new(Settings::new(2));
    let other = "{\"entity_id\":1,\"t\":1,\"vector\":[5,5]}\n".to_owned();
    let f = b.file("a.jsonl", &[line(1, 1), other, line(2, 2)]);
    let e = b.run(&b.options(&[&f])).unwrap_err();
    assert_eq!((e.code(), e.place().line, b.points()), (Code::Conflict, Some(2), 0));
    let r = b.run(&Options { max_errors: Tolerance::All, ..b.options(&[&f]) }).unwrap();
    assert_eq!((r.rows_rejected, r.rows_added), (1, 2));
    let r = b.run(&Options { on_conflict: OnConflict::Replace, ..b.options(&[&f]) }).unwrap();
    assert_eq!((r.rows_replaced, r.rows_unchanged, b.points()), (1, 2, 2));
}

#[test]
fn stopped_and_run_again_ends_in_the_same_state() {
    let b = Bench::new(Settings::new(2));
    let f = b.file("a.jsonl", &lines(100));
    // Once for the plan, then once before each batch.
    let left = AtomicI32::new(4);
    let watch = || {
        if left.fetch_sub(1, Ordering::Relaxed) > 1 {
            Ok(())
        } else {
            Err(Error::new(Code::Interrupted, "interrupted"))
        }
    };
    let e = b.run_with(&b.options(&[&f]), dataset::Options::default(), &watch).unwrap_err();
    assert_eq!((e.code(), b.points()), (Code::Interrupted, 20));
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.rows_read, r.rows_added, r.points_total), (80, 80, 100));
}

#[test]
fn sync_end_publishes_once_or_not_at_all() {
    for sync in [Sync::End, Sync::None] {
        let b = Bench::new(Settings::new(2));
        let f = b.file("a.jsonl", &lines(50));
        let writer = || dataset::Options { sync, ..dataset::Options::default() };
        let left = AtomicI32::new(3);
        let watch = || {
            if left.fetch_sub(1, Ordering::Relaxed) > 1 {
                Ok(())
            } else {
                Err(Error::new(Code::Interrupted, "interrupted"))
            }
        };
        b.run_with(&b.options(&[&f]), writer(), &watch).unwrap_err();
        assert_eq!(b.points(), 0);
        let r = b.run_with(&b.options(&[&f]), writer(), &|| Ok(())).unwrap();
        assert_eq!((r.rows_added, r.commits, b.points()), (50, 1, 50));
        assert_eq!(b.run(&b.options(&[&f])).unwrap().files_skipped, 1);
    }
}

#[test]
fn deleted_points_come_back_with_their_file() {
    let b = Bench::new(Settings::new(2));
    let f = b.file("a.jsonl", &lines(30));
    b.run(&b.options(&[&f])).unwrap();
    let select = Select { entities: Some([1].into()), ..Select::default() };
    let refuse = |_: &crate::commands::delete::Deleted| Err(Error::usage("no"));
    crate::commands::delete::delete(&b.dir(), dataset::Options::default(), &select, refuse).unwrap_err();
    assert_eq!(b.points(), 30);
    let d =
        crate::commands::delete::delete(&b.dir(), dataset::Options::default(), &select, |_| Ok(())).unwrap();
    assert_eq!((d.points, d.entities, b.points()), (10, 1, 20));
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.rows_added, r.rows_unchanged, b.points()), (10, 20, 30));
    let worst = dataset::verify(&b.dir(), None, dataset::Level::Deep, false, &mut |_| Ok(())).unwrap();
    assert_eq!(worst, dataset::Status::Ok);
}

/// What the programs before the second form of fingerprints wrote for the options of [`Bench::options`].
const EARLIER: u64 = 14_656_599_309_436_162_173;

#[test]
fn a_ledger_of_an_earlier_program_still_counts() {
    let b = Bench::new(Settings::new(2));
    let f = b.file("a.jsonl", &lines(25));
    b.run(&b.options(&[&f])).unwrap();
    let key = f.canonicalize().unwrap().to_str().unwrap().to_owned();
    let note = |options: u64| {
        let mut ledger = Ledger::read(&b.dir()).unwrap();
        let entry = ledger.get(&key).unwrap().clone();
        ledger.set(key.clone(), Entry { options, ..entry.clone() });
        ledger.write(&b.dir()).unwrap();
        entry.options
    };
    let now = note(EARLIER);
    assert_ne!(now, EARLIER);
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.files_skipped, r.rows_read), (1, 0));
    // Grown: only the new rows, and from now on the entry is in the present form.
    let f = b.file("a.jsonl", &lines(30));
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.rows_read, r.rows_added), (5, 5));
    assert_eq!(note(1), now);
    // Other options: read again.
    let r = b.run(&b.options(&[&f])).unwrap();
    assert_eq!((r.files_skipped, r.rows_read, r.rows_unchanged), (0, 30, 30));
}
