//! Points of a dataset in the order of (timestamp, entity), as a part of the index is built from.

use super::plan::lacking;
use super::{Plan, stage};
use crate::dataset::{Body, Part, Snapshot, Staging};
use crate::error::{Error, Result};
use crate::fsio::Scratch;
use crate::index;
use crate::model::{EntityId, Key, TimestampUs, VectorSource};
use crate::watch::Watch;
use rayon::prelude::*;
use std::ops::Range;

/// Rows decoded at a time.
const STRIP: usize = 1024;

/// Where a point is stored.
#[derive(Debug, Clone, Copy)]
struct Place {
    t: TimestampUs,
    entity: EntityId,
    part: u32,
    row: u32,
}

/// The rows of a part to be built.
pub(super) struct Rows<'a> {
    parts: Vec<&'a Part>,
    places: Vec<Place>,
    /// Vectors of rows from files that are decoded by the piece, by rank.
    decoded: Option<Scratch>,
    dim: usize,
    watch: &'a dyn Watch,
}

impl<'a> Rows<'a> {
    /// The points of a plan with sequence numbers from `first` to `last`.
    pub(super) fn of(
        snapshot: &'a Snapshot,
        plan: &Plan,
        (first, last): (u64, u64),
        staging: &Staging,
        watch: &'a dyn Watch,
    ) -> Result<Rows<'a>> {
        stage(watch, "sorting", 0, 0)?;
        let (mut parts, mut places) = (Vec::new(), Vec::new());
        for (part, rows) in lacking(snapshot, plan)?.parts {
            for row in rows.into_iter().flatten() {
                if (first..=last).contains(&part.seq(row as usize)) {
                    let Key { entity, t } = part.key(row as usize);
                    places.push(Place { t, entity, part: parts.len() as u32, row });
                }
            }
            parts.push(part);
        }
        places.par_sort_unstable_by_key(|p| (p.t, p.entity));
        let mut rows = Rows { parts, places, decoded: None, dim: snapshot.settings().dim, watch };
        rows.decode(staging)?;
        Ok(rows)
    }

    /// Reads the rows of warm files in their own order, since one out of turn costs the decoding of
    /// its whole piece, and puts them where the order of time wants them.
    fn decode(&mut self, staging: &Staging) -> Result<()> {
        let in_pieces = |part: &Part| matches!(part.body, Body::Tier(_));
        if !self.parts.iter().any(|part| in_pieces(part)) {
            return Ok(());
        }
        let scratch = Scratch::create(staging.dir())?;
        let mut ranks: Vec<Vec<(u32, u32)>> = vec![Vec::new(); self.parts.len()];
        for (rank, place) in self.places.iter().enumerate() {
            if in_pieces(self.parts[place.part as usize]) {
                ranks[place.part as usize].push((place.row, rank as u32));
            }
        }
        let mut buffer = Vec::new();
        for (part, mut rows) in self.parts.iter().zip(ranks) {
            rows.sort_unstable();
            for chunk in rows.chunks(STRIP) {
                stage(self.watch, "decoding", u64::from(chunk[0].0), part.rows() as u64)?;
                let (from, to) = (chunk[0].0 as usize, chunk[chunk.len() - 1].0 as usize + 1);
                let x = VectorSource::vectors(*part, from..to, &mut buffer)?;
                for (row, rank) in chunk {
                    let at = (*row as usize - from) * self.dim;
                    scratch.write(u64::from(*rank), &x[at..at + self.dim])?;
                }
            }
        }
        self.decoded = Some(scratch);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The sequence numbers, row by row.
    pub(super) fn seqs(&self) -> Vec<u64> {
        self.places.iter().map(|p| self.parts[p.part as usize].seq(p.row as usize)).collect()
    }
}

impl index::Input for Rows<'_> {
    fn rows(&self) -> usize {
        self.places.len()
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn key(&self, row: usize) -> Key {
        let Place { t, entity, .. } = self.places[row];
        Key { entity, t }
    }

    fn vectors<'b>(&'b self, rows: Range<usize>, buffer: &'b mut Vec<f32>) -> Result<&'b [f32]> {
        stage(self.watch, "reading", rows.start as u64, self.places.len() as u64)?;
        buffer.resize(rows.len() * self.dim, 0.0);
        buffer.par_chunks_mut(self.dim).zip(rows).try_for_each_init(Vec::new, |decoded, (out, rank)| {
            let place = self.places[rank];
            let (part, row) = (self.parts[place.part as usize], place.row as usize);
            if let (Some(scratch), Body::Tier(_)) = (&self.decoded, &part.body) {
                return scratch.read(rank as u64, out);
            }
            let x = VectorSource::vectors(part, row..row + 1, decoded)?;
            if x.len() != out.len() {
                return Err(Error::internal("a vector of another dimension"));
            }
            out.copy_from_slice(x);
            Ok(())
        })?;
        Ok(buffer)
    }

    fn stage(&self, stage: &str) -> Result<()> {
        super::stage(self.watch, stage, 0, self.places.len() as u64)
    }
}
