//! The executor of all analytics: trajectories in parallel, results in entity order.
//!
//! The work goes out in chunks of whole trajectories and comes back in the order of entities,
//! so that the output is the same for any number of threads and memory is bounded by a chunk.

use crate::dataset::{Rows, Selected, Trajectories};
use crate::error::Result;
use crate::model::Trajectory;
use rayon::prelude::*;

/// Values of vectors in a chunk, about: 32 MiB.
const CHUNK_VALUES: usize = 8 << 20;
/// Entities of a chunk at most.
const CHUNK_ENTITIES: usize = 4_096;

/// Runs `work` on each selected trajectory and hands its results to `emit`, by entity id.
///
/// `work` runs on the rayon pool of the caller; `emit` on the calling thread, and its error ends
/// the run.
pub fn for_each<T: Send>(
    selected: Selected<'_>,
    dim: usize,
    work: impl Fn(&Trajectory<'_>, &Rows<'_>) -> Result<T> + Sync,
    mut emit: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut trajectories = Trajectories::new(selected).peekable();
    while trajectories.peek().is_some() {
        let mut chunk = Vec::new();
        let mut values = 0;
        while values < CHUNK_VALUES
            && chunk.len() < CHUNK_ENTITIES
            && let Some(rows) = trajectories.next()
        {
            values += rows.len() * dim;
            chunk.push(rows);
        }
        let one = |x: &mut Vec<f32>, rows: &Rows<'_>| {
            rows.read(0..rows.len(), x)?;
            let models = rows.models();
            work(&rows.trajectory(x, &models, dim), rows)
        };
        let results: Vec<Result<T>> = chunk.par_iter().map_init(Vec::new, one).collect();
        results.into_iter().try_for_each(|r| emit(r?))?;
    }
    Ok(())
}
