//! A trained neural ODE: the space it lives in, its field, and what is known about it.
//!
//! Predicts in every build; only training needs burn.

use super::field::{Field, Scratch, Shape};
use super::holdout::{Role, Split};
use super::pca::Pca;
use crate::analytics::Status;
use crate::analytics::predict::ode::{Control, solve};
use crate::analytics::predict::{Forecast, Method};
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::model::{EntityId, MAX_DIM, TimestampUs, Trajectory};

/// Version of the encoding.
const VERSION: u32 = 1;
/// Most components and widest layer that are read.
const MAX_WIDTH: usize = 4096;

/// Standardised principal components, and the unit of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// Mean, length D.
    mean: Vec<f32>,
    /// Directions, k x D.
    components: Vec<f32>,
    /// Standard deviation along each direction, length k, positive.
    scale: Vec<f64>,
    /// Share of the variance that the components hold.
    pub explained: f64,
    /// Unit of time in seconds: the median step of the training set.
    pub unit_s: f64,
    /// Whether the field also sees the mean of the history.
    context: bool,
}

impl Space {
    /// From components that hold something.
    pub fn new(pca: &Pca, unit_s: f64, context: bool) -> Space {
        let held: f64 = pca.variances.iter().sum();
        Space {
            mean: pca.mean.iter().map(|&v| v as f32).collect(),
            components: pca.components.iter().map(|&v| v as f32).collect(),
            scale: pca.variances.iter().map(|v| v.sqrt()).collect(),
            explained: if pca.total_variance > 0.0 { held / pca.total_variance } else { 0.0 },
            unit_s,
            context,
        }
    }

    /// Number of components k.
    pub fn len(&self) -> usize {
        self.scale.len()
    }

    /// True without components.
    pub fn is_empty(&self) -> bool {
        self.scale.is_empty()
    }

    /// Dimension D of the vectors.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Numbers of context that the field sees.
    pub fn context_len(&self) -> usize {
        if self.context { self.len() } else { 0 }
    }

    /// What a unit of each component counts in the squared distance.
    pub fn weights(&self) -> Vec<f32> {
        self.scale.iter().map(|s| (s * s) as f32).collect()
    }

    /// Standardised coordinates of a vector, length k.
    pub fn project(&self, x: &[f32]) -> Vec<f64> {
        let centred: Vec<f64> =
            x.iter().zip(&self.mean).map(|(&x, &m)| f64::from(x) - f64::from(m)).collect();
        let along = |c: &[f32]| crate::analytics::geometry::sum_pairs(c, &centred, |a, b| a * b);
        self.components.chunks_exact(self.dim()).zip(&self.scale).map(|(c, s)| along(c) / s).collect()
    }

    /// Squared distance of two states, in the units of the vectors.
    pub fn squared_distance(&self, a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).zip(&self.scale).map(|((a, b), s)| ((a - b) * s).powi(2)).sum()
    }

    /// Adds the vector of a change of state to `x`.
    fn add(&self, change: impl Iterator<Item = f64>, x: &mut [f64]) {
        for ((c, s), d) in self.components.chunks_exact(self.dim()).zip(&self.scale).zip(change) {
            let step = s * d;
            x.iter_mut().zip(c).for_each(|(x, &c)| *x += step * f64::from(c));
        }
    }
}

/// Median scores (error over `s sqrt(h)`) of one baseline and of the model in the same held-out
/// cases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOut {
    /// The baseline.
    pub method: Method,
    /// Cases in which both answered.
    pub n: u32,
    /// The baseline's median score.
    pub baseline: f64,
    /// The model's median score.
    pub model: f64,
}

/// What the model was trained on, and how it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// Commit of the dataset.
    pub commit: u64,
    /// Entities and points given to training, held-out ones included.
    pub entities: u64,
    /// See `entities`.
    pub points: u64,
    /// Earliest point.
    pub t_first: TimestampUs,
    /// Latest point.
    pub t_last: TimestampUs,
    /// Seed of all draws.
    pub seed: u64,
    /// Who was held out.
    pub split: Split,
    /// Epochs run.
    pub epochs: u32,
    /// The one whose weights these are.
    pub best_epoch: u32,
    /// Loss of validation at that epoch.
    pub validation_loss: f64,
    /// Against `last`, `trend` and `ou` on test entities (or times).
    pub held_out: Vec<HeldOut>,
}

