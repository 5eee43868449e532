//! Building a part: rows in time order in, one container out.
//!
//! The vectors are read once or twice to find the part's frame, once for codes and the file, and twice for the true
//! answers that searches are held to; everything else is made from their 8-bit codes, which are what stays in memory:
//! about `padded + 1300` bytes a row while the graph is built.

use super::bounds::Resolution;
use super::calibrate::Calibration;
use super::centres::{Centres, Codes};
use super::column::Column;
use super::frame;
use super::graph::GraphInput;
use super::input::Input;
use super::layout::{self, GraphKind, Head};
use super::links::{Links, Maker};
use super::lists::BuiltLists;
use super::measure::{self, Held};
use super::prune::{Edges, NONE};
use super::space::Space;
use super::sq8::{self, Terms};
use super::tables::{Allowed, Tables};
use super::truth::Rows;
use super::view::{Checkpoints, Runs, View};
use crate::error::{Error, Result};
use crate::format::container::{PAGE, Writer};
use crate::metric::Metric;
use crate::model::{EntityId, Key, TimestampUs};
use rayon::prelude::*;

/// Rows read at a time.
const STRIP: usize = 1024;
/// Below this many rows there are no lists: scanning the codes is as fast.
const LEAST_LISTS: usize = 4096;
/// From this many rows on a graph pays: below, the lists are as fast.
const GRAPH_FROM: usize = 16_384;
/// Rows from one checkpoint to the next at least.
const LEAST_CHECKPOINT: usize = 1024;

/// How a part is built.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The metric.
    pub metric: Metric,
    /// Seed of every random choice: the same rows, options and seed give the same bytes.
    pub seed: u64,
    /// Keep the vectors in the part; without them exact distances are read elsewhere.
    pub exact: bool,
    /// Build the graph from this many rows on.
    pub graph_from: usize,
    /// Keep the codes of a row's neighbours beside it: walks are several times faster, at `4 x padded + 256` bytes a row.
    pub neighbour_codes: bool,
    /// How many versions of one other entity a row may have as candidate neighbours;
    /// `usize::MAX` takes all, of its own entity too.
    pub per_entity: usize,
}

impl Options {
    /// The usual ones.
    pub fn new(metric: Metric) -> Options {
        Options { metric, seed: 0, exact: true, graph_from: GRAPH_FROM, neighbour_codes: true, per_entity: 2 }
    }
}

/// What was built.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// Depths, and the recall that was measured.
    pub tables: Tables,
    /// Number of rows.
    pub rows: usize,
    /// Number of lists.
    pub lists: usize,
    /// Number of edges.
    pub edges: usize,
}

/// Rows without their vectors.
struct Keys {
    time: Vec<TimestampUs>,
    entity: Vec<u32>,
    entities: Vec<EntityId>,
    next: Vec<u32>,
    previous: Vec<u32>,
    /// Where each entity's rows begin among `by_entity`.
    offsets: Vec<u32>,
    by_entity: Vec<u32>,
}

/// 8-bit codes of all rows.
struct Coded {
    values: Vec<i8>,
    terms: Vec<Terms>,
    /// False for rows without a place under the metric.
    placed: Vec<bool>,
}

/// Builds a part from `input` into `writer`, a new container of kind `Index`; the caller finishes it.
/// Work is spread over the current rayon pool; the result does not depend on its size.
pub fn build(input: &dyn Input, options: &Options, writer: &mut Writer) -> Result<Built> {
    if input.rows() >= NONE as usize {
        return Err(Error::usage("an index part holds at most 4294967294 rows"));
    }
    let keys = Keys::read(input)?;
    let (frame, outliers) = frame::find(input, options.metric)?;
    let space = Space::new(options.metric, input.dim(), frame, options.seed);
    let coded = encode(input, options, &space, &outliers, writer)?;
    let part = Assembly { input, options, space: &space, keys: &keys, coded: &coded, outliers: &outliers };
    part.write(writer)
}

