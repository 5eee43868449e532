//! Builds of the index beside every other writer: whatever the order, searches answer as scans do.

use super::{Options, build};
use crate::commands::delete::delete;
use crate::config::Settings;
use crate::dataset::tests::{clean, options, put, scratch};
use crate::dataset::{Select, Snapshot, Trajectories, Writer, init};
use crate::error::Result;
use crate::maintenance::compact::{self, compact};
use crate::maintenance::{Limits, tier};
use crate::metric::Metric;
use crate::model::{Key, TimeRange};
use crate::query::{How, Request, When, search};
use crate::watch::{Progress, Unwatched, Watch};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

const ENTITIES: u64 = 8;
const NEVER: i64 = i64::MAX;

/// A dataset in l2, whose points are told apart by one coordinate.
struct World<'a> {
    dir: &'a Path,
    rng: Xoshiro256PlusPlus,
    next: u32,
}

impl World<'_> {
    /// New points, late ones and replacements.
    fn ingest(&mut self) {
        let mut rows = Vec::new();
        for _ in 0..self.rng.random_range(1..40) {
            self.next += 1;
            rows.push((self.rng.random_range(0..ENTITIES), self.rng.random_range(-20..20), self.next));
        }
        rows.sort_unstable();
        rows.dedup_by_key(|r| (r.0, r.1));
        let mut writer = Writer::open(self.dir, options()).unwrap();
        put(&mut writer, &rows).unwrap();
        if self.rng.random_range(0..3) > 0 {
            writer.finish().unwrap();
        }
    }

    fn select(&mut self) -> Select {
        let some: BTreeSet<u64> = (0..ENTITIES).filter(|_| self.rng.random_range(0..3) == 0).collect();
        let from = self.rng.random_range(-25..20);
        let time = match self.rng.random_range(0..2) {
            0 => TimeRange::ALL,
            _ => TimeRange::closed(from, from + self.rng.random_range(0..20)),
        };
        Select { entities: Some(some), time, ..Select::default() }
    }

    fn compact(&mut self) {
        let policy = compact::Policy {
            purge: self.rng.random_range(0..2) == 0,
            rewrite: self.rng.random_range(0..2) == 0,
            ..compact::Policy::default()
        };
        let how = compact::Options { policy, ..compact::Options::default() };
        compact(self.dir, &options(), &how, &|| Ok(())).unwrap();
    }

    fn demote(&mut self) {
        let codec = ["zstd", "sq8", "zstd"][self.rng.random_range(0..3)];
        let policy = tier::Policy {
            before: NEVER,
            codec: codec.parse().unwrap(),
            max_error: None,
            keep_original: self.rng.random_range(0..2) == 0,
            target: None,
            drift_threshold: 0.2,
            seed: 1,
        };
        tier::run(self.dir, &options(), &policy, &Limits::default(), &|| Ok(())).unwrap();
    }

    /// One writer, in full.
    fn write(&mut self) {
        match self.rng.random_range(0..7) {
            0 | 1 => self.ingest(),
            2 => {
                let select = self.select();
                delete(self.dir, options(), &select, |_| Ok(())).unwrap();
            }
            3 => self.compact(),
            4 => self.demote(),
            _ => {
                let select = self.select();
                tier::restore(self.dir, &options(), &select, 1 << 20, &|| Ok(())).unwrap();
            }
        }
    }

    /// A build with other writers between its steps.
    fn build(&mut self) {
        let rebuild = self.rng.random_range(0..4) == 0;
        let exact = self.rng.random_range(0..8) > 0;
        let time = (self.rng.random_range(0..6) == 0).then_some(TimeRange::closed(-10, NEVER));
        let how = Options { rebuild, exact, time, ..Options::default() };
        let dir = self.dir;
        let beside = Mutex::new(RefCell::new(self));
        let step = Stages(|stage: &str| {
            let world = beside.lock().unwrap();
            let mut world = world.borrow_mut();
            let often = if stage == "publishing" { 2 } else { 6 };
            for _ in 0..world.rng.random_range(0..3) {
                match world.rng.random_range(0..often) {
                    0 => world.write(),
                    1 if world.rng.random_range(0..8) == 0 => {
                        let mut writer = Writer::open(dir, options()).unwrap();
                        writer.drop_index().unwrap();
                        writer.finish().unwrap();
                    }
                    _ => {}
                }
            }
        });
        build(dir, &how, options(), &step).unwrap();
    }
}

/// Does something at each stage of a build.
struct Stages<F>(F);

impl<F: Fn(&str) + Sync> Watch for Stages<F> {
    fn progress(&self, progress: &Progress<'_>) {
        if let Progress::Stage { name, .. } = progress {
            (self.0)(name);
        }
    }
}

fn request(vector: &[f32], when: When) -> Request {
    let vector = vector.to_vec();
    Request { vector, k: 3, radius: None, when, exclude: None, best_per_entity: false, time: None }
}

