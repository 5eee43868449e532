//! The sections of an index part's file (`Kind::Index`) and its head.
//!
//! A part of the first version has its head in `HEAD`, a present one in `HEA2`.

use super::bounds::Resolution;
use super::effort::TARGETS;
use super::space::coordinates;
use super::tables::{Allowed, GraphDepth, ListDepth, Measured, Mode, Tables};
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::format::container::Tag;
use crate::metric::Metric;
use crate::model::MAX_DIM;

/// The head: [`Head`].
pub const HEAD: Tag = *b"HEA2";
/// The head of a part of the first version, whose codes have no centre and whose recall is not known.
pub const HEAD_1: Tag = *b"HEAD";
/// f64: the part's centre, a value a coordinate of a place before padding.
pub const CENTRE: Tag = *b"MEAN";
/// u32: rows without a place that every search compares exactly, ascending.
pub const OUTLIERS: Tag = *b"OUTL";
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
    /// Largest norm of a row with a place, under dot; else 1.
    pub max_norm: f64,
    /// What places are divided by when the centre was taken away.
    pub radius: f64,
    /// Rows that lie too far outside for a place.
    pub outliers: u32,
    /// What calibration found.
    pub tables: Tables,
    /// False for a part of the first version: it can be checked, and is not searched.
    pub current: bool,
}

impl Head {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        let metric = Metric::ALL.iter().position(|m| *m == self.metric).unwrap_or(0);
        e.u32(self.rows).u32(self.dim).u8(metric as u8).u8(self.graph as u8).u8(u8::from(self.exact));
        e.u32(self.entities).u32(self.lists).u32(self.members).u32(self.checkpoint_every);
        e.u64(self.seed).f64(self.max_norm).f64(self.radius).u32(self.outliers);
        let tables = &self.tables;
        let Resolution { rough, largest, width } = tables.resolution;
        e.f64(f64::from(rough)).f64(f64::from(largest)).f64(f64::from(width)).f64(f64::from(tables.errors));
        let Allowed { scan, lists, lists_by_entity, graph, graph_by_entity } = tables.allowed;
        for flag in [scan, lists, lists_by_entity, graph, graph_by_entity] {
            e.u8(u8::from(flag));
        }
        e.u32(tables.ranked).u32(tables.measured.len() as u32);
        for measured in &tables.measured {
            let mode = Mode::EVERY.iter().position(|m| *m == measured.mode).unwrap_or(0);
            e.u8(mode as u8).f64(f64::from(measured.recall));
        }
        e.u32(tables.lists.len() as u32);
        for depth in &tables.lists {
            e.u32(depth.rows);
            depth.probes.iter().for_each(|p| {
                e.u32(*p);
            });
            e.u32(depth.open);
        }
        e.u32(tables.graph.len() as u32);
        for depth in &tables.graph {
            e.u32(depth.ef).u32(depth.stretch.to_bits()).u32(depth.hops).u32(depth.distances);
        }
        e.bytes
    }

    /// From bytes.
    pub fn decode(bytes: &[u8]) -> Result<Head, Malformed> {
        let mut d = Decoder::new(bytes);
        let mut head = Head::begin(&mut d)?;
        (head.max_norm, head.radius, head.outliers) = (d.f64()?, d.f64()?, d.u32()?);
        let (rough, largest, width, errors) = (d.f64()?, d.f64()?, d.f64()?, d.f64()?);
        let numbers = [head.max_norm, head.radius, rough, largest, width, errors];
        if !numbers.iter().all(|v| v.is_finite() && *v >= 0.0)
            || head.radius == 0.0
            || head.outliers > head.rows
        {
            return d.malformed("numbers within their limits");
        }
        let resolution = Resolution { rough: rough as f32, largest: largest as f32, width: width as f32 };
        let allowed = Allowed {
            scan: flag(&mut d)?,
            lists: flag(&mut d)?,
            lists_by_entity: flag(&mut d)?,
            graph: flag(&mut d)?,
            graph_by_entity: flag(&mut d)?,
        };
        head.tables = Tables {
            resolution,
            errors: errors as f32,
            allowed,
            ranked: d.u32()?,
            measured: measured(&mut d)?,
            lists: list_depths(&mut d)?,
            graph: graph_depths(&mut d)?,
        };
        d.end()?;
        Ok(head)
    }

    /// From the bytes of the first version.
    pub fn decode_1(bytes: &[u8]) -> Result<Head, Malformed> {
        let mut d = Decoder::new(bytes);
        let mut head = Head { current: false, ..Head::begin(&mut d)? };
        let numbers = [d.f64()?, d.f64()?, d.f64()?];
        if !numbers.iter().all(|v| v.is_finite()) {
            return d.malformed("numbers within their limits");
        }
        head.tables = Tables {
            allowed: Allowed::NONE,
            lists: list_depths(&mut d)?,
            graph: graph_depths(&mut d)?,
            ..Tables::none()
        };
        d.end()?;
        Ok(head)
    }

    /// What both versions begin with, up to the seed.
    fn begin(d: &mut Decoder<'_>) -> Result<Head, Malformed> {
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
        let exact = flag(d)?;
        let (entities, lists, members, checkpoint_every) = (d.u32()?, d.u32()?, d.u32()?, d.u32()?);
        if dim == 0 || dim as usize > MAX_DIM || members > rows || checkpoint_every == 0 {
            return d.malformed("numbers within their limits");
        }
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
            seed: d.u64()?,
            max_norm: 1.0,
            radius: 1.0,
            outliers: 0,
            tables: Tables::none(),
            current: true,
        })
    }

    /// Coordinates of a place before padding.
    pub fn coordinates(&self) -> usize {
        coordinates(self.metric, self.dim as usize)
    }
}