impl Keys {
    fn read(input: &dyn Input) -> Result<Keys> {
        let n = input.rows();
        let keys: Vec<Key> = (0..n).map(|row| input.key(row)).collect();
        if !keys.is_sorted_by(|a, b| (a.t, a.entity) < (b.t, b.entity)) {
            return Err(Error::internal("rows for the index are not in the order of time and entity"));
        }
        let mut entities: Vec<EntityId> = keys.iter().map(|k| k.entity).collect();
        entities.sort_unstable();
        entities.dedup();
        let ordinal = |e: EntityId| entities.partition_point(|x| *x < e) as u32;
        let entity: Vec<u32> = keys.iter().map(|k| ordinal(k.entity)).collect();
        let (mut next, mut previous) = (vec![NONE; n], vec![NONE; n]);
        let mut last = vec![NONE; entities.len()];
        for (row, e) in entity.iter().enumerate() {
            let before = std::mem::replace(&mut last[*e as usize], row as u32);
            if before != NONE {
                next[before as usize] = row as u32;
                previous[row] = before;
            }
        }
        let mut by_entity: Vec<u32> = (0..n as u32).collect();
        by_entity.sort_by_key(|row| entity[*row as usize]);
        let mut offsets = vec![0; entities.len() + 1];
        entity.iter().for_each(|e| offsets[*e as usize + 1] += 1);
        (1..offsets.len()).for_each(|i| offsets[i] += offsets[i - 1]);
        let time = keys.iter().map(|k| k.t).collect();
        Ok(Keys { time, entity, entities, next, previous, offsets, by_entity })
    }

    /// Rows valid at every `every`-th row, and where each checkpoint's begin.
    fn checkpoints(&self, every: usize) -> (Vec<u32>, Vec<u32>) {
        let (mut offsets, mut rows) = (vec![0], Vec::new());
        let mut valid: Vec<u32> = Vec::new();
        for start in (0..=self.time.len()).step_by(every) {
            let from = start.saturating_sub(every);
            valid.extend(from as u32..start as u32);
            valid.retain(|row| self.next[*row as usize] as usize >= start);
            rows.extend_from_slice(&valid);
            offsets.push(rows.len() as u32);
        }
        (offsets, rows)
    }
}

/// Reads every vector once: into the file, and into codes.
fn encode(
    input: &dyn Input,
    options: &Options,
    space: &Space,
    outliers: &[u32],
    writer: &mut Writer,
) -> Result<Coded> {
    let (n, dim, padded) = (input.rows(), input.dim(), space.padded());
    let mut coded =
        Coded { values: vec![0; n * padded], terms: vec![Terms::default(); n], placed: vec![true; n] };
    outliers.iter().for_each(|row| coded.placed[*row as usize] = false);
    if options.exact {
        writer.section(layout::EXACT, size_of::<f32>(), PAGE)?;
    }
    let mut buffer = Vec::new();
    for start in (0..n).step_by(STRIP) {
        let end = (start + STRIP).min(n);
        let x = input.vectors(start..end, &mut buffer)?;
        if x.len() != (end - start) * dim {
            return Err(Error::internal("a source of vectors gave another number of values than it said"));
        }
        if options.exact {
            writer.write(bytemuck::cast_slice(x))?;
        }
        let codes = coded.values[start * padded..end * padded].par_chunks_mut(padded);
        let terms = coded.terms[start..end].par_iter_mut().zip(&mut coded.placed[start..end]);
        codes.zip(terms).zip(x.par_chunks(dim)).for_each_init(
            || vec![0.0; padded],
            |place, ((code, (terms, placed)), x)| {
                *placed = *placed && space.place_row(x, place);
                if !*placed {
                    place.fill(0.0);
                }
                *terms = sq8::encode(place, code);
                if !*placed {
                    terms.norm2 = f32::INFINITY;
                }
            },
        );
    }
    Ok(coded)
}

/// Everything that a part is made of.
struct Assembly<'a> {
    input: &'a dyn Input,
    options: &'a Options,
    space: &'a Space,
    keys: &'a Keys,
    coded: &'a Coded,
    outliers: &'a [u32],
}

