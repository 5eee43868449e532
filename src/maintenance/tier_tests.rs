//! Demotion and restore against a model of the points, with a fault at every durable step.

use super::Limits;
use super::compact::{self, compact};
use super::tests::layered;
use super::tier::{self, Policy, Report, restore, run};
use crate::commands::index;
use crate::dataset::powercut::{Disk, replay};
use crate::dataset::tests::{Model, all, apply, clean, made, options, put};
use crate::dataset::{Options, Select, Snapshot, TierInfo, Trajectories, Writer};
use crate::error::Result;
use crate::fsio::fault::{Mode, arm};
use crate::manifest::FileKind;
use std::path::Path;
use std::time::Duration;

const MONTH: i64 = 31 * 86_400_000_000;
const NEVER: i64 = i64::MAX;
/// Periods of the points of [`layered`], each a file.
const FILES: u64 = 7;

fn policy(codec: &str) -> Policy {
    Policy {
        before: NEVER,
        codec: codec.parse().unwrap(),
        max_error: None,
        keep_original: false,
        target: None,
        drift_threshold: 0.2,
        seed: 1,
    }
}

fn demote(dir: &Path, policy: &Policy) -> Result<Report> {
    run(dir, &options(), policy, &Limits::default(), &|| Ok(()))
}

fn back(dir: &Path, select: &Select) -> Result<tier::Restored> {
    restore(dir, &options(), select, 1 << 20, &|| Ok(()))
}

/// A dataset all of whose points are warm.
fn warm(dir: &Path) -> Model {
    let model = layered(dir);
    compact(dir, &options(), &compact::Options::default(), &|| Ok(())).unwrap();
    model
}

fn points_of(dir: &Path) -> [u64; 4] {
    TierInfo::of(&Snapshot::open(dir, None).unwrap()).map(|t| t.points)
}

/// The points as they are, how many are approximate, and how far off the worst value is.
fn compare(dir: &Path, model: &Model) -> (u64, f32) {
    let found = all(dir).unwrap();
    assert!(found.keys().eq(model.keys()), "other keys");
    let mut worst = 0f32;
    for (key, (x, meta)) in &found {
        assert_eq!(*meta, model[key].1, "{key:?}");
        worst = x.iter().zip(&model[key].0).map(|(a, b)| (a - b).abs()).fold(worst, f32::max);
    }
    let s = Snapshot::open(dir, None).unwrap();
    let rows = Trajectories::new(Select::default().resolve(&s).unwrap());
    (rows.map(|r| (0..r.len()).filter(|i| r.is_approx(*i)).count() as u64).sum(), worst)
}

#[test]
fn lossless_blocks_change_nothing_and_lossy_ones_say_so() {
    for (codec, keep) in [("zstd", false), ("sq8", false), ("sq8", true), ("pq:2", true)] {
        let (_t, dir) = made(3);
        let model = warm(&dir);
        let n = model.len() as u64;
        let policy = Policy { keep_original: keep, ..policy(codec) };
        let lossy = !policy.codec.is_lossless();
        let report = demote(&dir, &policy).unwrap();
        assert_eq!((report.points, report.partitions, points_of(&dir)), (n, FILES, [0, 0, 0, n]), "{codec}");
        assert_eq!(report.errors[2] > 0.0, lossy, "{codec}");
        let (approx, worst) = compare(&dir, &model);
        assert_eq!((approx, worst > 0.0), (if lossy { n } else { 0 }, lossy), "{codec}");
        clean(&dir);
        // Again: nothing to do.
        assert_eq!(demote(&dir, &policy).unwrap().commit, report.commit);
        let restored = back(&dir, &Select::default()).unwrap();
        let lost = if lossy && !keep { n } else { 0 };
        assert_eq!((restored.points, restored.points_approx), (n, lost), "{codec}");
        let (approx, worst) = compare(&dir, &model);
        assert_eq!((approx, worst > 0.0), (lost, lost > 0), "{codec}");
        assert_eq!(points_of(&dir), [0, 0, n, 0]);
        let m = Snapshot::open(&dir, None).unwrap().manifest().clone();
        assert!(
            m.files.iter().all(|f| f.kind == FileKind::Warm || f.kind == FileKind::Dictionary),
            "{codec}"
        );
        clean(&dir);
        // What is approximate is not coded again.
        assert_eq!(demote(&dir, &policy).unwrap().skipped, if lost > 0 { FILES } else { 0 });
    }
}

