//! What a model is trained on: trajectories as paths in the space of the principal components,
//! and batches of pairs (start, later point).

use super::holdout::{Role, Split};
use super::model::Space;
use crate::analytics::rng::Random;
use crate::model::{Trajectory, seconds_between};
use std::ops::Range;

/// Tries to find a pair of the length asked for.
const TRIES: usize = 8;

/// Pairs for one step of training: row by row a start, a context and what was seen later.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// States at the start, rows x k.
    pub start: Vec<f32>,
    /// Contexts, rows x context.
    pub context: Vec<f32>,
    /// States seen, rows x k.
    pub target: Vec<f32>,
    /// Time from start to target, in the model's unit.
    pub time: Vec<f32>,
    /// One over the squared distance that the entity diffuses in that time.
    pub inverse_reach_squared: Vec<f32>,
    /// Steps of the solver from start to target.
    pub substeps: usize,
}

impl Batch {
    /// Number of pairs.
    pub fn rows(&self) -> usize {
        self.time.len()
    }
}

/// One trajectory in the space of the components.
struct Path {
    /// In the model's unit, from the first point.
    time: Vec<f64>,
    /// n x k.
    state: Vec<f32>,
    /// n x context: what is known at each point.
    context: Vec<f32>,
    /// Squared distance per unit of time.
    diffusion: f64,
}

/// The paths, and which stretches of them have which role.
pub struct Paths {
    k: usize,
    context: usize,
    paths: Vec<Path>,
    stretches: Vec<(Role, usize, Range<usize>)>,
}

impl Paths {
    /// Projects the trajectories. Those that stand still, or mix embedding models, are left out.
    pub fn new(sample: &[Trajectory], space: &Space, split: &Split) -> Paths {
        let mut out =
            Paths { k: space.len(), context: space.context_len(), paths: Vec::new(), stretches: Vec::new() };
        for tr in sample.iter().filter(|tr| tr.len() > 1 && !tr.mixes_models()) {
            let path = Path::new(tr, space);
            if path.diffusion > 0.0 {
                let roles: Vec<Role> = tr.t.iter().map(|&t| split.role(tr.entity, t)).collect();
                let mut from = 0;
                for run in roles.chunk_by(|a, b| a == b).filter(|r| !r.is_empty()) {
                    if run.len() > 1 {
                        out.stretches.push((run[0], out.paths.len(), from..from + run.len()));
                    }
                    from += run.len();
                }
                out.paths.push(path);
            }
        }
        out
    }

    /// Points that can start a pair of a role.
    pub fn starts(&self, role: Role) -> usize {
        self.of(role).map(|(_, r)| r.len() - 1).sum()
    }

    fn of(&self, role: Role) -> impl Iterator<Item = (usize, &Range<usize>)> {
        self.stretches.iter().filter(move |s| s.0 == role).map(|(_, path, range)| (*path, range))
    }

    /// At most `rows` pairs of a role about `2^octave` units apart. Every stretch is drawn equally
    /// often, so that long trajectories do not outweigh the others; a stretch that is too short
    /// gives its ends.
    pub fn batch(&self, role: Role, octave: i32, rows: usize, random: &mut Random) -> Batch {
        let stretches: Vec<_> = self.of(role).collect();
        let mut batch = Batch::default();
        let longest = f64::from(octave + 1).exp2();
        if !stretches.is_empty() {
            for _ in 0..rows {
                let draw = |random: &mut Random| {
                    let (path, range) = stretches[random.below(stretches.len())];
                    self.pair(path, range, octave, random)
                };
                let found = (0..TRIES).map(|_| draw(random)).find(|p| p.span <= longest);
                if let Some(pair) = found {
                    self.push(&mut batch, &pair);
                }
            }
        }
        let span = batch.time.iter().fold(0.0f32, |a, &b| a.max(b));
        batch.substeps = (span.ceil() as usize).max(2);
        batch
    }

    fn pair(&self, path: usize, range: &Range<usize>, octave: i32, random: &mut Random) -> Pair {
        let time = &self.paths[path].time[..range.end];
        let from = range.start + random.below(range.len() - 1);
        let wanted = time[from] + (f64::from(octave) + random.unit() - 0.5).exp2();
        let after = time.partition_point(|&t| t < wanted).clamp(from + 1, range.end - 1);
        let nearer = after - 1 > from && wanted - time[after - 1] < time[after] - wanted;
        let to = after - usize::from(nearer);
        Pair { path, from, to, span: time[to] - time[from] }
    }

    fn push(&self, batch: &mut Batch, pair: &Pair) {
        let path = &self.paths[pair.path];
        let state = |i: usize| &path.state[i * self.k..(i + 1) * self.k];
        batch.start.extend_from_slice(state(pair.from));
        batch
            .context
            .extend_from_slice(&path.context[pair.from * self.context..(pair.from + 1) * self.context]);
        batch.target.extend_from_slice(state(pair.to));
        batch.time.push(pair.span as f32);
        batch.inverse_reach_squared.push((1.0 / (path.diffusion * pair.span)) as f32);
    }
}

/// Two points of a path and the time between them.
struct Pair {
    path: usize,
    from: usize,
    to: usize,
    span: f64,
}

impl Path {
    fn new(tr: &Trajectory, space: &Space) -> Path {
        let n = tr.len();
        let time: Vec<f64> = tr.t.iter().map(|&t| seconds_between(tr.t[0], t) / space.unit_s).collect();
        let states: Vec<Vec<f64>> = (0..n).map(|i| space.project(tr.row(i))).collect();
        let mut context = Vec::new();
        if space.context_len() > 0 {
            let mut sum = vec![0.0; space.len()];
            for (i, state) in states.iter().enumerate() {
                sum.iter_mut().zip(state).for_each(|(s, v)| *s += v);
                context.extend(sum.iter().map(|s| (s / (i + 1) as f64) as f32));
            }
        }
        let squares: f64 = states.windows(2).map(|w| space.squared_distance(&w[0], &w[1])).sum();
        Path {
            state: states.iter().flatten().map(|&v| v as f32).collect(),
            context,
            diffusion: squares / time[n - 1],
            time,
        }
    }
}
