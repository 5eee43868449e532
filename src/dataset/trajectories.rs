//! Trajectories in entity order, merged from all parts: what analytics and exports read.

use super::part::Part;
use super::select::Selected;
use crate::error::Result;
use crate::model::{EntityId, TimestampUs, Trajectory, VectorSource};
use crate::points::Origin;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

/// The rows of one entity, in time order, with where each is stored.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    /// The entity.
    pub entity: EntityId,
    /// Timestamps, strictly increasing.
    pub t: Vec<TimestampUs>,
    /// Part and row of each point.
    pub places: Vec<(&'a Part, u32)>,
}

impl<'a> Rows<'a> {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.t.len()
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.t.is_empty()
    }

    /// Reads the vectors of some of the points, row-major, into `x`.
    pub fn read(&self, points: Range<usize>, x: &mut Vec<f32>) -> Result<()> {
        x.clear();
        let mut buffer = Vec::new();
        let mut at = points.start;
        while at < points.end {
            // Neighbours in time are mostly neighbours in a file: read them together.
            let (part, first) = self.places[at];
            let mut end = at + 1;
            while end < points.end
                && std::ptr::eq(self.places[end].0, part)
                && self.places[end].1 == first + (end - at) as u32
            {
                end += 1;
            }
            x.extend_from_slice(part.vectors(first as usize..first as usize + (end - at), &mut buffer)?);
            at = end;
        }
        Ok(())
    }

    /// Where point `i` came from.
    pub fn origin(&self, i: usize) -> &'a Origin {
        let (part, row) = self.places[i];
        part.origin(row as usize)
    }

    /// Metadata of point `i`, empty for none.
    pub fn meta(&self, i: usize) -> Result<String> {
        let (part, row) = self.places[i];
        part.meta(row as usize)
    }

    /// Sequence number of point `i`.
    pub fn seq(&self, i: usize) -> u64 {
        let (part, row) = self.places[i];
        part.seq(row as usize)
    }

    /// True when the vector of point `i` is not the one that was ingested.
    pub fn is_approx(&self, i: usize) -> bool {
        let (part, row) = self.places[i];
        part.is_approx(row as usize)
    }

    /// The hash of the content that was ingested, of a point whose vector is not the original.
    pub fn original(&self, i: usize) -> Result<Option<u128>> {
        let (part, row) = self.places[i];
        part.original(row as usize)
    }

    /// True when any of the points is approximate.
    pub fn any_approx(&self) -> bool {
        (0..self.len()).any(|i| self.is_approx(i))
    }

    /// For each point the ordinal of its model among those of this trajectory; empty when one.
    pub fn models(&self) -> Vec<u32> {
        let mut seen: Vec<&str> = Vec::new();
        let mut out = Vec::with_capacity(self.len());
        for i in 0..self.len() {
            let m = self.origin(i).model.as_str();
            let at = seen.iter().position(|s| *s == m).unwrap_or_else(|| {
                seen.push(m);
                seen.len() - 1
            });
            out.push(at as u32);
        }
        if seen.len() < 2 { Vec::new() } else { out }
    }

    /// The trajectory over vectors read by [`Rows::read`] and models from [`Rows::models`].
    pub fn trajectory<'b>(&'b self, x: &'b [f32], model: &'b [u32], dim: usize) -> Trajectory<'b> {
        Trajectory { entity: self.entity, t: &self.t, x, dim, model }
    }
}

/// Walks selected rows entity by entity, ascending.
#[derive(Debug)]
pub struct Trajectories<'a> {
    cursors: Vec<Cursor<'a>>,
    heap: BinaryHeap<Reverse<(EntityId, usize)>>,
}

#[derive(Debug)]
struct Cursor<'a> {
    part: &'a Part,
    ranges: std::vec::IntoIter<Range<u32>>,
    now: Range<u32>,
}

impl<'a> Trajectories<'a> {
    /// Starts at the least entity.
    pub fn new(selected: Selected<'a>) -> Self {
        let mut this = Trajectories { cursors: Vec::new(), heap: BinaryHeap::new() };
        for (part, ranges) in selected.parts {
            this.cursors.push(Cursor { part, ranges: ranges.into_iter(), now: 0..0 });
            this.advance(this.cursors.len() - 1);
        }
        this
    }

    /// Puts a cursor back into the heap under the entity of its next row.
    fn advance(&mut self, i: usize) {
        let c = &mut self.cursors[i];
        if c.now.is_empty() {
            match c.ranges.next() {
                Some(r) => c.now = r,
                None => return,
            }
        }
        let entity = c.part.entities()[c.part.run_of(c.now.start as usize)];
        self.heap.push(Reverse((entity, i)));
    }

    /// Takes the rows of `entity` from a cursor.
    fn take(&mut self, i: usize, entity: EntityId, out: &mut Vec<(TimestampUs, &'a Part, u32)>) {
        let c = &mut self.cursors[i];
        let part = c.part;
        let Some(run) = part.find(entity) else { return };
        let end = part.run(run).end as u32;
        loop {
            let stop = c.now.end.min(end);
            out.extend((c.now.start..stop).map(|row| (part.times()[row as usize], part, row)));
            c.now.start = stop;
            if !c.now.is_empty() {
                break;
            }
            match c.ranges.next() {
                Some(r) => c.now = r,
                None => break,
            }
            if c.now.start >= end {
                break;
            }
        }
    }
}

impl<'a> Iterator for Trajectories<'a> {
    type Item = Rows<'a>;

    fn next(&mut self) -> Option<Rows<'a>> {
        let Reverse((entity, first)) = self.heap.pop()?;
        let mut rows = Vec::new();
        let mut cursors = vec![first];
        while let Some(Reverse((e, i))) = self.heap.peek().copied()
            && e == entity
        {
            self.heap.pop();
            cursors.push(i);
        }
        let many = cursors.len() > 1;
        for i in cursors {
            self.take(i, entity, &mut rows);
            self.advance(i);
        }
        if many {
            rows.sort_unstable_by_key(|(t, ..)| *t);
        }
        let mut out =
            Rows { entity, t: Vec::with_capacity(rows.len()), places: Vec::with_capacity(rows.len()) };
        for (t, part, row) in rows {
            out.t.push(t);
            out.places.push((part, row));
        }
        Some(out)
    }
}