#[test]
fn a_point_replaced_after_it_went_cold_is_answered_from_hot_and_a_deleted_one_is_gone() {
    let (_t, dir) = made(3);
    let mut model = warm(&dir);
    demote(&dir, &policy("sq8")).unwrap();
    let mut w = Writer::open(&dir, options()).unwrap();
    // The original row again is known by its hash; other content replaces it.
    let original = [(1, 0, 90), (4, 0, 94)];
    assert_eq!(put(&mut w, &original).unwrap().unchanged, 2);
    assert_eq!(put(&mut w, &[(1, 0, 80), (20, 5, 81)]).unwrap().replaced, 1);
    apply(&mut model, &[(1, 0, 80), (20, 5, 81)]);
    let (approx, _) = compare(&dir, &model);
    assert_eq!(approx, model.len() as u64 - 2);
    w.finish().unwrap();
    let select = Select { entities: Some([6].into()), ..Select::default() };
    crate::commands::delete::delete(&dir, options(), &select, |_| Ok(())).unwrap();
    model.retain(|k, _| k.entity != 6);
    compare(&dir, &model);
    assert_eq!(points_of(&dir)[1], 2);
    clean(&dir);
    // Some points come back; the block keeps the others.
    let select = Select { entities: Some([2, 5].into()), ..Select::default() };
    let before = points_of(&dir)[3];
    let n = back(&dir, &select).unwrap().points;
    assert_eq!((points_of(&dir)[2], points_of(&dir)[3]), (n, before - n));
    compare(&dir, &model);
    clean(&dir);
    // They are still known by the hashes of their originals, also after another compaction.
    let known = model.iter().filter(|(k, _)| [2, 5].contains(&k.entity));
    let known: Vec<_> = known.map(|(k, (x, _))| (k.entity, k.t, x[0] as u32)).collect();
    let again = |dir: &Path| {
        let mut w = Writer::open(dir, options()).unwrap();
        let unchanged = put(&mut w, &known).unwrap().unchanged;
        w.finish().unwrap();
        unchanged as usize
    };
    assert_eq!(again(&dir), known.len());
    let policy = compact::Policy { rewrite: true, ..compact::Policy::default() };
    compact(&dir, &options(), &compact::Options { policy, ..Default::default() }, &|| Ok(())).unwrap();
    assert_eq!(again(&dir), known.len());
    clean(&dir);
}

