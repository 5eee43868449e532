//! The dataset against a model, with a fault at every durable step.

use super::*;
use crate::config::{IdKind, Settings};
use crate::error::{Code, Result};
use crate::fsio::fault::{Mode, arm};
use crate::model::{Key, VectorSource};
use crate::points::{Origin, Points, Texts};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) type Model = BTreeMap<Key, (Vec<f32>, String)>;

pub(crate) fn scratch() -> (tempfile::TempDir, PathBuf) {
    let t = tempfile::tempdir().unwrap();
    let dir = t.path().canonicalize().unwrap().join("d");
    (t, dir)
}

pub(crate) fn made(dim: usize) -> (tempfile::TempDir, PathBuf) {
    let (t, dir) = scratch();
    init(&dir, &Settings::new(dim), false).unwrap();
    (t, dir)
}

pub(crate) fn options() -> Options {
    Options { keep_for: Duration::ZERO, ..Options::default() }
}

/// A batch of points: entity, time, and a value from which vector and metadata follow.
pub(crate) fn batch(rows: &[(u64, i64, u32)]) -> Points {
    let mut p = Points::new(3);
    let origin = p.intern(&Origin { source: "test".into(), model: "m@1".into() });
    for (entity, t, v) in rows {
        let (x, meta) = content(*v);
        p.push(Key { entity: *entity, t: *t }, &x, &meta, origin);
    }
    p
}

pub(crate) fn content(v: u32) -> (Vec<f32>, String) {
    let meta = if v % 3 == 0 { String::new() } else { format!("{{\"v\":{v}}}") };
    (vec![v as f32, 1.0, -(v as f32)], meta)
}

pub(crate) fn put(w: &mut Writer, rows: &[(u64, i64, u32)]) -> Result<Appended> {
    w.append(&mut batch(rows), None, OnConflict::Replace, &mut |_| Ok(()))
}

/// Everything in the dataset.
pub(crate) fn all(dir: &Path) -> Result<Model> {
    let s = Snapshot::open(dir, None)?;
    let mut out = Model::new();
    let mut x = Vec::new();
    for rows in Trajectories::new(Select::default().resolve(&s)?) {
        rows.read(0..rows.len(), &mut x)?;
        for i in 0..rows.len() {
            let key = Key { entity: rows.entity, t: rows.t[i] };
            let old = out.insert(key, (x[i * 3..i * 3 + 3].to_vec(), rows.meta(i)?));
            assert!(old.is_none(), "{key:?} twice");
        }
    }
    assert_eq!(out.len() as u64, s.points());
    Ok(out)
}

pub(crate) fn apply(m: &mut Model, rows: &[(u64, i64, u32)]) {
    for (entity, t, v) in rows {
        m.insert(Key { entity: *entity, t: *t }, content(*v));
    }
}

pub(crate) fn clean(dir: &Path) {
    let mut bad = Vec::new();
    let worst = verify(dir, None, Level::Deep, false, &mut |f| {
        if f.status != Status::Ok {
            bad.push(f);
        }
        Ok(())
    });
    assert_eq!(worst.unwrap(), Status::Ok, "{bad:?}");
}

pub(crate) const STEPS: [&[(u64, i64, u32)]; 4] = [
    &[(1, 10, 1), (2, 10, 2), (1, 5, 3)],
    &[(1, 10, 1), (1, 20, 4), (3, -7, 5), (3, -7, 5)],
    &[(1, 10, 6), (2, 10, 7), (2, i64::MIN, 8), (2, i64::MAX, 9)],
    &[(2, 10, 10), (4, 0, 11)],
];

