//! The executor of all analytics: trajectories in parallel, results in entity order.
//!
//! Trajectories go out in small jobs and their results come back through a window of bounded
//! size, so that the output is the same for any number of threads, a long trajectory does not
//! hold up the cores, and memory does not grow with the dataset.

use crate::analytics::scales::{Fill, Grid, resample};
use crate::dataset::Rows;
use crate::error::{Error, Result};
use crate::model::Trajectory;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

/// Values of vectors in a job, about: 256 KiB.
const JOB_VALUES: usize = 1 << 16;
/// Trajectories of a job at most.
const JOB_ENTITIES: usize = 256;
/// Values of vectors under way at once, about: 32 MiB. One longer trajectory goes alone.
const WINDOW_VALUES: usize = 8 << 20;

/// In which order results leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// That of the entities.
    #[default]
    Entity,
    /// As they are ready, which needs less waiting.
    Any,
}

/// Trajectories that travel together.
struct Job<'a> {
    number: u64,
    values: usize,
    rows: Vec<Rows<'a>>,
}

/// What came of a job.
struct Done<T> {
    number: u64,
    values: usize,
    results: Vec<Result<T>>,
}

/// Runs `work` on each trajectory and hands its results to `emit`. `dim` is the vectors' length.
///
/// `work` runs on the rayon pool and may use its buffer for vectors; `emit` runs on the calling
/// thread, and its error ends the run, as does the first error of `work` in the order of emission.
pub fn for_each<'a, T: Send>(
    trajectories: impl Iterator<Item = Rows<'a>>,
    dim: usize,
    order: Order,
    work: impl Fn(&Rows<'a>, &mut Vec<f32>) -> Result<T> + Sync,
    mut emit: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut jobs = Jobs { trajectories, dim, next: 0 };
    let stop = AtomicBool::new(false);
    let (work, stopped) = (&work, &stop);
    rayon::in_place_scope_fifo(|scope| {
        let (sender, receiver) = channel();
        let mut window = Window::new(order);
        let mut waiting = jobs.next();
        loop {
            while let Some(job) = waiting.take() {
                if window.values > 0 && window.values + job.values > WINDOW_VALUES {
                    waiting = Some(job);
                    break;
                }
                window.values += job.values;
                window.under_way += 1;
                let sender = sender.clone();
                scope.spawn_fifo(move |_| job.answer(&sender, work, stopped));
                waiting = jobs.next();
            }
            if window.under_way == 0 && window.ready.is_empty() {
                return Ok(());
            }
            window.take(receive(&receiver)?);
            let emitted = window.emit(&mut emit);
            if emitted.is_err() {
                stop.store(true, Ordering::Relaxed);
                return emitted;
            }
        }
    })
}

/// Waits for a result. A thread of the pool works meanwhile: it may be the only one.
fn receive<T>(receiver: &Receiver<Done<T>>) -> Result<Done<T>> {
    let gone = || Error::internal("a worker ended without a result");
    if rayon::current_thread_index().is_none() {
        return receiver.recv().map_err(|_| gone());
    }
    loop {
        match receiver.try_recv() {
            Ok(done) => return Ok(done),
            Err(TryRecvError::Disconnected) => return Err(gone()),
            Err(TryRecvError::Empty) => match rayon::yield_now() {
                Some(rayon::Yield::Executed) => {}
                _ => std::thread::yield_now(),
            },
        }
    }
}

/// Gathers trajectories into jobs.
struct Jobs<I> {
    trajectories: I,
    dim: usize,
    next: u64,
}

impl<'a, I: Iterator<Item = Rows<'a>>> Jobs<I> {
    fn next(&mut self) -> Option<Job<'a>> {
        let mut job = Job { number: self.next, values: 0, rows: Vec::new() };
        while job.values < JOB_VALUES
            && job.rows.len() < JOB_ENTITIES
            && let Some(rows) = self.trajectories.next()
        {
            job.values += rows.len() * self.dim;
            job.rows.push(rows);
        }
        self.next += 1;
        (!job.rows.is_empty()).then_some(job)
    }
}

