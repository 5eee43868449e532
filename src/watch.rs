//! What a long run says while it works, and how it is asked to stop.
//!
//! One convention for every loop that can take long: it calls [`Watch::stop`] between rows, batches,
//! permutations or files, and returns the error that it gets. A front end decides what asks a run to
//! stop (a signal, a closed connection) and what becomes of notes and of progress.

use crate::error::Result;

/// Whoever started a run. Shared by the threads of the run.
pub trait Watch: Sync {
    /// # Errors
    /// Returns an error, as a rule [`Code::Interrupted`](crate::Code::Interrupted), when the run is to end now.
    fn stop(&self) -> Result<()> {
        Ok(())
    }

    /// How far the run has come. Called often; a front end shows what it has time for.
    fn progress(&self, _progress: &Progress<'_>) {}

    /// Something that the user should know or may want to know. Options in the text stand in marks; see
    /// [`Words`](crate::error::Words).
    fn note(&self, _level: Level, _text: &str) {}
}

/// Nobody: the run goes on to its end, and its notes are dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// A function that is asked whether to stop, and hears nothing else.
impl<F: Fn() -> Result<()> + Sync> Watch for F {
    fn stop(&self) -> Result<()> {
        self()
    }
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For users who ask for more.
    Detail,
    /// Of interest.
    Note,
    /// Something may be wrong with the data, the request or the answer.
    Warning,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// Entities and points that have been analysed.
    Analysed {
        /// Entities.
        entities: u64,
        /// Their points.
        points: u64,
    },
    /// Windows of time and points that have been compared.
    Compared {
        /// Windows.
        windows: u64,
        /// Points in them.
        points: u64,
    },
    /// A stage of several; `done` and `of` are 0 where the total is not known.
    Stage {
        /// Its name.
        name: &'a str,
        /// Units that are done.
        done: u64,
        /// Units in all.
        of: u64,
    },
    /// Rows of the input that are durable.
    Durable {
        /// Rows of this run.
        rows: u64,
        /// The newest version of the dataset.
        commit: u64,
        /// Bytes of input behind these rows.
        bytes: u64,
    },
    /// An epoch of a training.
    Epoch {
        /// Its number, from 1.
        epoch: u32,
        /// Epochs at most.
        of: u32,
        /// Loss on the entities that are trained on.
        loss: f64,
        /// Loss on the entities that are held out.
        validation_loss: f64,
        /// The epoch with the smallest loss on the entities held out.
        best: u32,
    },
}
