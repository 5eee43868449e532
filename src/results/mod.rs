//! What commands keep beside the data: the ingest ledger, saved change points, states of
//! detectors, reference samples, calibrations, trained models. All of it can be made again from the data or its sources, so
//! none of it decides what a dataset holds; only the tombstones of [`erased`] decide what it may hold again.

pub mod baseline;
pub mod erased;
pub mod ledger;
pub mod lines;
pub mod states;
pub mod stored;