impl<'a> Job<'a> {
    /// Sends what came of it. After a panic that is an error, so that nobody waits for more; the
    /// scope hands the panic on.
    fn answer<T>(
        self,
        to: &Sender<Done<T>>,
        work: impl Fn(&Rows<'a>, &mut Vec<f32>) -> Result<T>,
        stopped: &AtomicBool,
    ) {
        let (number, values) = (self.number, self.values);
        let ran = catch_unwind(AssertUnwindSafe(|| self.run(work, stopped)));
        let failed = || Done { number, values, results: vec![Err(Error::internal("an analytic failed"))] };
        let (done, panic) = match ran {
            Ok(done) => (done, None),
            Err(panic) => (failed(), Some(panic)),
        };
        // Nobody listens once the run has failed.
        let _ = to.send(done);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    fn run<T>(self, work: impl Fn(&Rows<'a>, &mut Vec<f32>) -> Result<T>, stopped: &AtomicBool) -> Done<T> {
        let mut buffer = Vec::new();
        let wanted = self.rows.iter().take_while(|_| !stopped.load(Ordering::Relaxed));
        let results = wanted.map(|rows| work(rows, &mut buffer)).collect();
        Done { number: self.number, values: self.values, results }
    }
}

/// Jobs between being sent out and being emitted.
struct Window<T> {
    order: Order,
    next: u64,
    ready: BTreeMap<u64, Done<T>>,
    under_way: usize,
    values: usize,
}

impl<T> Window<T> {
    fn new(order: Order) -> Self {
        Window { order, next: 0, ready: BTreeMap::new(), under_way: 0, values: 0 }
    }

    fn take(&mut self, done: Done<T>) {
        self.under_way -= 1;
        self.ready.insert(done.number, done);
    }

    /// Emits what may leave.
    fn emit(&mut self, emit: &mut impl FnMut(T) -> Result<()>) -> Result<()> {
        loop {
            let done = match self.order {
                Order::Entity => self.ready.remove(&self.next),
                Order::Any => self.ready.pop_first().map(|(_, done)| done),
            };
            let Some(done) = done else { return Ok(()) };
            self.next += 1;
            self.values -= done.values;
            done.results.into_iter().try_for_each(|r| emit(r?))?;
        }
    }
}

/// A trajectory on a grid of time, `None` for the points as they are.
pub type Scale = Option<Grid>;

/// Runs `work` on a trajectory once for each scale, with a value for each cell as `fill` says, and with
/// the point that each value is, or the last of those it is made of, where these are not all points.
pub fn on_scales<T>(
    trajectory: &Trajectory<'_>,
    scales: &[Scale],
    fill: Fill,
    mut work: impl FnMut(&Trajectory<'_>, usize, Option<&[usize]>) -> T,
) -> Vec<T> {
    let one = |(i, scale): (usize, &Scale)| match scale {
        None => work(trajectory, i, None),
        Some(grid) => {
            let on_grid = resample(trajectory, *grid, fill);
            let source = Some(on_grid.source.as_slice());
            work(&on_grid.as_trajectory(trajectory.entity, trajectory.dim), i, source)
        }
    };
    scales.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lengths: &[usize]) -> Vec<Rows<'static>> {
        let rows = |(e, n): (usize, &usize)| Rows {
            entity: e as u64,
            t: (0..*n as i64).collect(),
            places: Vec::new(),
        };
        lengths.iter().enumerate().map(rows).collect()
    }

    /// Entities in the order of emission.
    fn run(lengths: &[usize], dim: usize, order: Order) -> Vec<u64> {
        let mut out = Vec::new();
        let slow_start = |rows: &Rows<'_>, _: &mut Vec<f32>| {
            if rows.entity == 0 {
                std::thread::sleep(std::time::Duration::from_millis(30));
            }
            Ok(rows.entity)
        };
        for_each(given(lengths).into_iter(), dim, order, slow_start, |e| {
            out.push(e);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn order_holds_for_any_number_of_threads() {
        // Jobs of many, of one, and one longer than the window.
        let mut lengths = vec![1; 3 * JOB_ENTITIES];
        lengths[5] = WINDOW_VALUES;
        lengths[700] = JOB_VALUES;
        let all: Vec<u64> = (0..lengths.len() as u64).collect();
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            // Inside the pool a waiting caller takes part in the work.
            assert_eq!(pool.install(|| run(&lengths, 2, Order::Entity)), all);
            let mut any = pool.install(|| run(&lengths, 2, Order::Any));
            any.sort_unstable();
            assert_eq!(any, all);
        }
        assert_eq!(run(&lengths, 2, Order::Entity), all);
        assert!(run(&[], 2, Order::Entity).is_empty());
    }

    #[test]
    fn errors_end_the_run() {
        let failing = |rows: &Rows<'_>, _: &mut Vec<f32>| match rows.entity {
            3 => Err(Error::usage("three")),
            e => Ok(e),
        };
        let mut seen = Vec::new();
        let e = for_each(given(&[1; 9]).into_iter(), 1, Order::Entity, failing, |e| {
            seen.push(e);
            Ok(())
        });
        assert_eq!(e.unwrap_err().message(), "three");
        assert_eq!(seen, [0, 1, 2]);
        let full = |_: u64| Err(Error::usage("full"));
        let e = for_each(given(&[JOB_VALUES; 9]).into_iter(), 1, Order::Any, |r, _| Ok(r.entity), full);
        assert_eq!(e.unwrap_err().message(), "full");
    }

    #[test]
    #[should_panic(expected = "broken")]
    fn a_panic_ends_the_run() {
        let broken = |_: &Rows<'_>, _: &mut Vec<f32>| -> Result<()> { panic!("broken") };
        let _ = for_each(given(&[1; 3]).into_iter(), 1, Order::Entity, broken, Ok);
    }

    #[test]
    fn scales_resample() {
        let (t, x) = ([0, 1, 12], [1.0, 2.0, 3.0]);
        let trajectory = Trajectory { entity: 4, t: &t, x: &x, dim: 1, model: &[] };
        let scales = [None, Some(Grid::Micros(10))];
        let found = on_scales(&trajectory, &scales, Fill::Last, |t, i, source| {
            (i, t.x[0], source.map(<[_]>::to_vec))
        });
        assert_eq!(found, [(0, 1.0, None), (1, 2.0, Some(vec![1, 2]))]);
    }
}
