//! Compaction against a model of the points, with a fault at every durable step.

use super::compact::{Options, Policy, compact};
use crate::dataset::powercut::{Disk, replay};
use crate::dataset::tests::{Model, all, apply, clean, made, options, put};
use crate::dataset::{Select, Snapshot, TierInfo, Writer};
use crate::error::Result;
use crate::fsio::fault::{Mode, arm};
use crate::manifest::FileKind;
use crate::model::Key;
use std::path::Path;
use std::sync::Mutex;

const MONTH: i64 = 31 * 86_400_000_000;

/// Hot segments with replaced and deleted rows, and a log.
pub(super) fn layered(dir: &Path) -> Model {
    let mut model = Model::new();
    let mut w = Writer::open(dir, options()).unwrap();
    let first: Vec<(u64, i64, u32)> =
        (0..40).map(|i| (u64::from(i % 7), i64::from(i / 7) * MONTH, i)).collect();
    let second = [(1, 0, 90), (2, MONTH, 91), (9, -5, 92), (9, 3 * MONTH + 5, 93)];
    for rows in [&first[..], &second[..]] {
        put(&mut w, rows).unwrap();
        w.seal().unwrap();
        apply(&mut model, rows);
    }
    w.finish().unwrap();
    let select = Select { entities: Some([3].into()), ..Select::default() };
    crate::commands::delete::delete(dir, options(), &select, |_| Ok(())).unwrap();
    model.retain(|k, _| k.entity != 3);
    let mut w = Writer::open(dir, options()).unwrap();
    put(&mut w, &[(4, 0, 94), (11, 7, 95)]).unwrap();
    apply(&mut model, &[(4, 0, 94), (11, 7, 95)]);
    // Dropped without an end: the log stays.
    model
}

fn go(dir: &Path) -> Result<super::compact::Report> {
    compact(dir, &options(), &Options::default(), &|| Ok(()))
}

fn points_of(dir: &Path) -> [u64; 4] {
    let s = Snapshot::open(dir, None).unwrap();
    TierInfo::of(&s).map(|t| t.points)
}

#[test]
fn everything_goes_to_warm_and_nothing_changes() {
    let (_t, dir) = made(3);
    let model = layered(&dir);
    let seqs = |dir: &Path| -> Vec<u64> {
        let s = Snapshot::open(dir, None).unwrap();
        let rows = crate::dataset::Trajectories::new(Select::default().resolve(&s).unwrap());
        rows.flat_map(|r| (0..r.len()).map(|i| r.seq(i)).collect::<Vec<_>>()).collect()
    };
    let before = seqs(&dir);
    let report = go(&dir).unwrap();
    assert_eq!((report.wal_segments, report.files_in, report.points), (1, 3, model.len() as u64));
    assert_eq!(all(&dir).unwrap(), model);
    assert_eq!(seqs(&dir), before);
    assert_eq!(points_of(&dir), [0, 0, model.len() as u64, 0]);
    clean(&dir);
    let again = go(&dir).unwrap();
    assert_eq!((again.files_in, again.commit), (0, report.commit));
    // Points in warm files are replaced and deleted as elsewhere.
    let mut model = model;
    let mut w = Writer::open(&dir, options()).unwrap();
    assert_eq!(put(&mut w, &[(1, 0, 90), (5, 0, 96)]).unwrap().replaced, 1);
    assert_eq!(all(&dir).unwrap().len(), model.len());
    w.finish().unwrap();
    apply(&mut model, &[(5, 0, 96)]);
    let select = Select { entities: Some([6].into()), ..Select::default() };
    crate::commands::delete::delete(&dir, options(), &select, |_| Ok(())).unwrap();
    model.retain(|k, _| k.entity != 6);
    assert_eq!(all(&dir).unwrap(), model);
    clean(&dir);
    let purge = Options { policy: Policy { purge: true, ..Policy::default() }, ..Options::default() };
    let report = compact(&dir, &options(), &purge, &|| Ok(())).unwrap();
    assert!(report.points_purged > 0);
    let m = Snapshot::open(&dir, None).unwrap().manifest().clone();
    assert_eq!((m.of(FileKind::Deletions).count(), m.of(FileKind::Segment).count()), (0, 0));
    assert_eq!(all(&dir).unwrap(), model);
    clean(&dir);
}

#[test]
fn a_kill_at_every_step_leaves_old_or_new_and_the_same_command_completes() {
    let mut n = 0;
    loop {
        n += 1;
        let (_t, dir) = made(3);
        let model = layered(&dir);
        let armed = arm(&dir, n, Mode::FromThere, false);
        let r = go(&dir);
        let fired = armed.fired();
        drop(armed);
        assert_eq!(all(&dir).unwrap(), model, "step {n}");
        if !fired {
            r.unwrap();
            break;
        }
        // What fails after the last version is published is only the removal of old files.
        go(&dir).unwrap();
        assert_eq!(all(&dir).unwrap(), model, "step {n}");
        assert_eq!(points_of(&dir)[..2], [0, 0], "step {n}");
        clean(&dir);
    }
    assert!(n > 40, "only {n} steps");
}

