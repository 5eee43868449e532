//! The recall that a part's searches have on questions that its depths were not sized on, and what is done where it is too low.
//!
//! Every path is held to it by itself, in every mode of asking: the planner may take any of them. A path that stays
//! below is made deeper step by step, and at last not taken any more; where even a scan of the codes stays below, the
//! part is compared exactly, always.

use super::calibrate::{Ask, Calibration, Tried, chosen, hits_of};
use super::plan;
use super::query::{Path, Stats};
use super::tables::{Allowed, Measured, Mode, Tables, USUAL};
use super::truth::{Kind, Question, Truth, Which};
use crate::error::Result;
use rayon::prelude::*;

/// Questions of each kind; half of them in a part without a graph.
const QUERIES: usize = 64;
/// Each kind of question in each mode finds this share with the usual effort, less a standard error of what was measured: where
/// points lie in clumps a question finds all of its neighbours or none, and few questions tell little.
const LEAST: f64 = 0.95;
/// The recall@10 of every part that is searched; one that stays below is compared exactly.
pub const PROMISED: f32 = 0.95;
/// A scan of the codes leaves nothing out but by the bounds on their errors.
const LEAST_SCAN: f64 = 0.985;
/// Parts with fewer rows are compared exactly: a search is no faster.
pub const FEW: usize = 1024;
/// From this many rows on scans are asked fewer questions.
const MANY: usize = 100_000;
/// Rounds of deepening.
const ROUNDS: usize = 12;
/// Lists are deepened by this factor.
const DEEPER: f64 = 1.25;
/// In the later rounds one-bit estimates are trusted less, too.
const WIDER: usize = 4;
/// Shares of a target's misses by which walks are chosen, one after another.
const SHARES: [f64; 3] = [1.0, 0.75, 0.5];
const KINDS: [Kind; 3] = [Kind::Stored, Kind::Halfway, Kind::Moved];

/// Held-out questions with their true answers.
pub struct Held<'c> {
    calibration: &'c Calibration<'c>,
    questions: Vec<Question>,
    truths: Vec<Truth>,
    /// For each question the modes of its views.
    modes: Vec<Vec<Mode>>,
}