impl Assembly<'_> {
    fn codes(&self) -> Codes<'_> {
        Codes { values: &self.coded.values, terms: &self.coded.terms, padded: self.space.padded() }
    }

    fn write(&self, writer: &mut Writer) -> Result<Built> {
        let n = self.keys.time.len();
        let rows: Vec<u32> = (0..n as u32).filter(|row| self.coded.placed[*row as usize]).collect();
        let every = self.keys.entities.len().max(LEAST_CHECKPOINT);
        let (checkpoint_offsets, checkpoint_rows) = self.keys.checkpoints(every);
        self.input.stage("lists")?;
        let (lists, nearest) = self.lists(&rows);
        let view = View {
            rows: n,
            entities: self.keys.entities.len(),
            padded: self.space.padded(),
            time: Column::Whole(&self.keys.time),
            entity: Column::Whole(&self.keys.entity),
            next: Column::Whole(&self.keys.next),
            runs: Runs {
                offsets: Column::Whole(&self.keys.offsets),
                rows: Column::Whole(&self.keys.by_entity),
            },
            codes: Column::Whole(&self.coded.values),
            terms: Column::Whole(&self.coded.terms),
            links: Links::none(),
            lists: lists.view(),
            checkpoints: Checkpoints {
                every,
                offsets: &checkpoint_offsets,
                rows: Column::Whole(&checkpoint_rows),
            },
        };
        let edges = match rows.len() >= self.options.graph_from.max(LEAST_LISTS) {
            true => self.graph(view.clone(), &nearest)?,
            false => Edges(Vec::new()),
        };
        let maker = Maker::new(&edges, self.codes());
        let links = match self.options.neighbour_codes {
            true => Links::made(&maker),
            false => Links::plain(&edges),
        };
        let view = View { links, ..view };
        let tables = self.tables(&view, &rows)?;
        self.input.stage("writing")?;
        let head = self.head(&lists, &edges, every, tables);
        let measured = head.tables.clone();
        writer.write_section(layout::HEAD, &head.encode())?;
        writer.write_section(layout::CENTRE, &self.space.frame().centre)?;
        writer.write_section(layout::OUTLIERS, self.outliers)?;
        self.write_rows(writer)?;
        match self.options.neighbour_codes {
            true => write_records(writer, &maker, n)?,
            false => writer.write_section(layout::EDGES, &edges.0)?,
        }
        writer.write_section(layout::CHECKPOINT_OFFSETS, &checkpoint_offsets)?;
        writer.write_section(layout::CHECKPOINT_ROWS, &checkpoint_rows)?;
        write_lists(writer, &lists)?;
        let edges = edges.0.iter().filter(|v| **v != NONE).count();
        Ok(Built { rows: n, lists: lists.terms.len(), edges, tables: measured })
    }

    /// Depths of searches, held to questions that are not stored; nothing for a part that is always compared exactly.
    fn tables(&self, view: &View<'_>, placed: &[u32]) -> Result<Tables> {
        let mut tables = Tables { resolution: self.resolution(), ..Tables::none() };
        // A lean part has no vectors to compare: few rows are searched by their codes too.
        if placed.len() < measure::FEW && self.options.exact {
            tables.allowed = Allowed::NONE;
            return Ok(tables);
        }
        self.input.stage("calibration")?;
        let calibration = Calibration {
            view,
            codes: self.codes(),
            rows: Rows {
                input: self.input,
                metric: self.options.metric,
                entity: &self.keys.entity,
                next: &self.keys.next,
            },
            placed,
            outliers: self.outliers,
            space: self.space,
            seed: self.options.seed,
        };
        let walks = match view.lists.is_empty() {
            true => Vec::new(),
            false => calibration.run(&mut tables)?,
        };
        self.input.stage("measuring recall")?;
        Held::new(&calibration)?.settle(&mut tables, &walks)?;
        Ok(tables)
    }

    /// What the codes can tell apart.
    fn resolution(&self) -> Resolution {
        let codes = self.codes();
        let of = |row: usize| {
            let norm = codes.terms[row].norm2.sqrt();
            let rough = sq8::error(codes.row(row), codes.terms[row]) / norm;
            (if rough.is_finite() { rough } else { 0.0 }, norm)
        };
        let rows = (0..self.coded.placed.len()).into_par_iter().filter(|row| self.coded.placed[*row]);
        let widest = |a: (f32, f32), b: (f32, f32)| (a.0.max(b.0), a.1.max(b.1));
        let (rough, largest) = rows.map(of).reduce(|| (0.0, 0.0), widest);
        Resolution { rough, largest, ..Resolution::default() }
    }

    fn lists(&self, rows: &[u32]) -> (BuiltLists, Vec<[u32; 3]>) {
        if rows.len() < LEAST_LISTS {
            return (BuiltLists { offsets: vec![0], ..BuiltLists::default() }, Vec::new());
        }
        let count = (1.6 * (rows.len() as f64).sqrt()) as usize;
        let centres = Centres::train(self.codes(), rows, count, self.options.seed);
        let mut nearest = vec![[0; 3]; self.keys.time.len()];
        for (row, lists) in rows.iter().zip(centres.assign::<3>(self.codes(), rows)) {
            nearest[*row as usize] = lists;
        }
        (BuiltLists::new(self.codes(), centres, rows, &nearest), nearest)
    }

    fn graph(&self, view: View<'_>, nearest: &[[u32; 3]]) -> Result<Edges> {
        self.input.stage("graph")?;
        let input = GraphInput {
            view,
            codes: self.codes(),
            entity: &self.keys.entity,
            next: &self.keys.next,
            previous: &self.keys.previous,
            placed: &self.coded.placed,
            nearest,
            per_entity: self.options.per_entity,
            full: self.options.neighbour_codes,
            seed: self.options.seed,
        };
        input.build()
    }

    fn head(&self, lists: &BuiltLists, edges: &Edges, every: usize, tables: Tables) -> Head {
        let n = self.keys.time.len();
        Head {
            rows: n as u32,
            dim: self.space.dim() as u32,
            metric: self.options.metric,
            entities: self.keys.entities.len() as u32,
            lists: lists.terms.len() as u32,
            members: lists.members.len() as u32,
            graph: match self.options.neighbour_codes {
                _ if edges.0.is_empty() => GraphKind::None,
                true => GraphKind::Coded,
                false => GraphKind::Plain,
            },
            exact: self.options.exact,
            checkpoint_every: every as u32,
            seed: self.options.seed,
            max_norm: self.space.frame().max_norm,
            radius: self.space.frame().radius,
            outliers: self.outliers.len() as u32,
            current: true,
            tables,
        }
    }

    fn write_rows(&self, writer: &mut Writer) -> Result<()> {
        writer.write_section(layout::TIME, &self.keys.time)?;
        writer.write_section(layout::ENTITY, &self.keys.entity)?;
        writer.write_section(layout::ENTITIES, &self.keys.entities)?;
        writer.write_section(layout::NEXT, &self.keys.next)?;
        writer.write_section(layout::ENTITY_OFFSETS, &self.keys.offsets)?;
        writer.write_section(layout::ENTITY_ROWS, &self.keys.by_entity)?;
        writer.write_section(layout::TERMS, &self.coded.terms)?;
        writer.section(layout::CODES, 1, PAGE)?;
        writer.write(bytemuck::cast_slice(&self.coded.values))
    }
}

/// The records of a graph of neighbours with codes, a strip at a time.
fn write_records(writer: &mut Writer, maker: &Maker<'_>, rows: usize) -> Result<()> {
    writer.section(layout::EDGES, size_of::<u32>(), PAGE)?;
    let mut strip = Vec::new();
    for start in (0..maker.rows()).step_by(STRIP) {
        maker.make_all(start..(start + STRIP).min(rows), &mut strip);
        writer.write(bytemuck::cast_slice(&strip))?;
    }
    Ok(())
}

fn write_lists(writer: &mut Writer, lists: &BuiltLists) -> Result<()> {
    writer.write_section(layout::CENTRES, &lists.centres)?;
    writer.write_section(layout::CENTRE_TERMS, &lists.terms)?;
    writer.write_section(layout::RADIUS, &lists.radius)?;
    writer.write_section(layout::MEDOID, &lists.medoid)?;
    writer.write_section(layout::LIST_OFFSETS, &lists.offsets)?;
    writer.write_section(layout::MEMBERS, &lists.members)?;
    writer.write_section(layout::BITS, &lists.bits)?;
    writer.write_section(layout::FACTORS, &lists.factors)
}
