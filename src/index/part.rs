//! A part on disk: mapped, checked as far as it is touched, searched.

use super::column::{Check, Column};
use super::eligible::Eligible;
use super::layout::{self, GraphKind, Head};
use super::links::{self, Links};
use super::paths::Workspace;
use super::plan;
use super::prune::NONE;
use super::query::{Filter, Hit, Query, Stats};
use super::search::{Exact, Search};
use super::space::{Frame, Space};
use super::view::{Checkpoints, Lists, Runs, View};
use crate::error::Result;
use crate::format::container::{Container, Expect};
use crate::fsio::Access;
use crate::metric::{ExactQuery, Metric};
use crate::model::{EntityId, Key, TimeRange};
use std::path::Path;

/// An open part of the index.
#[derive(Debug)]
pub struct Part {
    file: Container,
    head: Head,
    space: Space,
}

/// Vectors of a part that keeps none itself: the exact distance of a row to the query.
pub type Elsewhere<'q> = &'q dyn Exact;

impl Part {
    /// Opens the file that `expect` describes.
    pub fn open(path: &Path, expect: &Expect) -> Result<Part> {
        Part::from_container(Container::open(path, expect)?)
    }

    /// As [`Part::open`], from an open container.
    pub fn from_container(file: Container) -> Result<Part> {
        let head = match file.section(layout::HEAD_1) {
            Some(_) => Head::decode_1(file.all::<u8>(layout::HEAD_1)?),
            None => Head::decode(file.all::<u8>(layout::HEAD)?),
        };
        let head = head.map_err(|e| file.damaged(e.to_string()))?;
        file.advise(Access::Random);
        let centre = match head.current {
            true => Column::<f64>::open(&file, layout::CENTRE, head.coordinates(), Check::Lazy)?
                .get(0..head.coordinates())?,
            false => &vec![0.0; head.coordinates()],
        };
        if !centre.iter().all(|c| c.is_finite()) {
            return Err(file.damaged("the centre of the index is no place"));
        }
        let frame = Frame { max_norm: head.max_norm, centre: centre.to_vec(), radius: head.radius };
        let space = Space::new(head.metric, head.dim as usize, frame, head.seed);
        Ok(Part { file, head, space })
    }