impl<'c> Held<'c> {
    /// Draws the questions and finds their answers.
    pub fn new(calibration: &'c Calibration<'c>) -> Result<Held<'c>> {
        let (mut questions, mut modes) = (Vec::new(), Vec::new());
        for kind in KINDS {
            let count = if calibration.view.links.is_empty() { QUERIES / 2 } else { QUERIES };
            let drawn = calibration.questions(kind, count, 0x6865_6c64 ^ kind as u64)?;
            let of = drawn.len();
            for (i, mut question) in drawn.into_iter().enumerate() {
                let which = |mode: &Mode| Some((*mode, calibration.which(*mode, (i, of), &question)?));
                let (of_question, views) = Mode::EVERY.iter().filter_map(which).unzip();
                question.views = views;
                modes.push(of_question);
                questions.push(question);
            }
        }
        let truths = calibration.rows.answers(&questions)?;
        Ok(Held { calibration, questions, truths, modes })
    }

    /// Sizes and allows paths so that each reaches the recall in each mode, and notes what the planner's choice reaches.
    pub fn settle(&self, tables: &mut Tables, walks: &[Tried]) -> Result<()> {
        self.settle_scan(tables)?;
        if tables.allowed.scan {
            self.settle_lists(tables)?;
            self.settle_graph(tables, walks)?;
        }
        self.note(tables)?;
        if tables.recall() < PROMISED {
            tables.allowed = Allowed::NONE;
            self.note(tables)?;
        }
        Ok(())
    }

    /// Measures what the planner's choice finds in each mode.
    fn note(&self, tables: &mut Tables) -> Result<()> {
        tables.measured.clear();
        for mode in Mode::EVERY {
            if let Some(found) = self.recall(mode, None, tables, 1)? {
                tables.measured.push(Measured { mode, recall: found.least as f32 });
            }
        }
        Ok(())
    }

    /// Doubles the bounds on the codes' errors until a scan finds what there is.
    fn settle_scan(&self, tables: &mut Tables) -> Result<()> {
        let step = if self.calibration.view.rows > MANY { 4 } else { 1 };
        let whole = (self.calibration.view.padded as f32).sqrt();
        loop {
            let all = self.recall(Mode::All, Some(Path::Scan), tables, step)?;
            let by_entity = self.recall(Mode::PerEntity, Some(Path::Scan), tables, 4 * step)?;
            let least = all.iter().chain(&by_entity).map(|f| f.least).fold(1.0, f64::min);
            tables.ranked = all.map_or(0, |f| f.ranked as u32);
            if least >= LEAST_SCAN {
                return Ok(());
            }
            if tables.resolution.width >= whole {
                tables.allowed = Allowed::NONE;
                return Ok(());
            }
            tables.resolution.width *= 2.0;
        }
    }

    fn settle_lists(&self, tables: &mut Tables) -> Result<()> {
        if tables.lists.is_empty() {
            (tables.allowed.lists, tables.allowed.lists_by_entity) = (false, false);
            return Ok(());
        }
        let count = self.calibration.view.lists.len() as u32;
        for round in 0..ROUNDS {
            let (rows, by_entity) = self.least(Path::Lists, tables)?;
            (tables.allowed.lists, tables.allowed.lists_by_entity) = (rows >= LEAST, by_entity >= LEAST);
            if rows >= LEAST && (by_entity >= LEAST || round >= WIDER) {
                return Ok(());
            }
            if round >= WIDER {
                tables.errors *= DEEPER as f32;
            }
            for depth in &mut tables.lists {
                for probes in &mut depth.probes {
                    *probes = ((f64::from(*probes) * DEEPER).ceil() as u32).min(count.max(1));
                }
                depth.open = (f64::from(depth.open) * DEEPER).ceil() as u32;
            }
        }
        let (rows, by_entity) = self.least(Path::Lists, tables)?;
        (tables.allowed.lists, tables.allowed.lists_by_entity) = (rows >= LEAST, by_entity >= LEAST);
        Ok(())
    }

    fn settle_graph(&self, tables: &mut Tables, walks: &[Tried]) -> Result<()> {
        for share in SHARES {
            tables.graph = chosen(walks, share);
            let usual = tables.graph.get(USUAL).is_some_and(|walk| {
                let lists = tables.allowed.lists && tables.allowed.lists_by_entity;
                !(lists && plan::are_lists_far_cheaper(self.calibration.view, tables, *walk))
            });
            let (rows, by_entity) = if usual { self.least(Path::Graph, tables)? } else { (0.0, 0.0) };
            (tables.allowed.graph, tables.allowed.graph_by_entity) = (rows >= LEAST, by_entity >= LEAST);
            if tables.allowed.graph || !usual {
                break;
            }
        }
        Ok(())
    }

    /// What a path surely reaches in all modes: of those for rows, and in that for entities.
    fn least(&self, path: Path, tables: &Tables) -> Result<(f64, f64)> {
        let mut least = 1.0f64;
        for mode in Mode::EVERY.into_iter().filter(|m| *m != Mode::PerEntity && self.is_tried(path, *m)) {
            least = self.recall(mode, Some(path), tables, 1)?.map_or(least, |f| least.min(f.surely));
        }
        let by_entity = self.recall(Mode::PerEntity, Some(path), tables, 1)?;
        Ok((least, by_entity.map_or(1.0, |f| f.surely)))
    }

    /// False where the planner does not take the path in any case: walks through filters that leave few rows.
    fn is_tried(&self, path: Path, mode: Mode) -> bool {
        let view = self.calibration.view;
        let share = match mode {
            Mode::Twentieth => 0.05,
            Mode::AsOf => view.entities as f64 / view.rows as f64,
            _ => 1.0,
        };
        path != Path::Graph || share >= plan::LEAST_SHARE
    }

    /// Asks every `step`-th question in a mode; `None` where the mode has no questions.
    fn recall(&self, mode: Mode, path: Option<Path>, tables: &Tables, step: usize) -> Result<Option<Found>> {
        let asked: Vec<usize> = (0..self.questions.len()).step_by(step).collect();
        let each = asked.par_iter().filter_map(|i| {
            let view = self.modes[*i].iter().position(|m| *m == mode)?;
            let (question, truth) = (&self.questions[*i], &self.truths[*i].views[view]);
            let which = &question.views[view];
            let ask = Ask { path, per_entity: *which == Which::PerEntity };
            let answer = self.calibration.ask(question, which, &[], ask, tables);
            Some(answer.map(|(hits, stats)| (question.kind, hits_of(&hits, truth), truth.len(), stats)))
        });
        let each: Vec<(Kind, usize, usize, Stats)> = each.collect::<Result<_>>()?;
        if each.is_empty() {
            return Ok(None);
        }
        let of_kind = |kind: &Kind| {
            let of: Vec<_> = each.iter().filter(|e| e.0 == *kind).map(|e| (e.1 as f64, e.2 as f64)).collect();
            share_and_error(&of)
        };
        let shares: Vec<(f64, f64)> = KINDS.iter().map(of_kind).collect();
        let ranked = each.iter().map(|e| e.3.exact).sum::<usize>() / each.len();
        Ok(Some(Found {
            least: shares.iter().map(|s| s.0).fold(1.0, f64::min),
            surely: shares.iter().map(|s| s.0 - s.1).fold(1.0, f64::min),
            ranked,
        }))
    }
}

/// The share of what was found of what was wanted, and its standard error (of a ratio estimate over questions).
fn share_and_error(found_and_wanted: &[(f64, f64)]) -> (f64, f64) {
    let (found, wanted) = found_and_wanted.iter().fold((0.0, 0.0), |(f, w), e| (f + e.0, w + e.1));
    if wanted == 0.0 {
        return (1.0, 0.0);
    }
    let share = found / wanted;
    let squares: f64 = found_and_wanted.iter().map(|(f, w)| (f - share * w).powi(2)).sum();
    (share, squares.sqrt() / wanted)
}

/// What a round of questions found.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// The least recall of a kind of questions.
    least: f64,
    /// The least recall of a kind less its standard error.
    surely: f64,
    /// Exact distances of the mean search.
    ranked: usize,
}

#[cfg(test)]
mod tests {
    use super::share_and_error;

    #[test]
    fn clumps_tell_less_than_scattered_misses() {
        // 10 of 100 missed: one of each question, or all of one.
        let scattered: Vec<(f64, f64)> = vec![(9.0, 10.0); 10];
        let clumped: Vec<(f64, f64)> = (0..10).map(|i| (if i == 0 { 0.0 } else { 10.0 }, 10.0)).collect();
        assert_eq!(share_and_error(&scattered), (0.9, 0.0));
        // Residuals: -9 once and 1 nine times.
        let (share, error) = share_and_error(&clumped);
        assert!(
            (share - 0.9).abs() < 1e-12 && (error - 90f64.sqrt() / 100.0).abs() < 1e-12,
            "{share} {error}"
        );
        assert_eq!(share_and_error(&[(0.0, 0.0)]), (1.0, 0.0));
    }
}
