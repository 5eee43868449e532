//! How every analytic runs over the selected trajectories, and what its rows pass on their way
//! out: `--ok-only`, `--fail-on`, progress, signals, notes.

use crate::context::Context;
use crate::cuts::{Aligns, BatchArgs, GateArgs};
use crate::progress::Progress;
use crate::select::Selection;
use crate::signals;
use cvx::analytics::Status;
use cvx::analytics::scales::Fill;
use cvx::batch::{self, Order};
use cvx::dataset::{Rows, Snapshot, Trajectories};
use cvx::error::{Code, Error, Result};
use cvx::filter::Tally;
use cvx::model::Trajectory;
use cvx::output::{Cell, Output, Row};
use cvx::suggest;
use cvx::time::{TimeFormat, format_time};
use serde_json::Value;
use std::ops::Range;

/// The trajectory that is at hand.
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
    /// Settings of the run.
    pub context: &'a Context,
    /// What is read.
    pub snapshot: &'a Snapshot,
    /// Which trajectories.
    pub selection: &'a Selection,
    /// The options that all analytics share.
    pub args: &'a BatchArgs,
    /// What a value of a trajectory takes of memory while it is analysed, copies and sums included.
    pub bytes_a_value: usize,
}

/// What is counted on the way.
#[derive(Default)]
struct Seen {
    entities: u64,
    points: u64,
}