    /// What the part says of itself.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.head.rows as usize
    }

    /// Dimension of the vectors.
    pub fn dim(&self) -> usize {
        self.head.dim as usize
    }

    /// The metric it was built for.
    pub fn metric(&self) -> Metric {
        self.head.metric
    }

    /// Length of the file in bytes.
    pub fn bytes(&self) -> u64 {
        self.file.len()
    }

    /// True when the part knows which points its rows stand for. Parts of older programs do not.
    pub fn has_sequence(&self) -> bool {
        self.file.section(layout::SEQUENCE).is_some()
    }

    /// True for a part that queries use: it knows which points it holds, and its recall was measured. Parts of older programs
    /// can be checked, and are not searched.
    pub fn is_current(&self) -> bool {
        self.has_sequence() && self.head.current
    }

    /// Bytes of each section.
    pub fn sections(&self) -> Vec<(String, usize)> {
        let tags = [
            layout::TIME,
            layout::ENTITY,
            layout::ENTITIES,
            layout::SEQUENCE,
            layout::NEXT,
            layout::ENTITY_OFFSETS,
            layout::ENTITY_ROWS,
            layout::CHECKPOINT_ROWS,
            layout::CODES,
            layout::TERMS,
            layout::MEMBERS,
            layout::BITS,
            layout::FACTORS,
            layout::CENTRES,
            layout::EDGES,
            layout::EXACT,
        ];
        let named = tags.iter().filter_map(|tag| {
            Some((String::from_utf8_lossy(tag).into_owned(), self.file.section(*tag)?.len()))
        });
        named.collect()
    }

    /// A reader for one thread.
    pub fn reader(&self, check: Check) -> Result<Reader<'_>> {
        let exact = match self.head.exact {
            false => None,
            true => Some(self.column(layout::EXACT, self.rows() * self.dim(), check)?),
        };
        let sequence = match self.has_sequence() {
            false => None,
            true => Some(self.column(layout::SEQUENCE, self.rows(), check)?),
        };
        let entities = self.column(layout::ENTITIES, self.head.entities as usize, check)?;
        let outliers = self.outliers()?;
        Ok(Reader {
            part: self,
            view: self.view(check)?,
            exact,
            entities,
            sequence,
            outliers,
            work: Workspace::default(),
        })
    }

    /// Rows that every search compares exactly.
    fn outliers(&self) -> Result<&[u32]> {
        if !self.head.current {
            return Ok(&[]);
        }
        let rows = self.whole::<u32>(layout::OUTLIERS, self.head.outliers as usize)?;
        match rows.is_sorted_by(|a, b| a < b) && rows.iter().all(|row| (*row as usize) < self.rows()) {
            true => Ok(rows),
            false => Err(self.file.damaged("the outliers of the index are not rows of it, in order")),
        }
    }

    fn column<T: bytemuck::AnyBitPattern>(
        &self,
        tag: [u8; 4],
        len: usize,
        check: Check,
    ) -> Result<Column<'_, T>> {
        Column::open(&self.file, tag, len, check)
    }

    fn view(&self, check: Check) -> Result<View<'_>> {
        let (n, padded) = (self.rows(), self.space.padded());
        Ok(View {
            rows: n,
            entities: self.head.entities as usize,
            padded,
            time: self.column(layout::TIME, n, check)?,
            entity: self.column(layout::ENTITY, n, check)?,
            next: self.column(layout::NEXT, n, check)?,
            runs: Runs {
                offsets: self.column(layout::ENTITY_OFFSETS, self.head.entities as usize + 1, check)?,
                rows: self.column(layout::ENTITY_ROWS, n, check)?,
            },
            codes: self.column(layout::CODES, n * padded, check)?,
            terms: self.column(layout::TERMS, n, check)?,
            links: self.links(check)?,
            lists: self.lists(check)?,
            checkpoints: self.checkpoints(check)?,
        })
    }

    fn links(&self, check: Check) -> Result<Links<'_>> {
        let words = match self.head.graph {
            GraphKind::None => return Ok(Links::none()),
            graph => links::words(self.space.padded(), graph == GraphKind::Coded),
        };
        Ok(Links::stored(self.column(layout::EDGES, self.rows() * words, check)?, words))
    }

    /// A section of `len` values, checked now.
    fn whole<T: bytemuck::AnyBitPattern>(&self, tag: [u8; 4], len: usize) -> Result<&[T]> {
        self.column::<T>(tag, len, Check::Lazy)?.get(0..len)
    }

    fn lists(&self, check: Check) -> Result<Lists<'_>> {
        let (count, padded) = (self.head.lists as usize, self.space.padded());
        let members = self.head.members as usize;
        let offsets = self.whole::<u32>(layout::LIST_OFFSETS, count + 1)?;
        let Some(first_block) = Lists::blocks(offsets, if count == 0 { 0 } else { members }) else {
            return Err(self.file.damaged("the lists of the index do not hold its rows"));
        };
        let blocks = first_block.last().map_or(0, |b| *b as usize);
        let medoid = self.whole::<u32>(layout::MEDOID, count)?;
        if medoid.iter().any(|row| *row != NONE && *row as usize >= self.rows()) {
            return Err(self.file.damaged("a list of the index begins at a row that it does not have"));
        }
        Ok(Lists {
            centres: self.whole(layout::CENTRES, count * padded)?,
            terms: self.whole(layout::CENTRE_TERMS, count)?,
            radius: self.whole(layout::RADIUS, count)?,
            medoid,
            offsets,
            first_block,
            members: self.column(layout::MEMBERS, offsets[count] as usize, check)?,
            bits: self.column(layout::BITS, blocks * crate::simd::bits::block_bytes(padded), check)?,
            factors: self.column(layout::FACTORS, blocks, check)?,
        })
    }

    fn checkpoints(&self, check: Check) -> Result<Checkpoints<'_>> {
        let every = self.head.checkpoint_every as usize;
        let count = self.rows() / every + 1;
        let offsets = self.whole::<u32>(layout::CHECKPOINT_OFFSETS, count + 1)?;
        if offsets[0] != 0 || !offsets.is_sorted() {
            return Err(self.file.damaged("the checkpoints of the index are not in order"));
        }
        let rows = self.column(layout::CHECKPOINT_ROWS, offsets[count] as usize, check)?;
        Ok(Checkpoints { every, offsets, rows })
    }

    /// Checks every byte, and that what names rows names rows of this part.
    pub fn verify(&self) -> Result<()> {
        self.file.check_all()?;
        let view = self.view(Check::Whole)?;
        self.outliers()?;
        for row in 0..if view.links.is_empty() { 0 } else { self.rows() } {
            view.links.of(row as u32)?;
        }
        let rows = self.rows();
        let ordered = view.time.get(0..rows)?.is_sorted()
            && view.entity.get(0..rows)?.iter().all(|e| *e < self.head.entities)
            && view.next.get(0..rows)?.iter().enumerate().all(|(row, next)| *next as usize > row)
            && view.next.get(0..rows)?.iter().all(|next| *next == NONE || (*next as usize) < rows);
        let members = view.lists.members.get(0..view.lists.members.len())?;
        let listed = (0..view.lists.len())
            .all(|list| members.get(view.lists.span(list)).is_some_and(|m| m.is_sorted_by(|a, b| a < b)));
        for entity in 0..self.head.entities {
            let run = view.runs.of(entity)?;
            let own = |row: &u32| view.entity.one(*row as usize).is_ok_and(|e| e == entity);
            if run.is_empty() || !run.is_sorted_by(|a, b| a < b) || !run.iter().all(own) {
                return Err(self.file.damaged("the rows of an entity are not in order"));
            }
        }
        if !ordered || !listed || members.iter().any(|row| *row as usize >= rows) {
            return Err(self.file.damaged("rows of the index are not in order"));
        }
        Ok(())
    }
}

