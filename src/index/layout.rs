//! The sections of an index part's file (`Kind::Index`) and its head.

use super::plan::{GraphDepth, ListDepth, TARGETS, Tables};
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::format::container::Tag;
use crate::metric::Metric;
use crate::model::MAX_DIM;

/// The head: [`Head`].
pub const HEAD: Tag = *b"HEAD";
/// i64 a row: timestamps, ascending.
pub const TIME: Tag = *b"TIME";
/// u32 a row: the entity's place in `ENTS`.
pub const ENTITY: Tag = *b"ENTI";
/// u64 an entity: ids, ascending.
pub const ENTITIES: Tag = *b"ENTS";
/// u64 a row: the sequence number of the point it stands for. Absent from parts of older programs.
pub const SEQUENCE: Tag = *b"SEQN";
/// u32 a row: the entity's next row, or 2^32 - 1.
pub const NEXT: Tag = *b"NEXT";
/// u32 an entity and one: where its rows begin in `EROW`.
pub const ENTITY_OFFSETS: Tag = *b"EOFF";
/// u32 a row: rows by entity, ascending in each.
pub const ENTITY_ROWS: Tag = *b"EROW";
/// f32: vectors as they were given, `dim` a row. Absent from a lean part.
pub const EXACT: Tag = *b"EXCT";
/// i8: 8-bit codes, `padded` a row.
pub const CODES: Tag = *b"CODE";
/// f32 x 2 a row: scale and squared norm.
pub const TERMS: Tag = *b"TERM";
/// u32: records of the graph, a row after another: neighbours, and perhaps their codes. Empty without a graph.
pub const EDGES: Tag = *b"EDGE";
/// i8: codes of the lists' centres.
pub const CENTRES: Tag = *b"CENT";
/// f32 x 2 a list: scale and squared norm of the centre.
pub const CENTRE_TERMS: Tag = *b"CTER";
/// f32 a list: the largest distance of a row to the centre.
pub const RADIUS: Tag = *b"LRAD";
/// u32 a list: the row nearest to the centre, or 2^32 - 1.
pub const MEDOID: Tag = *b"LMED";
/// u32 a list and one: where it begins in `LMEM`.
pub const LIST_OFFSETS: Tag = *b"LOFF";
/// u32: rows of the lists, ascending in each.
pub const MEMBERS: Tag = *b"LMEM";
/// u8: one-bit codes, blocks of 32.
pub const BITS: Tag = *b"LBIT";
/// f32 x 96 a block: factors of the one-bit codes.
pub const FACTORS: Tag = *b"LFAC";
/// u32 a checkpoint and one: where it begins in `CKRW`.
pub const CHECKPOINT_OFFSETS: Tag = *b"CKOF";
/// u32: rows valid at the checkpoints, ascending in each.
pub const CHECKPOINT_ROWS: Tag = *b"CKRW";

/// What there is of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphKind {
    /// Nothing.
    None = 0,
    /// Each row's neighbours.
    Plain = 1,
    /// Each row's neighbours with their one-bit codes.
    Coded = 2,
}

/// What the head says. All counts are claims until they are checked against the sections.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Number of rows.
    pub rows: u32,
    /// Dimension of the vectors.
    pub dim: u32,
    /// The metric.
    pub metric: Metric,
    /// Number of entities.
    pub entities: u32,
    /// Number of lists; 0 for a small part.
    pub lists: u32,
    /// Rows that stand in lists: those that have a place under the metric.
    pub members: u32,
    /// The graph.
    pub graph: GraphKind,
    /// Whether the vectors are here.
    pub exact: bool,
    /// Rows from one checkpoint to the next.
    pub checkpoint_every: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Largest norm of a row.
    pub max_norm: f64,
    /// Root mean square of the scales of the codes.
    pub scale: f32,
    /// What calibration found.
    pub tables: Tables,
}