/// The keys and distances of each answer.
fn answers(s: &Snapshot, select: &Select, asked: &[Request], exact: bool) -> Result<Vec<Vec<(Key, f64)>>> {
    let how = How { exact, ..How::default() };
    let (found, _) = search(s, select, Metric::L2, asked, how, &Unwatched)?;
    Ok(found.iter().map(|f| f.iter().map(|f| (f.hit.key, f.hit.distance)).collect()).collect())
}

/// Every stored point is found by its vector, at any time, as a state and under a selection.
fn check(dir: &Path, seed: u64) {
    let s = Snapshot::open(dir, None).unwrap();
    let mut asked = Vec::new();
    let mut x = Vec::new();
    for rows in Trajectories::new(Select::default().resolve(&s).unwrap()) {
        rows.read(0..rows.len(), &mut x).unwrap();
        for (i, x) in x.chunks_exact(3).enumerate() {
            asked.push(request(x, When::window(TimeRange::ALL)));
            asked.push(request(x, When::AsOf(rows.t[i], None)));
        }
    }
    // A selection of more than a few points does not scan; here it shares the path of `split`.
    let wide = Select { min_points: 1, ..Select::default() };
    for select in [Select::default(), wide] {
        let found = answers(&s, &select, &asked, false).unwrap();
        let truth = answers(&s, &select, &asked, true).unwrap();
        for ((found, truth), asked) in found.iter().zip(&truth).zip(&asked) {
            assert_eq!(found.len(), truth.len(), "seed {seed}, {asked:?}: {found:?} and not {truth:?}");
            let mut keys: Vec<Key> = found.iter().map(|f| f.0).collect();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), found.len(), "seed {seed}: an answer twice: {found:?}");
            // Points are 1.4 apart; codes of lossy blocks are off by less than a thousandth of a vector.
            let length = asked.vector.iter().map(|v| f64::from(v * v)).sum::<f64>().sqrt();
            let near = |d: f64, of: f64| (d - of).abs() <= 1e-3 * (1.0 + length);
            assert!(
                found.first().zip(truth.first()).is_none_or(|(f, t)| near(f.1, t.1)),
                "seed {seed}, {asked:?}: {found:?} and not {truth:?}"
            );
        }
    }
}

fn interleave(seed: u64, steps: usize) {
    let (_t, dir) = scratch();
    init(&dir, &Settings { metric: Metric::L2, ..Settings::new(3) }, false).unwrap();
    let mut world = World { dir: &dir, rng: Xoshiro256PlusPlus::seed_from_u64(seed), next: 0 };
    world.ingest();
    for _ in 0..steps {
        match world.rng.random_range(0..3) {
            0 => world.build(),
            _ => world.write(),
        }
        check(&dir, seed);
    }
    // Seals the log, so that verify has nothing to mend.
    Writer::open(&dir, options()).unwrap().finish().unwrap();
    clean(&dir);
}

#[test]
fn any_writer_beside_any_build() {
    for seed in 0..12 {
        interleave(seed, 14);
    }
}

/// Longer and with many seeds: `cargo test --lib interleave -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn any_writer_beside_any_build_for_long() {
    for seed in 100..400 {
        interleave(seed, 30);
    }
}

/// The case that once lost points for good: a cold file comes back while a build is under way, and its
/// rows lie between those of the files that the build has taken.
#[test]
fn rows_that_come_back_beside_a_build_are_found() {
    let (_t, dir) = scratch();
    init(&dir, &Settings { metric: Metric::L2, ..Settings::new(3) }, false).unwrap();
    let policy = |codec: &str| tier::Policy {
        before: NEVER,
        codec: codec.parse().unwrap(),
        max_error: None,
        keep_original: false,
        target: None,
        drift_threshold: 0.2,
        seed: 1,
    };
    let of = |entity: u64| Select { entities: Some([entity].into()), ..Select::default() };
    for entity in 0..3u64 {
        let mut writer = Writer::open(&dir, options()).unwrap();
        put(&mut writer, &[(entity, 1, 10 * entity as u32 + 1), (entity, 2, 10 * entity as u32 + 2)])
            .unwrap();
        writer.finish().unwrap();
        compact(&dir, &options(), &compact::Options::default(), &|| Ok(())).unwrap();
        tier::run(&dir, &options(), &policy("zstd"), &Limits::default(), &|| Ok(())).unwrap();
    }
    let back = |entity| tier::restore(&dir, &options(), &of(entity), 1 << 20, &|| Ok(())).unwrap();
    back(0);
    back(2);
    let stages = Stages(|stage: &str| {
        if stage == "publishing" {
            back(1);
        }
    });
    build(&dir, &Options::default(), options(), &stages).unwrap();
    check(&dir, 0);
    clean(&dir);
    let built = build(&dir, &Options::default(), options(), &Unwatched).unwrap();
    assert!(built.points >= 2, "{built:?}");
    check(&dir, 0);
    let again = build(&dir, &Options::default(), options(), &Unwatched).unwrap();
    assert_eq!(again.parts_new, 0);
    let s = Snapshot::open(&dir, None).unwrap();
    assert_eq!(s.manifest().covered.len(), s.manifest().point_files().count());
}