#[test]
fn what_is_appended_is_found_before_and_after_sealing() {
    let (_t, dir) = made(3);
    let mut w = Writer::open(&dir, options()).unwrap();
    let mut model = Model::new();
    for (i, rows) in STEPS.iter().enumerate() {
        let a = put(&mut w, rows).unwrap();
        if i == 1 {
            assert_eq!((a.added, a.unchanged, a.replaced), (2, 2, 0));
        }
        if i == 2 {
            assert_eq!((a.added, a.unchanged, a.replaced), (2, 0, 2));
            w.seal().unwrap();
        }
        apply(&mut model, rows);
        assert_eq!(all(&dir).unwrap(), model, "step {i}");
    }
    w.finish().unwrap();
    assert_eq!(all(&dir).unwrap(), model);
    clean(&dir);
    // The same again changes nothing.
    let mut w = Writer::open(&dir, options()).unwrap();
    let a = put(&mut w, STEPS[3]).unwrap();
    assert_eq!((a.added, a.unchanged), (0, 2));
    w.finish().unwrap();
}

#[test]
fn conflicts_are_told_in_input_order_and_nothing_is_taken() {
    let (_t, dir) = made(3);
    let mut w = Writer::open(&dir, options()).unwrap();
    put(&mut w, STEPS[0]).unwrap();
    let mut seen = Vec::new();
    let mut b = batch(&[(9, 9, 9), (1, 10, 2), (1, 5, 9), (9, 9, 8)]);
    let r = w.append(&mut b, None, OnConflict::Error, &mut |c| {
        seen.push(c.row);
        Err(crate::Error::new(Code::Conflict, "conflict"))
    });
    assert_eq!(r.unwrap_err().code(), Code::Conflict);
    assert_eq!(seen, [1]);
    w.finish().unwrap();
    let mut model = Model::new();
    apply(&mut model, STEPS[0]);
    assert_eq!(all(&dir).unwrap(), model);

    let mut w = Writer::open(&dir, options()).unwrap();
    let a = w.append(&mut b, None, OnConflict::Skip, &mut |_| Ok(())).unwrap();
    assert_eq!((a.added, a.unchanged, a.conflicts), (1, 3, 0));
    let a = w.append(&mut b, None, OnConflict::Error, &mut |_| Ok(())).unwrap();
    assert_eq!((a.added, a.unchanged, a.conflicts), (0, 1, 3));
    w.finish().unwrap();
    clean(&dir);
}

/// Stops at every durable step in turn, as a kill would, and looks at what is left.
#[test]
fn a_kill_at_every_step_leaves_a_prefix_and_the_same_command_completes() {
    let run = |dir: &Path, acknowledged: &mut usize| -> Result<()> {
        let mut w = Writer::open(dir, options())?;
        for (i, rows) in STEPS.iter().enumerate() {
            put(&mut w, rows)?;
            *acknowledged = i + 1;
            if i == 1 {
                w.seal()?;
            }
        }
        w.finish()?;
        Ok(())
    };
    let models: Vec<Model> = (0..=STEPS.len())
        .map(|n| {
            let mut m = Model::new();
            STEPS[..n].iter().for_each(|s| apply(&mut m, s));
            m
        })
        .collect();
    let mut n = 0;
    loop {
        n += 1;
        let (_t, dir) = made(3);
        let armed = arm(&dir, n, Mode::FromThere, false);
        let mut acknowledged = 0;
        let r = run(&dir, &mut acknowledged);
        let fired = armed.fired();
        drop(armed);
        let found = all(&dir).unwrap();
        let at = models.iter().rposition(|m| *m == found);
        assert!(
            at.is_some_and(|at| at >= acknowledged),
            "step {n}: {acknowledged} acknowledged, {at:?} found"
        );
        if !fired {
            r.unwrap();
            break;
        }
        assert!(r.is_err(), "step {n}");
        // A second kill, in the middle of the recovery.
        for m in [n % 7 + 1, n % 3 + 1] {
            let armed = arm(&dir, m, Mode::FromThere, false);
            let _ = run(&dir, &mut acknowledged);
            drop(armed);
            let found = all(&dir).unwrap();
            assert!(models.iter().rposition(|m| *m == found).is_some(), "step {n}, then {m}");
        }
        run(&dir, &mut acknowledged).unwrap();
        assert_eq!(&all(&dir).unwrap(), &models[STEPS.len()], "step {n}");
        clean(&dir);
    }
    assert!(n > 30, "only {n} steps");
}