/// A trained model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) space: Space,
    pub(super) shape: Shape,
    pub(super) parameters: Vec<f32>,
    field: Field,
    /// Where it comes from.
    pub training: Training,
}

impl Model {
    /// `None` when the number of parameters is not that of the shape.
    pub(super) fn new(space: Space, shape: Shape, parameters: Vec<f32>, training: Training) -> Option<Model> {
        let field = Field::new(shape.clone(), &parameters)?;
        Some(Model { space, shape, parameters, field, training })
    }

    /// Dimension of the vectors that it predicts.
    pub fn dim(&self) -> usize {
        self.space.dim()
    }

    /// The space of its state.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The sizes of its field.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// It beats `last`, `trend` and `ou`, each in the held-out cases that both answered. Without
    /// such cases for `last` nothing is known, and it does not count as useful.
    pub fn useful(&self) -> bool {
        let cases = &self.training.held_out;
        cases.iter().any(|h| h.method == Method::Last) && cases.iter().all(|h| h.model < h.baseline)
    }

    /// True when a forecast of this entity from a point at `t` says nothing about the model's
    /// quality, because it was trained there.
    pub fn knows(&self, entity: EntityId, t: TimestampUs) -> bool {
        self.training.split.role(entity, t) != Role::Test
    }

    /// Carries the last point of a history of the model's dimension along the field; what the
    /// components do not hold stays as it was. Horizons in seconds, in any order. Status
    /// `not_converged` without vectors when the integration fails.
    pub fn forecast(&self, history: &Trajectory, horizons_s: &[f64]) -> Forecast {
        let dim = self.dim();
        let last = history.row(history.len() - 1);
        let start = self.space.project(last);
        let context = if self.space.context { self.mean_state(history) } else { Vec::new() };
        let mut order: Vec<usize> = (0..horizons_s.len()).collect();
        order.sort_by(|&a, &b| horizons_s[a].total_cmp(&horizons_s[b]));
        let times: Vec<f64> = order.iter().map(|&i| horizons_s[i] / self.space.unit_s).collect();
        let mut scratch = Scratch::default();
        let field = |_: f64, z: &[f64], dz: &mut [f64]| self.field.eval(z, &context, dz, &mut scratch);
        let Ok(solution) = solve(field, 0.0, &start, &times, &Control::default()) else {
            return Forecast::none(Status::NotConverged, dim);
        };
        let mut vectors = vec![0.0; horizons_s.len() * dim];
        for (state, &i) in solution.y.chunks_exact(start.len()).zip(&order) {
            let out = &mut vectors[i * dim..(i + 1) * dim];
            out.iter_mut().zip(last).for_each(|(o, &x)| *o = f64::from(x));
            self.space.add(state.iter().zip(&start).map(|(z, z0)| z - z0), out);
        }
        Forecast { status: Status::Ok, vectors, dim }
    }

    fn mean_state(&self, history: &Trajectory) -> Vec<f64> {
        let mut mean = vec![0.0; self.dim()];
        for i in 0..history.len() {
            mean.iter_mut().zip(history.row(i)).for_each(|(m, &x)| *m += f64::from(x));
        }
        let n = history.len() as f64;
        self.space.project(&mean.iter().map(|m| (m / n) as f32).collect::<Vec<f32>>())
    }

    /// Little-endian bytes, see [`Model::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        e.u32(VERSION);
        self.space.encode(&mut e);
        e.u32(self.shape.hidden.len() as u32);
        self.shape.hidden.iter().for_each(|&h| _ = e.u32(h as u32));
        floats(&mut e, &self.parameters);
        self.training.encode(&mut e);
        e.bytes
    }

    /// Reads what [`Model::encode`] wrote; refuses sizes that do not fit together and numbers
    /// that are not finite.
    pub fn decode(bytes: &[u8]) -> Result<Model, Malformed> {
        let mut d = Decoder::new(bytes);
        if d.u32()? != VERSION {
            return d.malformed("another version of the model");
        }
        let space = Space::decode(&mut d)?;
        let hidden = (0..d.count(4)?).map(|_| Ok(d.u32()? as usize)).collect::<Result<Vec<_>, _>>()?;
        if hidden.is_empty() || hidden.iter().any(|h| !(1..=MAX_WIDTH).contains(h)) {
            return d.malformed("hidden layers of impossible width");
        }
        let shape = Shape { state: space.len(), context: space.context_len(), hidden };
        let parameters = read_floats(&mut d)?;
        let training = Training::decode(&mut d)?;
        d.end()?;
        match Model::new(space, shape, parameters, training) {
            Some(model) => Ok(model),
            None => d.malformed("a number of weights that does not fit the layers"),
        }
    }
}