#[test]
fn purge_takes_the_dead_out_of_blocks() {
    let lossy = ["f16", "sq8", "pq:2", "pq:2x4", "opq:2", "rabitq:1", "rabitq:4"];
    let cases = [("zstd", false), ("sq8", true)].into_iter().chain(lossy.map(|codec| (codec, false)));
    for (codec, keep) in cases {
        let (_t, dir) = made(3);
        let mut model = warm(&dir);
        demote(&dir, &Policy { keep_original: keep, ..policy(codec) }).unwrap();
        let before = compare(&dir, &model).1;
        let select = Select { entities: Some([6].into()), ..Select::default() };
        crate::commands::delete::delete(&dir, options(), &select, |_| Ok(())).unwrap();
        let dead = model.keys().filter(|k| k.entity == 6).count() as u64;
        model.retain(|k, _| k.entity != 6);
        let policy = compact::Policy { purge: true, ..compact::Policy::default() };
        let report =
            compact(&dir, &options(), &compact::Options { policy, ..Default::default() }, &|| Ok(()))
                .unwrap();
        assert_eq!(report.points_purged, dead, "{codec}");
        let m = Snapshot::open(&dir, None).unwrap().manifest().clone();
        assert_eq!(m.of(FileKind::Deletions).count(), 0);
        assert_eq!(points_of(&dir), [0, 0, 0, model.len() as u64], "{codec}: what is cold stays cold");
        assert!(m.of(FileKind::Cold).all(|f| m.placement(f.id).unwrap().codec == codec));
        let kept: u64 = m.of(FileKind::Original).map(|f| f.rows).sum();
        assert_eq!(kept, if keep { model.len() as u64 } else { 0 }, "{codec}: no dead row is kept");
        let (approx, worst) = compare(&dir, &model);
        assert_eq!(approx, if codec == "zstd" { 0 } else { model.len() as u64 });
        assert!(worst <= before, "{codec}: {worst} off, {before} before");
        clean(&dir);
        if keep {
            back(&dir, &Select::default()).unwrap();
            assert_eq!(all(&dir).unwrap(), model, "{codec}: the originals are exact");
        }
    }
}

#[test]
fn a_block_above_the_error_bound_stays_warm() {
    let (_t, dir) = made(3);
    let model = warm(&dir);
    let strict = Policy { max_error: Some(1e-9), ..policy("sq8") };
    let report = demote(&dir, &strict).unwrap();
    assert_eq!((report.skipped, report.partitions, points_of(&dir)[3]), (FILES, 0, 0));
    assert_eq!(all(&dir).unwrap(), model);
    assert_eq!(demote(&dir, &Policy { max_error: Some(0.5), ..strict }).unwrap().partitions, FILES);
    clean(&dir);
}

/// A stream of 55 days in weekly files: what is older than 30 days goes by whole weeks, also from a file
/// that spans them all and from hot ones, and the rest is counted.
#[test]
fn retention_moves_what_is_old_enough_and_counts_the_rest() {
    const DAY: i64 = 86_400_000_000;
    const MONDAY: i64 = 19_723 * DAY - 2 * 365 * DAY + 2 * DAY;
    for compacted in [true, false] {
        let (_t, dir) = made(3);
        let rows: Vec<(u64, i64, u32)> = (0..55u32)
            .flat_map(|d| (0..4u32).map(move |e| (u64::from(e), MONDAY + i64::from(d) * DAY, d * 4 + e)))
            .collect();
        let mut w = Writer::open(&dir, options()).unwrap();
        put(&mut w, &rows).unwrap();
        w.finish().unwrap();
        let mut model = Model::new();
        apply(&mut model, &rows);
        if compacted {
            compact(&dir, &options(), &compact::Options::default(), &|| Ok(())).unwrap();
        }
        // In the middle of a week: its Monday is the boundary.
        let before = MONDAY + 24 * DAY + 5;
        let cut = tier::boundary(crate::config::Partition::Month, before);
        assert_eq!((cut - MONDAY) / DAY, 21);
        let policy = Policy { before, ..policy("zstd") };
        let planned = tier::preview(&Snapshot::open(&dir, None).unwrap(), &policy).unwrap();
        assert_eq!(planned.iter().map(|m| m.points).sum::<u64>(), 21 * 4, "{planned:?}");
        let report = demote(&dir, &policy).unwrap();
        assert_eq!((report.points, report.waiting), (21 * 4, 4 * 4), "{report:?}");
        assert_eq!(points_of(&dir)[3], 21 * 4);
        assert_eq!(all(&dir).unwrap(), model);
        clean(&dir);
        let again = demote(&dir, &policy).unwrap();
        assert_eq!((again.partitions, again.cut, again.waiting), (0, 0, 4 * 4));
        let week = Policy { before: before + 7 * DAY, ..policy };
        // Up to the next Monday, and the day after it: January has ended, and goes as a whole.
        assert_eq!(demote(&dir, &week).unwrap().points, 8 * 4);
        assert_eq!(all(&dir).unwrap(), model);
        clean(&dir);
    }
}