/// A step that fails once: the command ends with an error, and nothing acknowledged is lost.
#[test]
fn an_error_at_every_step_is_reported() {
    let mut n = 0;
    loop {
        n += 1;
        let (_t, dir) = made(3);
        let armed = arm(&dir, n, Mode::Once, false);
        let mut acknowledged = Model::new();
        let r = (|| {
            let mut w = Writer::open(&dir, options())?;
            for rows in STEPS {
                put(&mut w, rows)?;
                apply(&mut acknowledged, rows);
            }
            w.finish().map(|_| ())
        })();
        let fired = armed.fired();
        drop(armed);
        let found = all(&dir).unwrap();
        for (k, v) in &acknowledged {
            assert!(found.contains_key(k), "step {n}: {k:?} {v:?}");
        }
        if !fired {
            r.unwrap();
            break;
        }
        let e = r.expect_err("a failed step must end the command");
        assert!(e.place().file.is_some(), "step {n}: {e}");
    }
}

#[test]
fn init_can_be_interrupted_anywhere() {
    let mut n = 0;
    loop {
        n += 1;
        let (_t, dir) = scratch();
        let armed = arm(&dir, n, Mode::FromThere, false);
        let r = init(&dir, &Settings::new(3), false);
        let fired = armed.fired();
        drop(armed);
        if !fired {
            r.unwrap();
            break;
        }
        if r.is_err() {
            init(&dir, &Settings::new(3), true).unwrap();
        }
        assert!(all(&dir).unwrap().is_empty());
    }
    let (_t, dir) = made(3);
    assert_eq!(init(&dir, &Settings::new(3), true).unwrap(), Initialised::Existed);
    assert_eq!(init(&dir, &Settings::new(4), true).unwrap_err().code(), Code::Exists);
    assert_eq!(init(&dir, &Settings::new(3), false).unwrap_err().code(), Code::Exists);
}

#[test]
fn a_reader_keeps_its_version() {
    let (_t, dir) = made(3);
    let mut w = Writer::open(&dir, options()).unwrap();
    put(&mut w, STEPS[0]).unwrap();
    w.finish().unwrap();
    let before = Snapshot::open(&dir, None).unwrap();
    let mut w = Writer::open(&dir, options()).unwrap();
    let id = before.manifest().files[0].id;
    w.delete(&[(id, [0u32].into_iter().collect())]).unwrap();
    put(&mut w, STEPS[2]).unwrap();
    let (_, collected) = w.finish().unwrap();
    assert_eq!(collected.in_use, [before.manifest().commit]);
    // Files are opened only now.
    let rows: usize = Trajectories::new(Select::default().resolve(&before).unwrap()).map(|r| r.len()).sum();
    assert_eq!(rows, 3);
    let commit = before.manifest().commit;
    drop(before);
    Writer::open(&dir, options()).unwrap().finish().unwrap();
    assert_eq!(Snapshot::open(&dir, Some(commit)).unwrap_err().code(), Code::NotFound);
    clean(&dir);
}

#[test]
fn names_are_durable_and_merged() {
    let (_t, dir) = scratch();
    init(&dir, &Settings { ids: IdKind::String, ..Settings::new(3) }, false).unwrap();
    for round in 0..6u32 {
        let mut w = Writer::open(&dir, options()).unwrap();
        let mut p = batch(&[(0, i64::from(round), round), (0, i64::from(round), round + 1)]);
        let mut names = Texts::new();
        names.push("apple");
        names.push(&format!("pear {round}"));
        let a = w.append(&mut p, Some(&names), OnConflict::Error, &mut |_| Ok(())).unwrap();
        assert_eq!(a.new_entities, if round == 0 { 2 } else { 1 });
        if round % 2 == 0 {
            w.finish().unwrap();
        }
    }
    Writer::open(&dir, options()).unwrap().finish().unwrap();
    let s = Snapshot::open(&dir, None).unwrap();
    let apple = s.entity("apple").unwrap();
    assert_eq!(s.entity_name(apple).unwrap().as_deref(), Some("apple"));
    assert_eq!(s.entity("aple").unwrap_err().hint(), Some("one name is close: apple"));
    assert_eq!(s.dict().len(), 7);
    assert_eq!(all(&dir).unwrap().len(), 12);
    clean(&dir);
}

