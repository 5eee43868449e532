//! Training: epochs of random batches, early stopping on held-out entities, checkpoints, and the
//! comparison with the baselines that decides whether the model is useful.
//!
//! All draws of an epoch come from a generator named by the seed and the epoch, so a run that is
//! resumed from a checkpoint ends with the same weights as one that was never cut off.

use super::adam::Adam;
use super::data::{Batch, Paths};
use super::engine::Engine;
use super::field::Shape;
use super::holdout::{Role, Split};
use super::model::{HeldOut, Model, Space, Training, floats, read_floats};
use super::pca::Pca;
use crate::analytics::predict::rolling::{class_of, evaluate, median, median_step_s};
use crate::analytics::predict::{Method, Settings};
use crate::analytics::rng::Random;
use crate::error::{Code, Error, Result};
use crate::format::codec::{Decoder, Encoder, Malformed};
use crate::model::Trajectory;
use std::ops::ControlFlow;
use xxhash_rust::xxh3::Xxh3;

/// Version of the checkpoint's encoding.
const VERSION: u32 = 1;
/// Points that the components are fitted on, at most.
const PCA_ROWS: usize = 4096;
/// Pairs per octave of horizon whose loss decides when to stop.
const VALIDATION_ROWS: usize = 256;
/// Batches of an epoch: enough to see every start once, within these bounds.
const EPOCH_BATCHES: std::ops::RangeInclusive<usize> = 8..=50;
/// Cases per horizon class in the comparison with the baselines.
const HELD_OUT_CASES: usize = 200;
/// Baselines that a useful model beats.
const RIVALS: [Method; 3] = [Method::Last, Method::Trend, Method::Ou];

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Principal components of the state.
    pub components: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Whether the field also sees the mean of the history.
    pub context: bool,
    /// Most epochs.
    pub epochs: u32,
    /// Epochs without a better validation loss after which training ends.
    pub patience: u32,
    /// Epochs between checkpoints.
    pub checkpoint_every: u32,
    /// Pairs in a batch.
    pub batch: usize,
    /// Horizons trained for: 1, 2, 4, … median steps, this many of them.
    pub octaves: u32,
    /// Rate of the first epoch; it falls to 0 along a cosine.
    pub learning_rate: f64,
    /// Share of the entities held out for stopping, and again for the comparison; in (0, 0.4].
    pub validation_share: f64,
    /// Of all draws.
    pub seed: u64,
    /// Commit of the dataset, for the record.
    pub commit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            components: 16,
            hidden: vec![64, 64],
            context: true,
            epochs: 200,
            patience: 20,
            checkpoint_every: 10,
            batch: 128,
            octaves: 5,
            learning_rate: 3e-3,
            validation_share: 0.2,
            seed: 1,
            commit: 0,
        }
    }
}

/// How an epoch went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: u32,
    /// Mean loss of its batches.
    pub train_loss: f64,
    /// Loss on what is held out for stopping; of the training pairs where nothing could be.
    pub validation_loss: f64,
    /// The epoch with the best validation loss so far.
    pub best_epoch: u32,
}

/// What the caller is told during training.
#[derive(Debug)]
pub enum Event<'a> {
    /// An epoch ended. Breaking here ends the training after a last checkpoint.
    Epoch(Epoch),
    /// Bytes from which [`train`] can go on.
    Checkpoint(&'a [u8]),
}