impl Space {
    pub(super) fn encode(&self, e: &mut Encoder) {
        floats(e, &self.mean);
        e.u32(self.scale.len() as u32);
        self.scale.iter().for_each(|&s| _ = e.f64(s));
        floats(e, &self.components);
        e.f64(self.explained).f64(self.unit_s).u8(u8::from(self.context));
    }

    pub(super) fn decode(d: &mut Decoder) -> Result<Space, Malformed> {
        let mean = read_floats(d)?;
        let scale = (0..d.count(8)?).map(|_| d.f64()).collect::<Result<Vec<_>, _>>()?;
        let components = read_floats(d)?;
        let (explained, unit_s) = (d.f64()?, d.f64()?);
        let context = d.u8()? != 0;
        let positive = |v: &f64| v.is_finite() && *v > 0.0;
        let sizes = (1..=MAX_DIM).contains(&mean.len())
            && !scale.is_empty()
            && components.len() == mean.len() * scale.len();
        if !sizes || !scale.iter().all(positive) || !positive(&unit_s) {
            return d.malformed("components whose sizes or scales do not fit");
        }
        Ok(Space { mean, components, scale, explained, unit_s, context })
    }
}

impl Training {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.u64(self.commit)
            .u64(self.entities)
            .u64(self.points)
            .i64(self.t_first)
            .i64(self.t_last)
            .u64(self.seed);
        match self.split {
            Split::Entities { seed, share } => e.u8(0).u64(seed).f64(share),
            Split::Time { validate_from, test_from } => e.u8(1).i64(validate_from).i64(test_from),
        };
        e.u32(self.epochs).u32(self.best_epoch).f64(self.validation_loss).u32(self.held_out.len() as u32);
        for h in &self.held_out {
            e.text(h.method.as_str()).u32(h.n).f64(h.baseline).f64(h.model);
        }
    }

    pub(super) fn decode(d: &mut Decoder) -> Result<Training, Malformed> {
        let (commit, entities, points) = (d.u64()?, d.u64()?, d.u64()?);
        let (t_first, t_last, seed) = (d.i64()?, d.i64()?, d.u64()?);
        let split = match d.u8()? {
            0 => Split::Entities { seed: d.u64()?, share: d.f64()? },
            1 => Split::Time { validate_from: d.i64()?, test_from: d.i64()? },
            _ => return d.malformed("an unknown way to hold out"),
        };
        let (epochs, best_epoch, validation_loss) = (d.u32()?, d.u32()?, d.f64()?);
        let held_out = (0..d.count(24)?).map(|_| HeldOut::decode(d)).collect::<Result<_, _>>()?;
        Ok(Training {
            commit,
            entities,
            points,
            t_first,
            t_last,
            seed,
            split,
            epochs,
            best_epoch,
            validation_loss,
            held_out,
        })
    }
}

impl HeldOut {
    fn decode(d: &mut Decoder) -> Result<HeldOut, Malformed> {
        match Method::from_name(d.text()?) {
            Some(method) => Ok(HeldOut { method, n: d.u32()?, baseline: d.f64()?, model: d.f64()? }),
            None => d.malformed("an unknown method"),
        }
    }
}

/// A u32 count and that many f32.
pub(super) fn floats(e: &mut Encoder, values: &[f32]) {
    e.u32(values.len() as u32);
    values.iter().for_each(|v| _ = e.u32(v.to_bits()));
}