#[test]
fn selections() {
    let (_t, dir) = made(3);
    let mut w = Writer::open(&dir, options()).unwrap();
    let rows: Vec<(u64, i64, u32)> = (0..200).map(|i| (i % 20, (i / 20) as i64 * 10, i as u32)).collect();
    put(&mut w, &rows[..90]).unwrap();
    w.seal().unwrap();
    put(&mut w, &rows[90..]).unwrap();
    let s = Snapshot::open(&dir, None).unwrap();
    assert_eq!(s.part_count(), 2);
    let count = |select: Select| select.resolve(&s).unwrap().points();
    let time = |a, b| crate::model::TimeRange::half_open(Some(a), Some(b));
    assert_eq!(count(Select::default()), 200);
    assert_eq!(count(Select { time: time(10, 30), ..Select::default() }), 40);
    assert_eq!(count(Select { entities: Some([3, 5, 99].into()), ..Select::default() }), 20);
    assert_eq!(count(Select { limit: Some(3), ..Select::default() }), 30);
    assert_eq!(count(Select { limit: Some(0), ..Select::default() }), 0);
    assert_eq!(count(Select { sample: Some(Sample::Count(4)), ..Select::default() }), 40);
    assert_eq!(count(Select { min_points: 11, ..Select::default() }), 0);
    assert_eq!(count(Select { model: Some("m".into()), ..Select::default() }), 200);
    assert_eq!(count(Select { model: Some("m@2".into()), ..Select::default() }), 0);
    let filter = |f: &str| Some(crate::filter::Filter::parse(f).unwrap());
    assert_eq!(count(Select { filter: filter("v < 10"), ..Select::default() }), 6);
    let shards: u64 =
        (1..=7).map(|i| count(Select { shard: Some(Shard { index: i, of: 7 }), ..Select::default() })).sum();
    assert_eq!(shards, 200);
    let asof = |t, age| asof_rows(&s, &Select::default(), t, age).unwrap().points();
    assert_eq!((asof(-1, None), asof(0, None), asof(55, None), asof(1000, Some(100))), (0, 20, 20, 0));
    let p = s.state_at(7, 55).unwrap().unwrap();
    assert_eq!(p.0.key(p.1), Key { entity: 7, t: 50 });
}

#[test]
fn every_changed_byte_of_every_file_is_noticed() {
    let (_t, dir) = made(3);
    let mut w = Writer::open(&dir, options()).unwrap();
    put(&mut w, STEPS[0]).unwrap();
    w.seal().unwrap();
    put(&mut w, STEPS[2]).unwrap();
    w.finish().unwrap();
    let mut files = Vec::new();
    for d in ["manifest", "hot"] {
        files.extend(crate::fsio::list_dir(&dir.join(d)).unwrap().into_iter().map(|n| dir.join(d).join(n)));
    }
    files.push(dir.join("CURRENT"));
    let noticed = || {
        let worst = verify(&dir, None, Level::Full, true, &mut |_| Ok(()));
        worst.map_or(true, |s| s == Status::Damaged)
    };
    assert!(!noticed());
    for path in files {
        let good = std::fs::read(&path).unwrap();
        for i in (0..good.len()).filter(|i| *i < 64 || i % 13 == 0 || good.len() - i < 64) {
            let mut bad = good.clone();
            bad[i] ^= 1 << (i % 8);
            std::fs::write(&path, &bad).unwrap();
            assert!(noticed(), "{} byte {i}", path.display());
            let _ = all(&dir).map_err(|e| assert!(matches!(e.code(), Code::Damaged | Code::Version), "{e}"));
            std::fs::write(&path, &good[..i]).unwrap();
            assert!(noticed(), "{} cut at {i}", path.display());
        }
        std::fs::remove_file(&path).unwrap();
        assert!(noticed(), "{} removed", path.display());
        std::fs::write(&path, &good).unwrap();
    }
    assert!(!noticed());
}
