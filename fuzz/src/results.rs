//! What commands store beside the points.

use crate::{dataset_at, dir, file};
use cvx::analytics::predict::{Calibration, node::Model};
use cvx::results::stored::{Stored, What, path};
use cvx::results::{baseline, ledger::Ledger, lines, states};

/// Stored results: the first byte chooses the kind.
pub fn results(bytes: &[u8]) {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let what = What::ALL[choice as usize % What::ALL.len()];
    let name = if choice & 64 != 0 { "a@1" } else { "a" };
    let Ok(place) = path(dir(), what, name) else { return };
    let _ = std::fs::write(&place, bytes);
    let dataset = dataset_at(bytes, 8);
    if let Ok(Some(stored)) = Stored::open(dir(), dataset, what, name) {
        contents(&stored, what);
    }
    if what == What::States
        && let Ok(Some(all)) = states::States::open(dir(), dataset, name)
    {
        let _ = all.check();
        for entity in all.entities().map(<[u64]>::to_vec).unwrap_or_default().into_iter().take(50) {
            let _ = all.get(entity);
        }
    }
    let _ = std::fs::remove_file(&place);
}

fn contents(stored: &Stored, what: What) {
    match what {
        What::Changepoints => {
            let _ = lines::read(stored, |_| Ok(()));
        }
        What::Baseline => {
            let _ = baseline::Baseline::read(stored);
        }
        What::Calibration => {
            if let Ok(bytes) = stored.container.all::<u8>(*b"SCOR") {
                let _ = Calibration::decode(bytes);
            }
        }
        What::Model => {
            if let Ok(bytes) = stored.container.all::<u8>(*b"NODE") {
                let _ = Model::decode(bytes);
            }
        }
        _ => {}
    }
}

/// The ledger of ingested files, and the list of what was erased.
pub fn ledger(bytes: &[u8]) {
    file("results/ledger", bytes);
    let _ = Ledger::read(dir());
}
