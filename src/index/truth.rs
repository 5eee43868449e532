//! Questions put to a part while it is built, and their true answers: exact distances of the vectors themselves, never
//! the order of codes.

use super::input::Input;
use super::tables::Mode;
use crate::error::Result;
use crate::metric::{ExactQuery, Metric};
use crate::simd::{self, wide};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use std::ops::Range;

/// Neighbours that recall counts.
pub const WANTED: usize = 10;
/// Rows read at a time.
const STRIP: usize = 512;
/// Rows of the question's own entity that are kept to be hidden, at most.
const MOST_OWN: u32 = 2048;

/// A row at a distance.
pub type Answer = (f64, u32);

/// Which kind of question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stored row.
    Stored,
    /// Halfway between two stored rows.
    Halfway,
    /// A stored row, moved a little or far.
    Moved,
}

/// Rows that count for a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// A run of rows.
    Rows(Range<usize>),
    /// Rows valid at a rank.
    AsOf(usize),
    /// Rows of other entities than this one.
    Others(u32),
    /// The best row of each entity.
    PerEntity,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// Its vector.
    pub vector: Vec<f32>,
    /// Its kind.
    pub kind: Kind,
    /// The stored row that it was made from.
    pub row: u32,
    /// Leave out the row, and the rows of its entity that are nearer than any stranger: what a question that is not stored meets.
    pub hides: bool,
    /// For which rows answers are wanted.
    pub views: Vec<Which>,
}

/// True answers of a question.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Rows that were left out, ascending.
    pub hidden: Vec<u32>,
    /// For each view the nearest rows, nearest first.
    pub views: Vec<Vec<Answer>>,
}

/// The rows that questions are put to.
pub struct Rows<'a> {
    /// Vectors.
    pub input: &'a dyn Input,
    /// How far vectors are apart.
    pub metric: Metric,
    /// Entity ordinal of each row.
    pub entity: &'a [u32],
    /// For each row its entity's next row, or 2^32 - 1.
    pub next: &'a [u32],
}

impl Rows<'_> {
    /// A question of a kind made from a stored row and another one.
    pub fn question(&self, kind: Kind, row: u32, other: u32, seed: u64) -> Result<Question> {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let a = self.unit(self.input.vectors(row as usize..row as usize + 1, &mut one)?);
        let b = self.unit(self.input.vectors(other as usize..other as usize + 1, &mut two)?);
        let vector = match kind {
            Kind::Stored => a,
            Kind::Halfway => a.iter().zip(&b).map(|(a, b)| (a + b) / 2.0).collect(),
            Kind::Moved => moved(&a, &b, seed ^ u64::from(row)),
        };
        let vector = vector.into_iter().map(|v| v as f32).collect();
        Ok(Question { vector, kind, row, hides: false, views: Vec::new() })
    }

    /// Under cosine the unit vector, so that what is between two rows lies between their directions.
    fn unit(&self, x: &[f32]) -> Vec<f64> {
        let norm = if self.metric == Metric::Cosine { wide::norm(x) } else { 1.0 };
        let norm = if norm > 0.0 { norm } else { 1.0 };
        x.iter().map(|x| f64::from(*x) / norm).collect()
    }

    /// The answers of all questions, in one pass over the vectors.
    pub fn answers(&self, questions: &[Question]) -> Result<Vec<Truth>> {
        let mut open: Vec<Open<'_>> = questions.iter().map(|q| Open::new(q, self)).collect();
        let (n, mut buffer) = (self.input.rows(), Vec::new());
        for start in (0..n).step_by(STRIP) {
            let rows = start..(start + STRIP).min(n);
            let x = self.input.vectors(rows.clone(), &mut buffer)?;
            let norms: Vec<f64> = match self.metric {
                Metric::L2 => Vec::new(),
                _ => x.par_chunks(self.input.dim()).map(wide::norm).collect(),
            };
            open.par_iter_mut().for_each(|open| open.take(self, rows.start, x, &norms));
        }
        Ok(open.into_iter().map(|o| o.close(self)).collect())
    }
}

/// Moves `a` by a random direction, over a distance from a thousandth to a half of that to `b`.
fn moved(a: &[f64], b: &[f64], seed: u64) -> Vec<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x6d6f_7665);
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let direction: Vec<f64> =
        a.iter().map(|_| (0..6).map(|_| rng.random_range(-1.0f64..1.0)).sum::<f64>()).collect();
    let norm = direction.iter().map(|d| d * d).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let length = apart * (rng.random_range(0.001f64.ln()..0.5f64.ln())).exp();
    a.iter().zip(&direction).map(|(a, d)| a + length / norm * d).collect()
}

impl Which {
    /// The rows that count in a mode, for the `i`-th of `of` questions; `None` where there are no such rows.
    pub fn of(mode: Mode, (i, of): (usize, usize), entity: u32, rows: usize) -> Option<Which> {
        let window = |width: usize| {
            // Windows lie evenly over the part, whatever the order of questions.
            let start = (rows - width) * ((i * 7 + 3) % of.max(1)) / of.max(1);
            (width >= 4 * WANTED).then(|| Which::Rows(start..start + width))
        };
        match mode {
            Mode::All => Some(Which::Rows(0..rows)),
            Mode::Quarter => window(rows / 4),
            Mode::Twentieth => window(rows / 20),
            Mode::AsOf => Some(Which::AsOf(rows * ((i * 5 + 1) % of.max(1) + 1) / of.max(1))),
            Mode::Others => Some(Which::Others(entity)),
            Mode::PerEntity => Some(Which::PerEntity),
        }
    }

