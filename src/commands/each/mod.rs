//! An analytic over every selected trajectory: in parallel, in the order of entities, within the memory
//! that the run may use.

pub mod pool;

pub use pool::{Order, Scale};

use super::selection::Selected;
use super::{Level, Progress, Session, Watch};
use crate::analytics::scales::{Fill, Grid};
use crate::analytics::{Align, Cuts};
use crate::dataset::{Rows, Snapshot, Trajectories};
use crate::error::{Code, Error, Result};
use crate::model::Trajectory;
use crate::time::Duration;
use std::ops::Range;

/// What every analytic over trajectories takes. The default runs on the points as they are.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where trajectories are cut.
    pub cuts: Cuts,
    /// Calendar grids to put trajectories on first, one value a cell; none for the points as they are.
    pub scales: Vec<GridScale>,
    /// What a cell's value is made from.
    pub fill: Fill,
    /// In which order rows leave.
    pub order: Order,
}

/// The cells of a grid, with the text that rows name it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridScale {
    /// As it was written, e.g. `7d`.
    pub text: String,
    /// Length of a cell.
    pub step: Duration,
}

/// The unit of time of speeds and rates, with the text that rows name it by. The default is a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Per {
    /// As it was written, e.g. `30d`.
    pub text: String,
    /// Its length.
    pub seconds: f64,
}

impl Default for Per {
    fn default() -> Self {
        Per { text: "1d".to_owned(), seconds: 86_400.0 }
    }
}

impl Options {
    /// The grids to run on.
    pub fn grids(&self) -> Vec<Scale> {
        let grid = |c: &GridScale| match c.step {
            Duration::Fixed(us) => Grid::Micros(us),
            Duration::Months(n) => Grid::Months(u32::try_from(n).unwrap_or(u32::MAX)),
        };
        match self.scales.is_empty() {
            true => vec![None],
            false => self.scales.iter().map(|c| Some(grid(c))).collect(),
        }
    }

    /// The name of a scale in rows.
    pub fn scale_name(&self, scale: usize) -> Option<String> {
        self.scales.get(scale).map(|c| c.text.clone())
    }
}

/// The trajectory that an analytic is run on.
pub struct Subject {
    /// Entity.
    pub id: u64,
    /// Its name, where entities have names.
    pub name: Option<String>,
    /// Which of the scales, from 0.
    pub scale: usize,
    /// For each point whether a lossy codec changed its vector; empty when none was.
    pub approx: Vec<bool>,
}

impl Subject {
    /// True when any of these points is approximate.
    pub fn is_approx(&self, points: Range<usize>) -> bool {
        self.approx.get(points).is_some_and(|points| points.contains(&true))
    }
}

/// An analytic over a selection.
pub struct Job<'a> {
    /// The run.
    pub session: &'a Session,
    /// The version that is read.
    pub snapshot: &'a Snapshot,
    /// Which trajectories.
    pub selected: &'a Selected,
    /// How.
    pub options: &'a Options,
    /// Bytes that a value of a trajectory takes while it is analysed, copies and sums included.
    pub bytes_a_value: usize,
    /// Who started it.
    pub watch: &'a dyn Watch,
}