#[test]
fn data_that_drifted_gets_a_new_codebook_and_old_blocks_keep_theirs() {
    let (_t, dir) = made(3);
    // First points on a short line, then on a long one.
    let put_at = |month: i64, step: u32| {
        let rows: Vec<(u64, i64, u32)> =
            (0..600).map(|i| (u64::from(i), month * MONTH, 1 + i * step)).collect();
        let mut w = Writer::open(&dir, options()).unwrap();
        put(&mut w, &rows).unwrap();
        w.finish().unwrap();
        compact(&dir, &options(), &compact::Options::default(), &|| Ok(())).unwrap();
    };
    let policy = policy("pq:2x4");
    put_at(0, 0);
    assert_eq!(demote(&dir, &policy).unwrap().codebooks, 1);
    put_at(1, 0);
    assert_eq!(demote(&dir, &policy).unwrap().codebooks, 0, "the old one fits");
    put_at(2, 3);
    assert_eq!(demote(&dir, &policy).unwrap().codebooks, 1, "the data moved away");
    let s = Snapshot::open(&dir, None).unwrap();
    let m = s.manifest();
    let books: Vec<u64> = m.of(FileKind::Codebook).map(|f| f.id).collect();
    let named: Vec<u64> = m.of(FileKind::Cold).map(|f| m.placement(f.id).unwrap().codebook).collect();
    assert_eq!(named, [books[0], books[0], books[1]]);
    assert_eq!(all(&dir).unwrap().len(), 1800);
    clean(&dir);
}

#[test]
fn a_kill_at_every_step_of_run_and_restore_leaves_old_or_new() {
    for keep in [false, true] {
        let mut n = 0;
        loop {
            n += 1;
            let (_t, dir) = made(3);
            let model = warm(&dir);
            let policy = Policy { keep_original: keep, ..policy("zstd") };
            let armed = arm(&dir, n, Mode::FromThere, false);
            let r = demote(&dir, &policy).and_then(|_| back(&dir, &Select::default()).map(|_| ()));
            let fired = armed.fired();
            drop(armed);
            assert_eq!(all(&dir).unwrap(), model, "step {n}");
            if !fired {
                r.unwrap();
                break;
            }
            demote(&dir, &policy).unwrap();
            assert_eq!(all(&dir).unwrap(), model, "step {n}");
            assert_eq!(points_of(&dir), [0, 0, 0, model.len() as u64], "step {n}");
            clean(&dir);
        }
        assert!(n > 40, "only {n} steps");
    }
}

#[test]
fn a_power_cut_at_every_step_of_tier_loses_nothing() {
    let (_t, dir) = made(3);
    let model = warm(&dir);
    let policy = Policy { keep_original: true, ..policy("zstd") };
    let base = Disk::base(&dir);
    let armed = arm(&dir, 0, Mode::Count, true);
    demote(&dir, &policy).unwrap();
    back(&dir, &Select::default()).unwrap();
    let log = armed.take_log();
    drop(armed);
    replay(&dir, base, &log, |n, cut| {
        let found = all(&dir).unwrap_or_else(|e| panic!("step {n} {cut:?}: {e}"));
        assert_eq!(found, model, "step {n} {cut:?}");
        demote(&dir, &policy).unwrap_or_else(|e| panic!("step {n} {cut:?}, then: {e}"));
        assert_eq!(all(&dir).unwrap(), model, "step {n} {cut:?}");
        clean(&dir);
    });
}