    fn admits(&self, rows: &Rows<'_>, row: usize) -> bool {
        match self {
            Which::Rows(run) => run.contains(&row),
            Which::AsOf(rank) => row < *rank && rows.next[row] as usize >= *rank,
            Which::Others(entity) => rows.entity[row] != *entity,
            Which::PerEntity => true,
        }
    }
}

/// A question on its way over the rows.
struct Open<'q> {
    question: &'q Question,
    query: ExactQuery<'q>,
    tops: Vec<Top>,
    /// Rows of the question's own entity, when they may be hidden.
    own: Vec<Answer>,
    own_entity: Option<u32>,
    /// The nearest row of another entity: of the first view, which holds all rows where rows are hidden.
    stranger: f64,
    /// Relative rounding of f32 products, with room.
    rounding: f64,
}

impl<'q> Open<'q> {
    fn new(question: &'q Question, rows: &Rows<'_>) -> Open<'q> {
        let of_entity = |view: &Which| Top { by_entity: *view == Which::PerEntity, near: Vec::new() };
        let entity = rows.entity.get(question.row as usize).copied();
        Open {
            question,
            query: ExactQuery::new(rows.metric, &question.vector),
            tops: question.views.iter().map(of_entity).collect(),
            own: Vec::new(),
            own_entity: entity.filter(|e| question.hides && !dominates(rows.entity, *e)),
            stranger: f64::INFINITY,
            rounding: 4.0 * simd::rounding_bound(question.vector.len()) + 1e-6,
        }
    }

    fn take(&mut self, rows: &Rows<'_>, first: usize, x: &[f32], norms: &[f64]) {
        for (i, x) in x.chunks_exact(rows.input.dim()).enumerate() {
            let row = first + i;
            let own = Some(rows.entity[row]) == self.own_entity;
            // Own rows wait until it is known which of them are hidden.
            let worst = match own {
                true => f64::INFINITY,
                false => self.worst(rows, row),
            };
            if worst < f64::INFINITY && self.surely_above(worst, rows.metric, x, norms.get(i)) {
                continue;
            }
            let Some(distance) = self.query.distance(x) else { continue };
            if own {
                self.own.push((distance, row as u32));
                continue;
            }
            if self.question.hides && row == self.question.row as usize {
                continue;
            }
            self.stranger = self.stranger.min(distance);
            self.note(rows, distance, row as u32);
        }
    }

    /// No row that is further than this is an answer; infinite while any row may be.
    fn worst(&self, rows: &Rows<'_>, row: usize) -> f64 {
        let views = self.tops.iter().zip(&self.question.views);
        views
            .filter(|(_, view)| view.admits(rows, row))
            .map(|(top, _)| top.worst())
            .fold(f64::NEG_INFINITY, f64::max)
    }

    /// True when f32 is enough to see that a row is further than `worst`, and than the nearest stranger.
    fn surely_above(&self, worst: f64, metric: Metric, x: &[f32], norm: Option<&f64>) -> bool {
        let (q, rounding) = (&self.question.vector, self.rounding);
        if worst == f64::NEG_INFINITY {
            return true;
        }
        match (metric, norm) {
            (Metric::L2, _) => {
                let squared = f64::from(simd::l2_squared(q, x));
                // Smaller ones may have lost their digits.
                squared.is_finite() && squared > 1e-28 && squared * (1.0 - rounding) > worst * worst
            }
            (_, None) => false,
            (_, Some(norm)) => {
                let (product, lengths) = (f64::from(simd::dot(q, x)), self.query.norm() * norm);
                let whole = product.is_finite() && lengths > 1e-28;
                let least = -product - rounding * lengths;
                whole && if metric == Metric::Dot { least > worst } else { 1.0 + least / lengths > worst }
            }
        }
    }

    fn note(&mut self, rows: &Rows<'_>, distance: f64, row: u32) {
        for (top, view) in self.tops.iter_mut().zip(&self.question.views) {
            if distance < top.worst() && view.admits(rows, row as usize) {
                top.put((distance, row), rows.entity);
            }
        }
    }

    fn close(mut self, rows: &Rows<'_>) -> Truth {
        let mut hidden: Vec<u32> = if self.question.hides { vec![self.question.row] } else { Vec::new() };
        for (distance, row) in std::mem::take(&mut self.own) {
            match distance < self.stranger || row == self.question.row {
                true => hidden.push(row),
                false => self.note(rows, distance, row),
            }
        }
        hidden.sort_unstable();
        hidden.dedup();
        Truth { hidden, views: self.tops.into_iter().map(|t| t.near).collect() }
    }
}

/// True when an entity has so many rows that hiding them would leave too few, or take too long.
fn dominates(entity: &[u32], own: u32) -> bool {
    let same = entity.iter().filter(|e| **e == own).take(MOST_OWN as usize + 1).count();
    same > MOST_OWN as usize || 5 * same > entity.len()
}

/// The nearest rows, or the nearest row of each of the nearest entities.
struct Top {
    by_entity: bool,
    near: Vec<Answer>,
}

impl Top {
    fn worst(&self) -> f64 {
        self.near.get(WANTED - 1).map_or(f64::INFINITY, |last| last.0)
    }

    fn put(&mut self, new: Answer, entity: &[u32]) {
        if self.by_entity {
            let own = entity[new.1 as usize];
            if let Some(at) = self.near.iter().position(|a| entity[a.1 as usize] == own) {
                if self.near[at].0 <= new.0 {
                    return;
                }
                self.near.remove(at);
            }
        }
        let at = self.near.partition_point(|old| old.0 <= new.0);
        self.near.insert(at, new);
        self.near.truncate(WANTED);
    }
}