fn measured(d: &mut Decoder<'_>) -> Result<Vec<Measured>, Malformed> {
    let count = d.count(9)?;
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let mode = match Mode::EVERY.get(usize::from(d.u8()?)) {
            Some(mode) => *mode,
            None => return d.malformed("a mode of asking"),
        };
        let recall = d.f64()?;
        if !(0.0..=1.0).contains(&recall) {
            return d.malformed("a share");
        }
        all.push(Measured { mode, recall: recall as f32 });
    }
    Ok(all)
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
            radius: 0.5,
            outliers: 1,
            current: true,
            tables: Tables {
                lists: vec![ListDepth { rows: 10, probes: [1, 2, 3, 4], open: 5 }],
                graph: vec![GraphDepth { ef: 16, stretch: 1.1, hops: 9, distances: 99 }],
                allowed: Allowed { graph: false, ..Allowed::ALL },
                measured: vec![Measured { mode: Mode::AsOf, recall: 0.5 }],
                ..Tables::none()
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

    /// A head as the first version wrote it.
    #[test]
    fn the_first_version_is_known() {
        let mut e = Encoder::new();
        e.u32(9).u32(3).u8(2).u8(2).u8(0).u32(2).u32(4).u32(8).u32(1024).u64(5).f64(2.5).f64(0.25).f64(0.5);
        e.u32(1).u32(10).u32(1).u32(2).u32(3).u32(4).u32(5);
        e.u32(1).u32(16).u32(1.1f32.to_bits()).u32(9).u32(99);
        let old = Head::decode_1(&e.bytes).unwrap();
        assert!(!old.current && old.tables.allowed == Allowed::NONE);
        assert_eq!((old.rows, old.dim, old.metric, old.lists), (9, 3, Metric::Dot, 4));
        assert_eq!(old.tables.graph, head().tables.graph);
        assert!(Head::decode(&e.bytes).is_err());
        for n in 0..e.bytes.len() {
            assert!(Head::decode_1(&e.bytes[..n]).is_err());
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
            Head { radius: 0.0, ..head() },
            Head { outliers: 10, ..head() },
        ] {
            assert!(Head::decode(&bad.encode()).is_err(), "{bad:?}");
        }
    }
}