/// Reads what [`floats`] wrote; all must be finite.
pub(super) fn read_floats(d: &mut Decoder) -> Result<Vec<f32>, Malformed> {
    let values = (0..d.count(4)?).map(|_| Ok(f32::from_bits(d.u32()?))).collect::<Result<Vec<f32>, _>>()?;
    if values.iter().all(|v| v.is_finite()) { Ok(values) } else { d.malformed("weights that are not finite") }
}

#[cfg(test)]
pub(in crate::analytics::predict) mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    /// A field that turns the first two of three dimensions at one radian a second: hidden units
    /// so far inside tanh's linear part that `f(z) = (-z2, z1)` up to 1e-6.
    pub(in crate::analytics::predict) fn turning(held_out: Vec<HeldOut>) -> Model {
        let space = Space {
            mean: vec![0.0, 0.0, 1.0],
            components: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            scale: vec![1.0, 2.0],
            explained: 0.9,
            unit_s: 1.0,
            context: false,
        };
        let shape = Shape { state: 2, context: 0, hidden: vec![2] };
        let (e, up) = (1.0 / 1024.0, 1024.0);
        // Standardised by 1 and 2: dz1 = -2 z2, dz2 = z1 / 2.
        let parameters = vec![e, 0.0, 0.0, e, 0.0, 0.0, 0.0, 0.5 * up, -2.0 * up, 0.0, 0.0, 0.0];
        let training = Training {
            commit: 7,
            entities: 3,
            points: 30,
            t_first: -5,
            t_last: 99,
            seed: 1,
            split: Split::Time { validate_from: 50, test_from: 80 },
            epochs: 9,
            best_epoch: 4,
            validation_loss: 0.25,
            held_out,
        };
        Model::new(space, shape, parameters, training).unwrap()
    }

    fn against(method: Method, model: f64) -> HeldOut {
        HeldOut { method, n: 10, baseline: 1.0, model }
    }

    fn history() -> Trajectory<'static> {
        Trajectory { entity: 1, t: &[0, 90], x: &[9.0, 9.0, 9.0, 1.0, 0.0, 5.0], dim: 3, model: &[] }
    }

    #[test]
    fn carries_the_last_point_along_the_field_and_keeps_the_rest() {
        let f = turning(vec![]).forecast(&history(), &[2.0 * FRAC_PI_2, 0.0, FRAC_PI_2]);
        for (k, expected) in [[-1.0, 0.0, 5.0], [1.0, 0.0, 5.0], [0.0, 1.0, 5.0]].iter().enumerate() {
            for (a, b) in f.at(k).unwrap().iter().zip(expected) {
                assert!((a - b).abs() < 1e-3, "{k}: {:?}", f.at(k));
            }
        }
    }

    #[test]
    fn useful_means_better_than_every_rival() {
        let rivals = |last, trend| vec![against(Method::Last, last), against(Method::Trend, trend)];
        assert!(turning(rivals(0.9, 0.8)).useful());
        assert!(!turning(rivals(0.9, 1.0)).useful());
        assert!(!turning(vec![against(Method::Ou, 0.1)]).useful());
        assert!(!turning(vec![]).useful());
    }

    #[test]
    fn known_are_the_times_it_was_trained_or_stopped_on() {
        let m = turning(vec![]);
        assert_eq!([10, 79, 80, 99].map(|t| m.knows(1, t)), [true, true, false, false]);
        let split = Split::Entities { seed: 3, share: 0.2 };
        let count = |role| (0..1000).filter(|&e| split.role(e, 0) == role).count();
        assert!((150..250).contains(&count(Role::Test)) && (150..250).contains(&count(Role::Validate)));
    }

    #[test]
    fn encoding_is_lossless_and_wrong_bytes_are_refused() {
        let model = turning(vec![against(Method::Last, 0.5)]);
        let bytes = model.encode();
        assert_eq!(Model::decode(&bytes).unwrap(), model);
        for n in 0..bytes.len() {
            assert!(Model::decode(&bytes[..n]).is_err(), "{n}");
        }
        // Every byte changed in turn: another model or an error, never a panic.
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 0xff;
            assert!(Model::decode(&bad).map_or(true, |m| m.dim() == 3), "{i}");
        }
        assert!(Model::decode(&[bytes, vec![0]].concat()).is_err());
    }
}