impl Job<'_> {
    /// Runs `work` on every trajectory and scale, and hands its results for an entity, scale by scale, to `emit`;
    /// then notes how many trajectories mix embedding models.
    ///
    /// # Errors
    /// The first error of `emit`, of the watch, or of reading the dataset.
    pub fn for_each<T: Send>(
        &self,
        work: impl Fn(&Trajectory<'_>, &Subject) -> T + Sync,
        emit: impl FnMut(Vec<T>) -> Result<()>,
    ) -> Result<()> {
        let mixed = self.on_scales(work, emit)?;
        note_mixed(self.watch, self.options.cuts.align, "model", mixed);
        Ok(())
    }

    /// As [`Job::for_each`], for commands whose outcome counts what could not be computed: only models that
    /// are taken for one space are noted.
    ///
    /// # Errors
    /// As [`Job::for_each`].
    pub fn for_each_counted<T: Send>(
        &self,
        work: impl Fn(&Trajectory<'_>, &Subject) -> T + Sync,
        emit: impl FnMut(Vec<T>) -> Result<()>,
    ) -> Result<()> {
        let mixed = self.on_scales(work, emit)?;
        if self.options.cuts.align == Align::Off {
            note_mixed(self.watch, Align::Off, "model", mixed);
        }
        Ok(())
    }

    /// The number of trajectories that mix embedding models.
    fn on_scales<T: Send>(
        &self,
        work: impl Fn(&Trajectory<'_>, &Subject) -> T + Sync,
        mut emit: impl FnMut(Vec<T>) -> Result<()>,
    ) -> Result<u64> {
        let dim = self.snapshot.settings().dim;
        let scales = self.options.grids();
        // Asking the system how much memory there is takes long: once is enough.
        let room = self.session.memory();
        let fill = self.options.fill;
        let one = |rows: &Rows<'_>, x: &mut Vec<f32>| {
            self.check_memory(rows, rows.len(), dim, room)?;
            rows.read(0..rows.len(), x)?;
            let models = rows.models();
            let trajectory = rows.trajectory(x, &models, dim);
            let name = self.snapshot.entity_name(rows.entity)?;
            let mut subject = Subject { id: rows.entity, name, scale: 0, approx: Vec::new() };
            let any = rows.any_approx();
            let found = pool::on_scales(&trajectory, &scales, fill, |t, scale, source| {
                subject.scale = scale;
                subject.approx = match source {
                    _ if !any => Vec::new(),
                    Some(last) => approximate_cells(rows, last, fill),
                    None => (0..rows.len()).map(|i| rows.is_approx(i)).collect(),
                };
                work(t, &subject)
            });
            Ok((found, trajectory.mixes_models()))
        };
        let mut all_mixed = 0;
        self.for_each_rows(self.options.order, one, |(found, mixed)| {
            all_mixed += u64::from(mixed);
            emit(found)
        })?;
        Ok(all_mixed)
    }

    /// Runs `work` on the rows of every entity, whose vectors are not read yet.
    ///
    /// # Errors
    /// The first error of `work`, of `emit` or of the watch.
    pub fn for_each_rows<T: Send>(
        &self,
        order: Order,
        work: impl Fn(&Rows<'_>, &mut Vec<f32>) -> Result<T> + Sync,
        mut emit: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let (mut entities, mut points) = (0, 0);
        let selected = self.selected.select.resolve(self.snapshot)?;
        let dim = self.snapshot.settings().dim;
        let counted = |rows: &Rows<'_>, x: &mut Vec<f32>| Ok((work(rows, x)?, rows.len()));
        pool::for_each(Trajectories::new(selected), dim, order, counted, |(found, n)| {
            self.watch.stop()?;
            (entities, points) = (entities + 1, points + n as u64);
            self.watch.progress(&Progress::Analysed { entities, points });
            emit(found)
        })
    }

    /// Refuses a trajectory that the analytic cannot hold: everything else of a run is bounded.
    ///
    /// # Errors
    /// Fails with [`Code::Failed`] when `points` vectors take more than `room` bytes.
    pub fn check_memory(&self, rows: &Rows<'_>, points: usize, dim: usize, room: usize) -> Result<()> {
        let need = points as u128 * dim as u128 * self.bytes_a_value as u128;
        if need <= room as u128 {
            return Ok(());
        }
        let entity = self.snapshot.entity_name(rows.entity)?.unwrap_or_else(|| rows.entity.to_string());
        Err(Error::new(
            Code::Failed,
            format!(
                "{points} points of one entity take about {need} bytes here, more than the {room} of ‹memory›"
            ),
        )
        .entity(entity)
        .fix("give more ‹memory›, or take fewer points: ‹from› and ‹to›, or ‹scale› after export"))
    }
}

/// For each cell whether its value depends on a vector that a lossy codec changed.
fn approximate_cells(rows: &Rows<'_>, last: &[usize], fill: Fill) -> Vec<bool> {
    let mut next = 0;
    let mut cell = |&last: &usize| {
        let first = if fill == Fill::Mean { next } else { last };
        next = last + 1;
        (first..=last).any(|i| rows.is_approx(i))
    };
    last.iter().map(&mut cell).collect()
}

/// Notes how many trajectories mix embedding models; `option` is the one that selects a model.
pub fn note_mixed(watch: &dyn Watch, align: Align, option: &str, mixed: u64) {
    let entities = if mixed == 1 { "1 entity spans" } else { &format!("{mixed} entities span") };
    match align {
        _ if mixed == 0 => {}
        Align::Off => watch.note(
            Level::Warning,
            &format!("{entities} several embedding models, whose distances mean nothing: taken for one space"),
        ),
        Align::Error => watch.note(
            Level::Note,
            &format!(
                "{entities} several embedding models and cannot be analysed (status model_break); ‹{option} NAME› selects one of them"
            ),
        ),
    }
}