/// Searches a part on one thread.
#[derive(Debug)]
pub struct Reader<'p> {
    part: &'p Part,
    view: View<'p>,
    exact: Option<Column<'p, f32>>,
    entities: Column<'p, EntityId>,
    sequence: Option<Column<'p, u64>>,
    outliers: &'p [u32],
    work: Workspace,
}

impl<'p> Reader<'p> {
    /// Makes a filter ready for this part; good for all its readers.
    pub fn prepare(&self, filter: &Filter<'_>) -> Result<Eligible> {
        Eligible::new(&self.view, filter, |entity| self.ordinal(entity))
    }

    /// What was prepared, with another range and other entities left out.
    pub fn narrow(&self, base: &Eligible, range: &TimeRange, excluded: &[EntityId]) -> Result<Eligible> {
        base.of(&self.view, range, excluded, |entity| self.ordinal(entity))
    }

    /// The rows that match, best first. `elsewhere` gives exact distances for a lean part.
    pub fn search(
        &mut self,
        query: &Query<'_>,
        eligible: &Eligible,
        elsewhere: Option<Elsewhere<'_>>,
        stats: &mut Stats,
    ) -> Result<Vec<Hit>> {
        query.check(self.part.dim())?;
        if !self.part.head.current {
            return Err(crate::Error::internal("a part of the index of an older version was searched"));
        }
        let own = self.exact.map(|rows| Stored {
            rows,
            query: ExactQuery::new(self.part.metric(), query.vector),
            dim: self.part.dim(),
        });
        let exact: &dyn Exact = match (&own, elsewhere) {
            (Some(own), _) => own,
            (None, Some(elsewhere)) => elsewhere,
            (None, None) => {
                return Err(crate::Error::internal("a lean index part was searched without its vectors"));
            }
        };
        let (space, head) = (&self.part.space, &self.part.head);
        let search = Search { view: &self.view, space, tables: &head.tables, outliers: self.outliers };
        search.run(query, eligible, exact, &mut self.work, stats)
    }

