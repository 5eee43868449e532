//! What commands keep beside the data: the ingest ledger. All of it can be made again from the
//! data or its sources, so none of it decides an answer.

pub mod ledger;