#[test]
fn a_power_cut_at_every_step_of_compact_loses_nothing() {
    let (_t, dir) = made(3);
    let model = layered(&dir);
    let base = Disk::base(&dir);
    let armed = arm(&dir, 0, Mode::Count, true);
    go(&dir).unwrap();
    let log = armed.take_log();
    drop(armed);
    replay(&dir, base, &log, |n, cut| {
        let found = all(&dir).unwrap_or_else(|e| panic!("step {n} {cut:?}: {e}"));
        assert_eq!(found, model, "step {n} {cut:?}");
        go(&dir).unwrap_or_else(|e| panic!("step {n} {cut:?}, then: {e}"));
        assert_eq!(all(&dir).unwrap(), model, "step {n} {cut:?}");
        clean(&dir);
    });
}

#[test]
fn what_changes_while_compact_builds_is_kept() {
    let (_t, dir) = made(3);
    let mut model = layered(&dir);
    let done = Mutex::new(false);
    let meanwhile = || {
        let mut done = done.lock().unwrap();
        if !std::mem::replace(&mut *done, true) {
            let mut w = Writer::open(&dir, options())?;
            put(&mut w, &[(5, 0, 97), (12, 1, 98)])?;
            w.finish()?;
            let select = Select { entities: Some([6].into()), ..Select::default() };
            crate::commands::delete::delete(&dir, options(), &select, |_| Ok(()))?;
        }
        Ok(())
    };
    let report = compact(&dir, &options(), &Options::default(), &meanwhile).unwrap();
    apply(&mut model, &[(5, 0, 97), (12, 1, 98)]);
    model.retain(|k, _| k.entity != 6);
    assert_eq!((report.jobs_lost, report.files_in), (0, 3));
    assert_eq!(all(&dir).unwrap(), model);
    assert_eq!(points_of(&dir)[1], 2, "what came meanwhile is still hot");
    clean(&dir);
}

#[test]
fn a_second_compact_at_the_same_time_loses_no_point() {
    let (_t, dir) = made(3);
    let model = layered(&dir);
    let done = Mutex::new(false);
    let other = || {
        let mut done = done.lock().unwrap();
        if !std::mem::replace(&mut *done, true) {
            go(&dir)?;
        }
        Ok(())
    };
    let report = compact(&dir, &options(), &Options::default(), &other).unwrap();
    // The first plan is lost to the other one; the second has nothing left to do.
    assert_eq!((report.jobs_lost, report.files_in), (0, 0));
    assert_eq!(all(&dir).unwrap(), model);
    clean(&dir);
}

#[test]
fn small_targets_make_files_by_period_and_bucket() {
    let (_t, dir) = made(3);
    let mut model = Model::new();
    let rows: Vec<(u64, i64, u32)> =
        (0..6000u32).map(|i| (u64::from(i % 500), i64::from(i / 500) * MONTH / 3, i % 50)).collect();
    let mut w = Writer::open(&dir, options()).unwrap();
    put(&mut w, &rows).unwrap();
    apply(&mut model, &rows);
    w.finish().unwrap();
    let policy = Policy { target_bytes: 20_000, ..Policy::default() };
    compact(&dir, &options(), &Options { policy, ..Options::default() }, &|| Ok(())).unwrap();
    assert_eq!(all(&dir).unwrap(), model);
    let s = Snapshot::open(&dir, None).unwrap();
    let m = s.manifest();
    let buckets: std::collections::BTreeSet<u16> = m.placements.iter().map(|p| p.bucket).collect();
    assert!(m.of(FileKind::Warm).count() >= 8 && buckets.len() >= 2, "{:?}", m.placements);
    // A look-up opens only files of the entity's bucket and time.
    let near = s.parts_with((7, 7), &crate::model::TimeRange::closed(0, MONTH)).unwrap().len();
    assert!(near * 3 < m.of(FileKind::Warm).count(), "{near}");
    assert!(s.state_at(7, MONTH).unwrap().is_some());
    clean(&dir);
    drop(s);
    let limited = Options { limits: super::Limits { bytes: Some(1), time: None }, ..Options::default() };
    let policy = Policy { rewrite: true, job_bytes: 1, ..Policy::default() };
    let report = compact(&dir, &options(), &Options { policy, ..limited }, &|| Ok(())).unwrap();
    assert!(report.files_in == 1 && report.jobs_left > 0, "{report:?}");
    assert_eq!(all(&dir).unwrap(), model);
    let key = Key { entity: 7, t: 0 };
    assert!(model.contains_key(&key));
}
