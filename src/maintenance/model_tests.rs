//! Random operations against a map of the points, with files moved between the tiers in between.

use super::Limits;
use super::compact::{self, compact};
use super::tier::{self, Policy};
use crate::dataset::model_tests::Trial;
use crate::dataset::tests::{made, options};
use crate::dataset::{Options, Select};
use rand::RngExt;
use std::time::Duration;

fn move_files(trial: &mut Trial) {
    let writing = Options { keep_for: Duration::from_secs(3600), ..options() };
    let stop = || Ok(());
    let day = 86_400_000_000;
    let before = trial.random.random_range(-5..20) * 10 * day;
    match trial.random.random_range(0..4) {
        0 | 1 => {
            let before = trial.random.random_bool(0.5).then_some(before);
            let purge = trial.random.random_bool(0.5);
            let policy = compact::Policy { before, purge, ..compact::Policy::default() };
            compact(&trial.dir, &writing, &compact::Options { policy, limits: Limits::default() }, &stop)
                .unwrap();
        }
        2 => {
            let policy = Policy {
                before,
                codec: "zstd".parse().unwrap(),
                max_error: None,
                keep_original: trial.random.random_bool(0.3),
                target: None,
                drift_threshold: 0.2,
                seed: 1,
            };
            tier::run(&trial.dir, &writing, &policy, &Limits::default(), &stop).unwrap();
        }
        _ => {
            let select =
                Select { entities: Some([trial.random.random_range(0..7)].into()), ..Select::default() };
            tier::restore(&trial.dir, &writing, &select, 1 << 20, &stop).unwrap();
        }
    }
}

#[test]
fn moving_files_changes_nothing_that_a_map_would_hold() {
    for seed in 0..3 {
        let (_t, dir) = made(3);
        let mut trial = Trial::new(&dir, 100 + seed);
        for _ in 0..12 {
            (0..4).for_each(|_| trial.step());
            trial.close();
            move_files(&mut trial);
            trial.check();
        }
        trial.end();
    }
}
