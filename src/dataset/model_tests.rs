//! Random operations against a map of the points: whatever is appended, replaced, deleted, sealed, lost with a writer
//! or moved between files, a reader finds what the map holds, and a reader of an older version what it held then.

use super::tests::{Model, all, batch, clean, content, made, options, put};
use super::*;
use crate::error::{Code, Error};
use crate::fsio::fault::{Mode, arm};
use crate::model::{Key, TimeRange, VectorSource};
use crate::points::Texts;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ENTITIES: u64 = 7;
const DAY: i64 = 86_400_000_000;

pub(crate) type Row = (u64, i64, u32);

/// A dataset under random operations, and what it must hold.
pub(crate) struct Trial {
    pub dir: PathBuf,
    pub model: Model,
    pub random: Xoshiro256PlusPlus,
    writer: Option<Writer>,
    /// Readers of older versions, and what they must find.
    pinned: Vec<(Snapshot, Model)>,
    /// Sealed versions that are kept, and what they hold.
    kept: Vec<(u64, Model)>,
}

impl Trial {
    pub fn new(dir: &Path, seed: u64) -> Trial {
        Trial {
            dir: dir.to_owned(),
            model: Model::new(),
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            writer: None,
            pinned: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn options(&self) -> Options {
        Options { keep_for: Duration::from_secs(3600), ..options() }
    }

    fn writer(&mut self) -> &mut Writer {
        let (dir, options) = (self.dir.clone(), self.options());
        self.writer.get_or_insert_with(|| Writer::open(&dir, options).unwrap())
    }

    /// Ends the writer: in order, or as a kill would.
    pub fn close(&mut self) {
        let in_order = self.random.random_bool(0.7);
        match self.writer.take() {
            Some(w) if in_order => drop(w.finish().unwrap()),
            _ => {}
        }
    }

    fn rows(&mut self) -> Vec<Row> {
        let n = self.random.random_range(1..14);
        let row = |_| {
            let t = match self.random.random_range(0..40) {
                0 => i64::MIN,
                1 => i64::MAX,
                n => (n - 12) * 9 * DAY,
            };
            (self.random.random_range(0..ENTITIES), t, self.random.random_range(0..4))
        };
        (0..n).map(row).collect()
    }

    /// One operation on the points.
    pub fn step(&mut self) {
        match self.random.random_range(0..20) {
            0..12 => self.append(),
            12..14 => self.delete(),
            14 | 15 => {
                self.writer().seal().unwrap();
                let version = (self.writer().commit(), self.model.clone());
                self.kept.retain(|(commit, _)| *commit != version.0);
                self.kept.push(version);
            }
            16 | 17 => self.close(),
            _ => {
                let snapshot = Snapshot::open(&self.dir, None).unwrap();
                self.pinned.push((snapshot, self.model.clone()));
            }
        }
    }

    fn append(&mut self) {
        let rows = self.rows();
        let how = [OnConflict::Replace, OnConflict::Skip, OnConflict::Error][self.random.random_range(0..3)];
        let (mut after, mut expected) = (self.model.clone(), Appended::default());
        let known = |m: &Model, e: u64| m.keys().any(|k| k.entity == e);
        for (entity, t, v) in &rows {
            let key = Key { entity: *entity, t: *t };
            match after.get(&key) {
                None => {
                    expected.added += 1;
                    expected.new_entities += u64::from(!known(&after, *entity));
                    after.insert(key, content(*v));
                }
                Some(old) if *old == content(*v) => expected.unchanged += 1,
                Some(_) => match how {
                    OnConflict::Replace => {
                        expected.replaced += 1;
                        after.insert(key, content(*v));
                    }
                    OnConflict::Skip => expected.unchanged += 1,
                    _ => expected.conflicts += 1,
                },
            }
        }
        let refuse = |_| Err(Error::new(Code::Conflict, "conflict"));
        let done = self.writer().append(&mut batch(&rows), None, how, &mut { refuse });
        match done {
            Err(e) => {
                assert_eq!(e.code(), Code::Conflict, "{e}");
                assert!(expected.conflicts > 0, "{rows:?}");
            }
            Ok(found) => {
                assert_eq!(found, expected, "{how:?} {rows:?}");
                self.model = after;
            }
        }
    }

    fn delete(&mut self) {
        self.close();
        // With a log that a kill left, the next writer seals it first.
        let entity = self.random.random_range(0..ENTITIES);
        let from = self.random.random_range(-10..28) * 9 * DAY;
        let time = TimeRange::half_open(Some(from), Some(from + 60 * DAY));
        let select = Select { entities: Some([entity].into()), time, ..Select::default() };
        let done = crate::commands::delete::delete(&self.dir, self.options(), &select, |_| Ok(())).unwrap();
        let before = self.model.len();
        self.model.retain(|k, _| k.entity != entity || !time.contains(k.t));
        assert_eq!(done.points as usize, before - self.model.len());
    }

    /// Holds the dataset, and what readers see of older versions, against the model.
    pub fn check(&mut self) {
        assert_eq!(all(&self.dir).unwrap(), self.model);
        let s = Snapshot::open(&self.dir, None).unwrap();
        for _ in 0..8 {
            let (entity, t) =
                (self.random.random_range(0..ENTITIES), self.random.random_range(-12..30) * 8 * DAY);
            let state = s.state_at(entity, t).unwrap().map(|(part, row)| part.key(row));
            let keys = Key { entity, t: i64::MIN }..=Key { entity, t };
            assert_eq!(state, self.model.range(keys).next_back().map(|(key, _)| *key), "{entity} at {t}");
        }
        for (snapshot, model) in &self.pinned {
            assert_eq!(&found(snapshot), model, "version {}", snapshot.manifest().commit);
        }
        if self.pinned.len() > 3 {
            self.pinned.remove(0);
        }
    }

    /// The end of a trial: all kept versions can still be read, and every checksum and invariant holds.
    pub fn end(mut self) {
        self.close();
        self.check();
        for (commit, model) in &self.kept {
            match Snapshot::open(&self.dir, Some(*commit)) {
                Ok(s) => assert_eq!(&found(&s), model, "version {commit}"),
                Err(e) => panic!("version {commit}: {e}"),
            }
        }
        clean(&self.dir);
    }
}

fn found(s: &Snapshot) -> Model {
    let mut out = Model::new();
    let mut x = Vec::new();
    for rows in Trajectories::new(Select::default().resolve(s).unwrap()) {
        rows.read(0..rows.len(), &mut x).unwrap();
        for (i, (t, x)) in rows.t.iter().zip(x.chunks_exact(3)).enumerate() {
            out.insert(Key { entity: rows.entity, t: *t }, (x.to_vec(), rows.meta(i).unwrap()));
        }
    }
    out
}

#[test]
fn any_operations_leave_what_a_map_would_hold() {
    for seed in 0..4 {
        let (_t, dir) = made(3);
        let mut trial = Trial::new(&dir, seed);
        for _ in 0..50 {
            trial.step();
            trial.check();
        }
        trial.end();
    }
}

/// A batch that replaces points, and whose write fails, must not take the old ones with it: the caller may still end
/// the writer in order, which seals.
#[test]
fn a_failed_replacement_takes_nothing_away() {
    let old: Vec<Row> = (0..5).map(|i| (i, 0, 1)).collect();
    let new: Vec<Row> = (0..5).map(|i| (i, 0, 2)).collect();
    let mut failed = 0;
    for n in 1.. {
        let (_t, dir) = made(3);
        let mut w = Writer::open(&dir, options()).unwrap();
        put(&mut w, &old).unwrap();
        w.finish().unwrap();
        let before = all(&dir).unwrap();
        let mut w = Writer::open(&dir, options()).unwrap();
        let armed = arm(&dir, n, Mode::Once, false);
        let put = put(&mut w, &new);
        let fired = armed.fired();
        drop(armed);
        if put.is_ok() {
            assert!(!fired, "step {n}");
            break;
        }
        failed += 1;
        assert!(w.seal().is_err() && w.delete(&[]).is_err() && w.finish().is_err(), "step {n}");
        // The old content, or the new where it reached the disk.
        let found = all(&dir).unwrap();
        assert!(found.keys().eq(before.keys()), "step {n}: {found:?}");
        Writer::open(&dir, options()).unwrap().finish().unwrap();
        assert!(all(&dir).unwrap().keys().eq(before.keys()), "step {n}");
        clean(&dir);
    }
    assert!(failed > 3, "only {failed} steps");
}

/// A name whose batch was refused is given out again when it comes back, and becomes durable then.
#[test]
fn names_of_a_refused_batch_are_not_lost() {
    let (_t, dir) = super::tests::scratch();
    let named =
        crate::config::Settings { ids: crate::config::IdKind::String, ..crate::config::Settings::new(3) };
    init(&dir, &named, false).unwrap();
    let mut w = Writer::open(&dir, options()).unwrap();
    let mut names = Texts::new();
    ["a", "b", "b"].iter().for_each(|n| names.push(n));
    let refuse = &mut |_: Conflict| Err(Error::new(Code::Conflict, "conflict"));
    let mut rows = batch(&[(0, 1, 1), (0, 1, 1), (0, 1, 2)]);
    w.append(&mut rows, Some(&names), OnConflict::Error, refuse).unwrap_err();
    let done = w.append(&mut rows, Some(&names), OnConflict::Skip, refuse).unwrap();
    assert_eq!((done.added, done.unchanged, done.new_entities), (2, 1, 2));
    w.finish().unwrap();
    let s = Snapshot::open(&dir, None).unwrap();
    let b = s.entity("b").unwrap();
    assert_eq!(s.entity_name(b).unwrap().as_deref(), Some("b"));
    assert_eq!(found(&s)[&Key { entity: b, t: 1 }], content(1));
    clean(&dir);
}