impl Head {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        let metric = Metric::ALL.iter().position(|m| *m == self.metric).unwrap_or(0);
        e.u32(self.rows).u32(self.dim).u8(metric as u8).u8(self.graph as u8).u8(u8::from(self.exact));
        e.u32(self.entities).u32(self.lists).u32(self.members).u32(self.checkpoint_every);
        e.u64(self.seed).f64(self.max_norm).f64(f64::from(self.scale));
        e.f64(f64::from(self.tables.largest_scale));
        e.u32(self.tables.lists.len() as u32);
        for depth in &self.tables.lists {
            e.u32(depth.rows);
            depth.probes.iter().for_each(|p| {
                e.u32(*p);
            });
            e.u32(depth.open);
        }
        e.u32(self.tables.graph.len() as u32);
        for depth in &self.tables.graph {
            e.u32(depth.ef).u32(depth.stretch.to_bits()).u32(depth.hops).u32(depth.distances);
        }
        e.bytes
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Head, Malformed> {
        let mut d = Decoder::new(bytes);
        let (rows, dim) = (d.u32()?, d.u32()?);
        let metric = match Metric::ALL.get(usize::from(d.u8()?)) {
            Some(metric) => *metric,
            None => return d.malformed("a metric"),
        };
        let graph = match d.u8()? {
            0 => GraphKind::None,
            1 => GraphKind::Plain,
            2 => GraphKind::Coded,
            _ => return d.malformed("a kind of graph"),
        };
        let exact = flag(&mut d)?;
        let (entities, lists, members, checkpoint_every) = (d.u32()?, d.u32()?, d.u32()?, d.u32()?);
        let (seed, max_norm, scale, largest_scale) = (d.u64()?, d.f64()?, d.f64()?, d.f64()?);
        let finite = max_norm.is_finite() && scale.is_finite() && largest_scale.is_finite();
        if !finite || dim == 0 || dim as usize > MAX_DIM || members > rows || checkpoint_every == 0 {
            return d.malformed("numbers within their limits");
        }
        let tables = Tables {
            lists: list_depths(&mut d)?,
            graph: graph_depths(&mut d)?,
            largest_scale: largest_scale as f32,
        };
        d.end()?;
        let scale = scale as f32;
        Ok(Head {
            rows,
            dim,
            metric,
            entities,
            lists,
            members,
            graph,
            exact,
            checkpoint_every,
            seed,
            max_norm,
            scale,
            tables,
        })
    }
}

fn flag(d: &mut Decoder<'_>) -> Result<bool, Malformed> {
    match d.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => d.malformed("0 or 1"),
    }
}

fn list_depths(d: &mut Decoder<'_>) -> Result<Vec<ListDepth>, Malformed> {
    let count = d.count(8 + 4 * TARGETS.len())?;
    let mut depths: Vec<ListDepth> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut depth = ListDepth { rows: d.u32()?, probes: [0; TARGETS.len()], open: 0 };
        for probes in &mut depth.probes {
            *probes = d.u32()?;
        }
        depth.open = d.u32()?;
        if depth.rows == 0 || depths.last().is_some_and(|last| last.rows >= depth.rows) {
            return d.malformed("windows of growing size");
        }
        depths.push(depth);
    }
    Ok(depths)
}

fn graph_depths(d: &mut Decoder<'_>) -> Result<Vec<GraphDepth>, Malformed> {
    let count = d.count(16)?;
    (0..count)
        .map(|_| {
            let (ef, stretch) = (d.u32()?, f32::from_bits(d.u32()?));
            if stretch.is_nan() || stretch <= 0.0 {
                return d.malformed("a positive number");
            }
            Ok(GraphDepth { ef, stretch, hops: d.u32()?, distances: d.u32()? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            rows: 9,
            dim: 3,
            metric: Metric::Dot,
            entities: 2,
            lists: 4,
            members: 8,
            graph: GraphKind::Coded,
            exact: false,
            checkpoint_every: 1024,
            seed: 5,
            max_norm: 2.5,
            scale: 0.25,
            tables: Tables {
                lists: vec![ListDepth { rows: 10, probes: [1, 2, 3, 4], open: 5 }],
                graph: vec![GraphDepth { ef: 16, stretch: 1.1, hops: 9, distances: 99 }],
                largest_scale: 0.5,
            },
        }
    }

    #[test]
    fn round_trip_and_every_cut_is_refused() {
        let bytes = head().encode();
        assert_eq!(Head::decode(&bytes).unwrap(), head());
        for n in 0..bytes.len() {
            assert!(Head::decode(&bytes[..n]).is_err());
        }
    }

    #[test]
    fn limits_hold() {
        for bad in [
            Head { dim: 0, ..head() },
            Head { dim: 5000, ..head() },
            Head { members: 10, ..head() },
            Head { checkpoint_every: 0, ..head() },
            Head { max_norm: f64::NAN, ..head() },
        ] {
            assert!(Head::decode(&bad.encode()).is_err(), "{bad:?}");
        }
    }
}