    /// About how many nanoseconds [`Reader::search`] takes.
    pub fn cost(&self, query: &Query<'_>, eligible: &Eligible) -> f64 {
        let tables = &self.part.head.tables;
        if !tables.allowed.scan {
            return plan::exact_cost(&self.view, eligible);
        }
        let plan = match query.radius {
            Some(_) => plan::choose_all(&self.view, tables, query, eligible),
            None => {
                plan::choose(&self.view, tables, query, plan::depth(&self.view, query, eligible), eligible)
            }
        };
        plan.costs.iter().map(|(_, cost)| *cost).reduce(f64::min).unwrap_or(0.0)
    }

    /// The key of a row.
    pub fn key(&self, row: u32) -> Result<Key> {
        let ordinal = self.view.entity.one(row as usize)?;
        Ok(Key { entity: self.entities.one(ordinal as usize)?, t: self.view.time.one(row as usize)? })
    }

    /// True when a row stands for the point with this sequence number.
    pub fn is_point(&self, row: u32, seq: u64) -> Result<bool> {
        match &self.sequence {
            None => Ok(false),
            Some(sequence) => Ok(sequence.one(row as usize)? == seq),
        }
    }

    /// The row of a key, if the part has it.
    pub fn row(&self, key: Key) -> Result<Option<u32>> {
        let before = self.rows_until(key.entity, key.t)?;
        let Some(row) = before.last() else { return Ok(None) };
        Ok((self.view.time.one(*row as usize)? == key.t).then_some(*row))
    }

    /// The entity's rows at or before an instant, ascending: the last one is its state there.
    pub fn rows_until(&self, entity: EntityId, at: i64) -> Result<&'p [u32]> {
        let Some(ordinal) = self.ordinal(entity)? else { return Ok(&[]) };
        let rows = self.view.runs.of(ordinal)?;
        let (mut low, mut high) = (0, rows.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.view.time.one(rows[middle] as usize)? <= at {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Ok(&rows[..low])
    }

    /// The rows that are the part's states at an instant, ascending.
    pub fn states(&self, at: i64) -> Result<Vec<u32>> {
        self.view.valid(self.view.rank(|t| t > at)?)
    }

    /// True when a row is the part's state of its entity at an instant.
    pub fn is_state(&self, row: u32, at: i64) -> Result<bool> {
        let rank = self.view.rank(|t| t > at)?;
        Ok((row as usize) < rank && self.view.next.one(row as usize)? as usize >= rank)
    }

    fn ordinal(&self, entity: EntityId) -> Result<Option<u32>> {
        let (mut low, mut high) = (0, self.entities.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.entities.one(middle)?.cmp(&entity) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(middle as u32)),
            }
        }
        Ok(None)
    }

    /// The vector of a row as it was given; `None` in a lean part.
    pub fn vector(&self, row: u32) -> Result<Option<&'p [f32]>> {
        self.exact.map(|x| x.row(row as usize, self.part.dim())).transpose()
    }

    /// The columns.
    pub fn view(&self) -> &View<'p> {
        &self.view
    }
}

/// Vectors in the part itself.
struct Stored<'q> {
    rows: Column<'q, f32>,
    query: ExactQuery<'q>,
    dim: usize,
}

impl Exact for Stored<'_> {
    fn distance(&self, row: u32) -> Result<Option<f64>> {
        Ok(self.query.distance(self.rows.row(row as usize, self.dim)?))
    }

    fn expect(&self, row: u32) {
        self.rows.expect(row as usize, self.dim);
    }
}