impl Job<'_> {
    /// Runs `work` on every trajectory and scale, and hands what it says of an entity, scale by
    /// scale, to `emit`; then says how many trajectories mix embedding models.
    pub fn for_each<T: Send>(
        &self,
        work: impl Fn(&Trajectory<'_>, &Subject) -> T + Sync,
        emit: impl FnMut(Vec<T>) -> Result<()>,
    ) -> Result<()> {
        let mixed = self.on_scales(work, emit)?;
        tell_mixed(self.context, self.args.cuts.align, "--model", mixed);
        Ok(())
    }

    /// As [`Job::for_each`], for commands that count in their rows what could not be computed: only
    /// models that are taken for one space are told.
    pub fn for_each_counted<T: Send>(
        &self,
        work: impl Fn(&Trajectory<'_>, &Subject) -> T + Sync,
        emit: impl FnMut(Vec<T>) -> Result<()>,
    ) -> Result<()> {
        let mixed = self.on_scales(work, emit)?;
        if self.args.cuts.align == Aligns::Off {
            tell_mixed(self.context, Aligns::Off, "--model", mixed);
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
        let scales = self.args.scales();
        // The system is slow to say how much memory there is: once is enough.
        let room = self.context.memory();
        let fill = self.args.fill();
        let one = |rows: &Rows<'_>, x: &mut Vec<f32>| {
            self.check_memory(rows, rows.len(), dim, room)?;
            rows.read(0..rows.len(), x)?;
            let models = rows.models();
            let trajectory = rows.trajectory(x, &models, dim);
            let name = self.snapshot.entity_name(rows.entity)?;
            let mut subject = Subject { id: rows.entity, name, scale: 0, approx: Vec::new() };
            let any = rows.any_approx();
            let found = batch::on_scales(&trajectory, &scales, fill, |t, scale, source| {
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
        self.for_each_rows(self.args.order(), one, |(found, mixed)| {
            all_mixed += u64::from(mixed);
            emit(found)
        })?;
        Ok(all_mixed)
    }

    /// Runs `work` on the rows of every entity, whose vectors are not read yet.
    pub fn for_each_rows<T: Send>(
        &self,
        order: Order,
        work: impl Fn(&Rows<'_>, &mut Vec<f32>) -> Result<T> + Sync,
        mut emit: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        let mut seen = Seen::default();
        let mut progress = Progress::new(self.context);
        let selected = self.selection.select.resolve(self.snapshot)?;
        let dim = self.snapshot.settings().dim;
        let counted = |rows: &Rows<'_>, x: &mut Vec<f32>| Ok((work(rows, x)?, rows.len()));
        batch::for_each(Trajectories::new(selected), dim, order, counted, |(found, points)| {
            signals::check()?;
            seen.entities += 1;
            seen.points += points as u64;
            progress.analysed(seen.entities, seen.points);
            emit(found)
        })
    }

    /// Refuses a trajectory that the analytic cannot hold: everything else of a run is bounded.
    pub fn check_memory(&self, rows: &Rows<'_>, points: usize, dim: usize, room: usize) -> Result<()> {
        let need = points as u128 * dim as u128 * self.bytes_a_value as u128;
        if need <= room as u128 {
            return Ok(());
        }
        let entity = self.snapshot.entity_name(rows.entity)?.unwrap_or_else(|| rows.entity.to_string());
        Err(Error::new(
            Code::Failed,
            format!(
                "{points} points of one entity take about {need} bytes here, more than the {room} of --memory"
            ),
        )
        .entity(entity)
        .fix("give more --memory, or take fewer points: --from and --to, or --scale after export"))
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

/// Says how many trajectories mix embedding models; `option` selects one of these.
pub fn tell_mixed(context: &Context, align: Aligns, option: &str, mixed: u64) {
    let entities = if mixed == 1 { "1 entity spans" } else { &format!("{mixed} entities span") };
    match align {
        _ if mixed == 0 => {}
        Aligns::Off => context.warn(&format!(
            "{entities} several embedding models, whose distances mean nothing: taken for one space"
        )),
        Aligns::Error => context.note(&format!(
            "{entities} several embedding models and cannot be analysed (status model_break); {option} NAME selects one of them"
        )),
    }
}

/// Rows on their way out.
pub struct Sink<'a, R> {
    out: Output<R>,
    gate: Gate<'a>,
}

impl<'a, R: Row> Sink<'a, R> {
    /// Checks the condition's names before the work begins.
    pub fn new(out: Output<R>, args: &'a GateArgs) -> Result<Self> {
        Ok(Sink { out, gate: Gate::new::<R>(args)? })
    }

    /// As [`Sink::row`] for a row that is given by its cells.
    pub fn cells(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        if self.gate.admits::<R>(cells) { self.out.cells(cells) } else { Ok(()) }
    }

    /// True when the row is shown; counts it for `--fail-on` then.
    pub fn admits(&mut self, row: &R) -> bool {
        self.gate.admits::<R>(&row.cells())
    }

    /// Writes a row that was admitted.
    pub fn write(&mut self, row: &R) -> Result<()> {
        self.out.row(row)
    }

    /// Writes a row if it is to be shown.
    pub fn row(&mut self, row: &R) -> Result<()> {
        if self.admits(row) { self.write(row) } else { Ok(()) }
    }

    /// Ends the output, then says what `--fail-on` found.
    pub fn finish(self) -> Result<()> {
        self.out.finish()?;
        self.gate.verdict()
    }
}

/// `--ok-only` and `--fail-on`.
struct Gate<'a> {
    args: &'a GateArgs,
    tally: Tally,
    status: Option<usize>,
}

impl<'a> Gate<'a> {
    fn new<R: Row>(args: &'a GateArgs) -> Result<Self> {
        let named = |name: &str| R::COLUMNS.iter().any(|c| c.name == name);
        let mut unknown = None;
        if let Some(condition) = &args.fail_on {
            condition.expr().paths(&mut |path| {
                unknown = path.first().filter(|name| !named(name)).or(unknown);
            });
        }
        if let Some(name) = unknown {
            let names: Vec<&str> = R::COLUMNS.iter().map(|c| c.name).collect();
            let near = suggest::did_you_mean(name, names.iter().copied());
            let listed = format!("the fields are {}", names.join(", "));
            let hint = near.map_or(listed.clone(), |near| format!("{near}; {listed}"));
            return Err(Error::usage(format!("the rows have no field \"{name}\""))
                .what("option --fail-on")
                .fix(hint));
        }
        let status = R::COLUMNS.iter().position(|c| c.name == "status");
        Ok(Gate { args, tally: Tally::default(), status })
    }

    fn admits<R: Row>(&mut self, cells: &[Cell<'_>]) -> bool {
        let ok = self.status.is_none_or(|i| cells[i] == Cell::Text(Status::Ok.as_str()));
        let shown = ok || !self.args.ok_only;
        if let (true, Some(condition)) = (shown, &self.args.fail_on) {
            condition.add(&mut self.tally, &|path| field::<R>(cells, path));
        }
        shown
    }

    fn verdict(&self) -> Result<()> {
        match &self.args.fail_on {
            Some(condition) if condition.holds(&self.tally) => {
                let Tally { rows, hits } = self.tally;
                let rows = if rows == 1 { "1 row satisfies".into() } else { format!("{rows} rows satisfy") };
                Err(Error::new(Code::Finding, format!("--fail-on held: {hits} of {rows} the expression"))
                    .what("option --fail-on"))
            }
            _ => Ok(()),
        }
    }
}

/// The value at a path: a column, and inside JSON its members.
fn field<R: Row>(cells: &[Cell<'_>], path: &[String]) -> Option<Value> {
    let (name, inside) = path.split_first()?;
    let value = match cells[R::COLUMNS.iter().position(|c| c.name == name)?] {
        Cell::Null | Cell::Vector(_) => return None,
        Cell::Id(v) | Cell::U64(v) => Value::from(v),
        Cell::I64(v) => Value::from(v),
        Cell::F32(v) => Value::from(v),
        Cell::F64(v) => Value::from(v),
        Cell::Bool(v) => Value::from(v),
        Cell::Text(v) => Value::from(v),
        Cell::Time(v) => Value::from(format_time(v, TimeFormat::Rfc3339)),
        Cell::Json(v) | Cell::Meta(v) => serde_json::from_str(v).ok()?,
    };
    inside.iter().try_fold(value, |value, name| match value {
        Value::Object(mut members) => members.remove(name),
        Value::Array(mut items) => {
            let i = name.parse::<usize>().ok().filter(|i| *i < items.len())?;
            Some(items.swap_remove(i))
        }
        _ => None,
    })
}