/// Trains on a sample of trajectories of one dimension; `resume` is an earlier checkpoint of the
/// same sample and options (`epochs`, `patience` and `checkpoint_every` may differ).
/// `None` when `watch` broke off.
///
/// Errors: `failed` in a build without the feature `neural`, or when there is nothing to learn
/// from; `usage` for impossible options or a checkpoint of something else; `damaged` for a
/// checkpoint that does not decode.
pub fn train(
    sample: &[Trajectory],
    options: &Options,
    resume: Option<&[u8]>,
    watch: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Option<Model>> {
    check(options)?;
    let split = Split::new(sample, options.seed, options.validation_share);
    let print = fingerprint(sample, options);
    let mut run = match resume {
        Some(bytes) => Run::resume(bytes, print)?,
        None => Run::start(sample, &split, options)?,
    };
    let paths = Paths::new(sample, &run.space, &split);
    if paths.starts(Role::Train) == 0 {
        return Err(nothing_to_learn());
    }
    let engine = Engine::new(&run.shape, &run.space.weights())?;
    let validation = validation_batches(&paths, options);
    while !run.finished(options) {
        let epoch = run.epoch(&engine, &paths, &validation, options);
        let go_on = watch(Event::Epoch(epoch));
        if go_on.is_break() || epoch.epoch % options.checkpoint_every.max(1) == 0 || run.finished(options) {
            let after = watch(Event::Checkpoint(&run.encode(print)));
            if go_on.is_break() || after.is_break() {
                return Ok(None);
            }
        }
    }
    run.finish(sample, split, options).map(Some)
}

fn nothing_to_learn() -> Error {
    Error::new(
        Code::Failed,
        "there is nothing to learn: no trajectory outside the held-out ones has two different points",
    )
    .fix("train on a selection with more points or entities")
}

fn check(o: &Options) -> Result<()> {
    let wrong = |what: &str| Err(Error::usage(format!("impossible training options: {what}")));
    match o {
        _ if o.components == 0 => wrong("no components"),
        _ if o.hidden.is_empty() || o.hidden.iter().any(|h| !(1..=4096).contains(h)) => {
            wrong("hidden layers must have 1 to 4096 units")
        }
        _ if !(o.validation_share > 0.0 && o.validation_share <= 0.4) => {
            wrong("the validation share must be in (0, 0.4]")
        }
        _ if o.batch == 0 || !(1..=16).contains(&o.octaves) => {
            wrong("a batch needs pairs, and 1 to 16 octaves")
        }
        _ if !(o.learning_rate > 0.0 && o.learning_rate.is_finite()) => {
            wrong("the learning rate must be positive")
        }
        _ => Ok(()),
    }
}

/// What a checkpoint belongs to: the points and the options that shape the run.
fn fingerprint(sample: &[Trajectory], o: &Options) -> u64 {
    let mut hash = Xxh3::new();
    for tr in sample {
        hash.update(&tr.entity.to_le_bytes());
        hash.update(bytemuck::cast_slice(tr.t));
        hash.update(bytemuck::cast_slice(tr.x));
    }
    let sizes =
        (o.components, &o.hidden, o.context, o.batch, o.octaves, o.learning_rate, o.validation_share, o.seed);
    hash.update(format!("{sizes:?}").as_bytes());
    hash.digest()
}

/// The state of a training run; all of it is in a checkpoint.
struct Run {
    space: Space,
    shape: Shape,
    parameters: Vec<f32>,
    adam: Adam,
    epochs: u32,
    best: Vec<f32>,
    best_epoch: u32,
    best_loss: f64,
}

impl Run {
    fn start(sample: &[Trajectory], split: &Split, options: &Options) -> Result<Run> {
        let unit_s = median_step_s(sample).ok_or_else(nothing_to_learn)?;
        let rows = training_rows(sample, split, options.seed);
        let pca = Pca::fit(&rows, sample[0].dim, options.components);
        if pca.is_empty() {
            return Err(nothing_to_learn());
        }
        let space = Space::new(&pca, unit_s, options.context);
        let shape =
            Shape { state: space.len(), context: space.context_len(), hidden: options.hidden.clone() };
        let parameters = initial_parameters(&shape, options.seed);
        Ok(Run {
            space,
            adam: Adam::new(parameters.len()),
            best: parameters.clone(),
            parameters,
            shape,
            epochs: 0,
            best_epoch: 0,
            best_loss: f64::INFINITY,
        })
    }

    fn finished(&self, options: &Options) -> bool {
        self.epochs >= options.epochs || self.epochs - self.best_epoch >= options.patience.max(1)
    }

    fn epoch(&mut self, engine: &Engine, paths: &Paths, validation: &[Batch], options: &Options) -> Epoch {
        let mut random = Random::new(options.seed, "node epoch", u64::from(self.epochs));
        let progress = f64::from(self.epochs) / f64::from(options.epochs);
        let rate = options.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        let batches =
            (paths.starts(Role::Train) / options.batch).clamp(*EPOCH_BATCHES.start(), *EPOCH_BATCHES.end());
        let mut losses = Vec::with_capacity(batches);
        for _ in 0..batches {
            let octave = random.below(options.octaves as usize) as i32;
            let batch = paths.batch(Role::Train, octave, options.batch, &mut random);
            if batch.rows() > 0 {
                let (loss, gradient) = engine.loss_and_gradient(&self.parameters, &batch);
                self.adam.step(&mut self.parameters, &gradient, rate);
                losses.push(loss);
            }
        }
        self.epochs += 1;
        let train_loss = mean(&losses);
        let held_out: Vec<f64> = validation.iter().map(|b| engine.loss(&self.parameters, b)).collect();
        let validation_loss = if held_out.is_empty() { train_loss } else { mean(&held_out) };
        if validation_loss < self.best_loss {
            self.best_loss = validation_loss;
            self.best_epoch = self.epochs;
            self.best.clone_from(&self.parameters);
        }
        Epoch { epoch: self.epochs, train_loss, validation_loss, best_epoch: self.best_epoch }
    }

    fn finish(self, sample: &[Trajectory], split: Split, options: &Options) -> Result<Model> {
        let times = || sample.iter().flat_map(|tr| tr.t.iter().copied());
        let training = Training {
            commit: options.commit,
            entities: sample.len() as u64,
            points: sample.iter().map(|tr| tr.len() as u64).sum(),
            t_first: times().min().unwrap_or(0),
            t_last: times().max().unwrap_or(0),
            seed: options.seed,
            split,
            epochs: self.epochs,
            best_epoch: self.best_epoch,
            validation_loss: self.best_loss,
            held_out: Vec::new(),
        };
        let mut model = Model::new(self.space, self.shape, self.best, training)
            .ok_or_else(|| Error::internal("trained weights that do not fit their layers"))?;
        model.training.held_out = compare(&model, sample, options.seed);
        Ok(model)
    }

    fn encode(&self, print: u64) -> Vec<u8> {
        let mut e = Encoder::new();
        e.u32(VERSION).u64(print);
        self.space.encode(&mut e);
        e.u32(self.shape.hidden.len() as u32);
        self.shape.hidden.iter().for_each(|&h| _ = e.u32(h as u32));
        floats(&mut e, &self.parameters);
        self.adam.encode(&mut e);
        floats(&mut e, &self.best);
        e.u32(self.epochs).u32(self.best_epoch).f64(self.best_loss);
        e.bytes
    }

    fn resume(bytes: &[u8], print: u64) -> Result<Run> {
        match Run::decode(bytes) {
            Ok((run, found)) if found == print => Ok(run),
            Ok(_) => Err(Error::usage("the checkpoint belongs to other points or other training options")
                .fix("resume with the selection and options it was started with, or start anew")),
            Err(e) => Err(Error::new(Code::Damaged, format!("the checkpoint cannot be read: {e}"))
                .fix("start the training anew")),
        }
    }

    fn decode(bytes: &[u8]) -> Result<(Run, u64), Malformed> {
        let mut d = Decoder::new(bytes);
        if d.u32()? != VERSION {
            return d.malformed("another version of the checkpoint");
        }
        let print = d.u64()?;
        let space = Space::decode(&mut d)?;
        let hidden = (0..d.count(4)?).map(|_| Ok(d.u32()? as usize)).collect::<Result<Vec<_>, _>>()?;
        let shape = Shape { state: space.len(), context: space.context_len(), hidden };
        let parameters = read_floats(&mut d)?;
        let adam = Adam::decode(&mut d, parameters.len())?;
        let best = read_floats(&mut d)?;
        let (epochs, best_epoch, best_loss) = (d.u32()?, d.u32()?, d.f64()?);
        d.end()?;
        if parameters.len() != shape.parameters() || best.len() != parameters.len() || best_epoch > epochs {
            return d.malformed("parts of different sizes");
        }
        Ok((Run { space, shape, parameters, adam, epochs, best, best_epoch, best_loss }, print))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// At most [`PCA_ROWS`] vectors of training points, drawn evenly.
fn training_rows(sample: &[Trajectory], split: &Split, seed: u64) -> Vec<f32> {
    let of_train = |(s, tr): (usize, &Trajectory)| {
        let is_train = |i: &usize| split.role(sample[s].entity, sample[s].t[*i]) == Role::Train;
        (0..tr.len()).filter(is_train).map(move |i| (s, i)).collect::<Vec<_>>()
    };
    let mut rows: Vec<(usize, usize)> = sample.iter().enumerate().flat_map(of_train).collect();
    Random::new(seed, "node components", 0).shuffle(&mut rows);
    rows.truncate(PCA_ROWS);
    rows.iter().flat_map(|&(s, i)| sample[s].row(i)).copied().collect()
}

/// Uniform weights of variance 1 / inputs, no biases; the last layer is zero, so that the
/// untrained model repeats the last point and training starts from that baseline.
fn initial_parameters(shape: &Shape, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, "node weights", 0);
    let mut out = Vec::with_capacity(shape.parameters());
    for (layer, (inputs, outputs)) in shape.layers().enumerate() {
        let bound = if layer == shape.hidden.len() { 0.0 } else { (3.0 / inputs as f64).sqrt() };
        out.extend((0..inputs * outputs).map(|_| ((2.0 * random.unit() - 1.0) * bound) as f32));
        out.extend(std::iter::repeat_n(0.0, outputs));
    }
    out
}

/// Fixed pairs, a batch for each octave; none where nothing is held out.
fn validation_batches(paths: &Paths, options: &Options) -> Vec<Batch> {
    let draw = |octave: u32| {
        let mut random = Random::new(options.seed, "node validation", u64::from(octave));
        paths.batch(Role::Validate, octave as i32, VALIDATION_ROWS, &mut random)
    };
    (0..options.octaves).map(draw).filter(|b| b.rows() > 0).collect()
}

/// Median scores against each rival, in the test cases that both answered.
fn compare(model: &Model, sample: &[Trajectory], seed: u64) -> Vec<HeldOut> {
    let tested = |tr: &&Trajectory| tr.t.last().is_some_and(|&t| !model.knows(tr.entity, t));
    let sample: Vec<Trajectory> = sample.iter().filter(tested).copied().collect();
    let settings = Settings { model: Some(model), ..Settings::default() };
    let methods = [&RIVALS[..], &[Method::Node]].concat();
    let mut cases = evaluate(&sample, &methods, HELD_OUT_CASES, seed, &settings);
    // Short horizons have the most cases: from each origin, one of an octave.
    let unit_s = median_step_s(&sample).unwrap_or(1.0);
    cases.retain(|c| !c.still());
    cases.dedup_by_key(|c| (c.entity, c.t_last, class_of(c.horizon_s, unit_s)));
    let against = |method: Method| {
        let scores = |of: Method| {
            cases.iter().filter_map(move |c| {
                let (own, other) = (c.error(of)?, if of == method { Method::Node } else { method });
                c.error(other).map(|_| own.distance / c.reach())
            })
        };
        Some(HeldOut {
            method,
            n: scores(method).count() as u32,
            baseline: median(scores(method))?,
            model: median(scores(Method::Node))?,
        })
    };
    RIVALS.into_iter().filter_map(against).collect()
}

#[cfg(all(test, feature = "neural"))]
mod tests {
    use super::*;
    use crate::analytics::Status;
    use crate::analytics::predict::{forecast, synthetic};

    /// Small enough for a test.
    fn quick() -> Options {
        Options {
            components: 2,
            hidden: vec![16, 16],
            epochs: 30,
            octaves: 3,
            batch: 64,
            context: false,
            learning_rate: 1e-2,
            ..Options::default()
        }
    }

    /// Too short to learn anything.
    fn brief() -> Options {
        Options { epochs: 3, batch: 16, checkpoint_every: 1, context: true, ..quick() }
    }

    fn quiet(_: Event) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn trained(set: &[synthetic::Owned], options: &Options) -> Result<Model> {
        Ok(train(&synthetic::views(set), options, None, &mut quiet)?.unwrap())
    }

    #[test]
    fn learns_sinusoids_of_phases_it_never_saw() {
        let set = synthetic::sinusoids(40, 40, 4, 1);
        let model = trained(&set, &quick()).unwrap();
        for h in &model.training.held_out {
            assert!(h.n > 50 && h.model < 0.7 * h.baseline, "{h:?}");
        }
        assert!(model.useful());
        // Horizon 0 is the last point; horizons differ; the order of horizons does not matter.
        let views = synthetic::views(&set);
        let settings = Settings { model: Some(&model), ..Settings::default() };
        let at = |h: &[f64]| forecast(Method::Node, &views[0], h, &settings);
        let last: Vec<f64> = views[0].row(39).iter().map(|&v| f64::from(v)).collect();
        let f = at(&[7200.0, 0.0, 1e-6, 3600.0]);
        assert_eq!((f.status, f.at(1)), (Status::Ok, Some(&last[..])));
        assert!(f.at(2).unwrap().iter().zip(&last).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_ne!(f.at(0), f.at(3));
        let apart = at(&[3600.0]);
        assert!(apart.at(0).unwrap().iter().zip(f.at(3).unwrap()).all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn training_repeats_and_a_resumed_run_ends_the_same() {
        let set = synthetic::walks(12, 12, 3, 1);
        let sample = synthetic::views(&set);
        let whole = trained(&set, &brief()).unwrap();
        assert_eq!(whole, trained(&set, &brief()).unwrap());
        let mut kept = Vec::new();
        let mut stop = |event: Event| match event {
            Event::Epoch(e) if e.epoch == 2 => ControlFlow::Break(()),
            Event::Epoch(_) => ControlFlow::Continue(()),
            Event::Checkpoint(bytes) => {
                kept = bytes.to_vec();
                ControlFlow::Continue(())
            }
        };
        assert_eq!(train(&sample, &brief(), None, &mut stop).unwrap(), None);
        assert_eq!(train(&sample, &brief(), Some(&kept), &mut quiet).unwrap(), Some(whole));
        let other = Options { seed: 2, ..brief() };
        assert_eq!(train(&sample, &other, Some(&kept), &mut quiet).unwrap_err().code(), Code::Usage);
        for n in (0..kept.len()).step_by(97) {
            assert_eq!(
                train(&sample, &brief(), Some(&kept[..n]), &mut quiet).unwrap_err().code(),
                Code::Damaged
            );
        }
    }

    #[test]
    fn a_walk_gives_no_useful_model() {
        let set = synthetic::walks(40, 20, 3, 3);
        let model = trained(&set, &Options { epochs: 6, ..quick() }).unwrap();
        // Nothing beats the last point on a random walk by more than chance.
        let last = model.training.held_out.iter().find(|h| h.method == Method::Last).unwrap();
        assert!(last.model > 0.9 * last.baseline, "{last:?}");
    }

    #[test]
    fn stored_models_are_read_back_and_cuts_refused() {
        let model = trained(&synthetic::walks(12, 8, 3, 1), &brief()).unwrap();
        let bytes = model.encode();
        assert_eq!(Model::decode(&bytes).unwrap(), model);
        for n in (0..bytes.len()).step_by(53) {
            assert!(Model::decode(&bytes[..n]).is_err(), "{n}");
        }
    }

    #[test]
    fn few_points_one_entity_and_constants() {
        let three = trained(&synthetic::walks(12, 3, 2, 1), &brief()).unwrap();
        assert_eq!((three.dim(), three.training.points), (2, 36));
        let one = trained(&synthetic::walks(1, 40, 2, 1), &brief()).unwrap();
        assert!(matches!(one.training.split, Split::Time { .. }));
        for set in [synthetic::walks(12, 1, 2, 1), synthetic::walks(1, 2, 2, 1), Vec::new()] {
            assert_eq!(trained(&set, &brief()).unwrap_err().code(), Code::Failed);
        }
        let t: Vec<i64> = (0..20).collect();
        let still = Trajectory { entity: 1, t: &t, x: &[0.5; 20], dim: 1, model: &[] };
        assert_eq!(train(&[still], &brief(), None, &mut quiet).unwrap_err().code(), Code::Failed);
    }

    #[test]
    fn impossible_options_are_refused() {
        let set = synthetic::walks(12, 5, 2, 1);
        for options in [
            Options { components: 0, ..brief() },
            Options { hidden: vec![], ..brief() },
            Options { hidden: vec![0], ..brief() },
            Options { validation_share: 0.5, ..brief() },
            Options { batch: 0, ..brief() },
            Options { octaves: 0, ..brief() },
            Options { learning_rate: f64::NAN, ..brief() },
        ] {
            assert_eq!(trained(&set, &options).unwrap_err().code(), Code::Usage, "{options:?}");
        }
    }

    #[test]
    fn the_model_is_not_judged_where_it_was_trained() {
        let set = synthetic::sinusoids(20, 20, 3, 2);
        let model = trained(&set, &brief()).unwrap();
        let views = synthetic::views(&set);
        let settings = Settings { model: Some(&model), ..Settings::default() };
        let cases = evaluate(&views, &[Method::Last, Method::Node], 100, 1, &settings);
        let tried: Vec<u64> = cases.iter().filter(|c| c.tried(Method::Node)).map(|c| c.entity).collect();
        assert!(!tried.is_empty() && tried.len() < cases.len());
        assert!(tried.iter().all(|&e| model.training.split.role(e, 0) == Role::Test));
        assert!(cases.iter().all(|c| c.tried(Method::Last)));
    }
}

#[cfg(all(test, not(feature = "neural")))]
mod tests {
    use super::*;
    use crate::analytics::predict::synthetic;

    #[test]
    fn a_build_without_training_says_how_to_get_one() {
        let set = synthetic::walks(12, 5, 2, 1);
        let e = train(&synthetic::views(&set), &Options::default(), None, &mut |_| ControlFlow::Continue(()));
        let e = e.unwrap_err();
        assert_eq!(e.code(), Code::Failed);
        assert!(e.hint().unwrap().contains("--features neural"));
    }
}