#[test]
fn a_target_outside_the_dataset_serves_as_well() {
    let (t, dir) = made(3);
    let model = warm(&dir);
    let target = t.path().join("elsewhere").display().to_string();
    let policy = Policy { target: Some(target.clone()), keep_original: true, ..policy("pq:2") };
    demote(&dir, &policy).unwrap();
    let (approx, _) = compare(&dir, &model);
    assert_eq!(approx, model.len() as u64);
    clean(&dir);
    let m = Snapshot::open(&dir, None).unwrap().manifest().clone();
    assert_eq!(m.stores, [target]);
    assert!(m.of(FileKind::Cold).all(|f| m.label_of(f).contains("elsewhere")));
    assert_eq!(tier::status(&m).iter().map(|g| g.points).sum::<u64>(), model.len() as u64);
    back(&dir, &Select::default()).unwrap();
    assert_eq!(all(&dir).unwrap(), model);
    let left = walkdir::WalkDir::new(t.path().join("elsewhere"));
    let left = left.into_iter().filter(|e| e.as_ref().is_ok_and(|e| e.file_type().is_file()));
    assert_eq!(left.count(), 0, "what no version names is removed there too");
}

/// A run that dies after it has put its objects, before it publishes: the next one is not stopped
/// by what lies there.
#[test]
fn objects_of_a_run_that_died_are_no_obstacle() {
    let mut n = 0;
    loop {
        n += 1;
        let (t, dir) = made(3);
        let model = warm(&dir);
        let target = t.path().join("elsewhere").display().to_string();
        let policy = Policy { target: Some(target), keep_original: true, ..policy("zstd") };
        let armed = arm(&dir, n, Mode::FromThere, false);
        let r = demote(&dir, &policy);
        let fired = armed.fired();
        drop(armed);
        assert_eq!(all(&dir).unwrap(), model, "step {n}");
        if !fired {
            r.unwrap();
            break;
        }
        demote(&dir, &policy).unwrap_or_else(|e| panic!("step {n}, then: {e}"));
        assert_eq!((all(&dir).unwrap(), points_of(&dir)[3]), (model.clone(), model.len() as u64), "step {n}");
        clean(&dir);
    }
    assert!(n > 15, "only {n} steps");
}

/// Jobs that run at the same time wait for each other, plan again, or leave a file to the other: none ends
/// with an error, and nothing is lost.
#[test]
fn jobs_beside_each_other_end_well() {
    let (_t, dir) = made(3);
    let model = warm(&dir);
    let writing = || Options { lock_timeout: Duration::from_secs(60), ..options() };
    let go = || -> Result<()> { Ok(()) };
    let job = |work: &(dyn Fn(u64) -> Result<()> + Sync)| {
        (0..8).for_each(|i| work(i).unwrap_or_else(|e| panic!("{e} {:?}", e.hint())));
    };
    let codecs = ["zstd", "sq8", "zstd", "pq:3"];
    std::thread::scope(|s| {
        s.spawn(|| {
            job(&|i| {
                let keep = Policy { keep_original: true, ..policy(codecs[i as usize % 4]) };
                let done = run(&dir, &writing(), &keep, &Limits::default(), &go)?;
                assert_eq!(done.lost, 0);
                Ok(())
            })
        });
        s.spawn(|| {
            job(&|i| {
                let some = Select { entities: Some([i % 4 + 1].into()), ..Select::default() };
                restore(&dir, &writing(), &some, 1 << 20, &go).map(|_| ())
            })
        });
        s.spawn(|| {
            job(&|i| {
                let policy =
                    compact::Policy { purge: true, rewrite: i % 2 == 0, ..compact::Policy::default() };
                let how = compact::Options { policy, ..compact::Options::default() };
                let done = compact(&dir, &writing(), &how, &go)?;
                assert_eq!(done.jobs_lost, 0);
                Ok(())
            })
        });
        s.spawn(|| {
            job(&|i| {
                let how = index::Options { rebuild: i % 2 == 0, ..index::Options::default() };
                index::build(&dir, &how, writing(), &crate::watch::Unwatched).map(|_| ())
            })
        });
    });
    Writer::open(&dir, options()).unwrap().finish().unwrap();
    clean(&dir);
    assert!(all(&dir).unwrap().keys().eq(model.keys()));
}
