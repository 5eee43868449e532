//! Every command as a function: a [`Session`], a request in, typed rows out.
//!
//! A command module has a `Request` (a plain struct with a `Default`) and a function `run` that takes the
//! session, the request, a [`Watch`] and a receiver of rows. The row types are in [`crate::rows`]. Nothing here
//! knows of a command line, a terminal, the environment, standard streams or signals: the program, a server and
//! other languages are fronts over the same functions.
//!
//! | module | holds |
//! |---|---|
//! | [`session`] | the one handle of a run: dataset, version, clock, seed, memory, lock |
//! | [`selection`] | which entities and points a command reads |
//! | [`each`] | an analytic over every selected trajectory, in parallel and in order |
//! | [`outcome`] | what of a request could not be answered |
//! | `missing`, `mixed` | names that no point has; answers that mix embedding models |
//! | `storing` | results that are kept in the dataset |

pub mod backup;
pub mod changepoints;
pub mod compact;
pub mod delete;
pub mod drift;
pub mod each;
pub mod erase;
pub mod export;
pub mod gaps;
pub mod index;
pub mod info;
pub mod ingest;
pub mod init;
mod missing;
mod mixed;
pub mod outcome;
pub mod population;
pub mod predict;
pub mod query;
mod receiver;
pub mod results;
pub mod selection;
pub mod session;
pub mod storing;
pub mod tier;
pub mod velocity;
pub mod verify;

pub use crate::watch::{Level, Progress, Unwatched, Watch};
pub use outcome::Outcome;
pub use receiver::Rows;
pub use selection::Selection;
pub use session::Session;
