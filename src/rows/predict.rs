//! The rows of `cvx predict` and its subcommands.

use crate::analytics::Status;
use crate::output::{Id, Json, Time};
use crate::row;

row! {
    /// Where an entity will be.
    pub struct PredictRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// The instant that is predicted; empty beyond the last time there is.
        pub t: Option<Time>,
        /// Time from the last point to it.
        pub horizon_s: Option<f64> => "s",
        /// The method used.
        pub method: Option<&'static str>,
        /// Probability that the truth lies within the radius.
        pub level: f64,
        /// Euclidean distance within which the truth lies with that probability.
        pub radius: Option<f64>,
        /// Points of history.
        pub n: usize,
        /// Time of the last point.
        pub t_last: Time,
        /// Median error of the method at such horizons in the past of this dataset.
        pub backtest_error: Option<f64>,
        /// That error over the one of repeating the last value: below 1 is better.
        pub vs_last: Option<f64>,
        /// Why something is missing; uncalibrated: no radius, since the past has too few such horizons.
        pub status: Status,
        /// The predicted vector, with --vectors.
        pub vector: Option<Vec<f32>>,
        /// Lower end of each dimension's interval, with --vectors.
        pub lower: Option<Vec<f32>>,
        /// Upper end of each dimension's interval, with --vectors.
        pub upper: Option<Vec<f32>>,
        /// Why another method than the one asked for was used.
        pub fallback: Option<String>,
        /// The other entities' newest states nearest to the prediction: entity_id, entity, t, distance.
        pub nearest: Option<Json>,
        /// True when the history comes from a block with loss.
        pub approx: bool,
    }
    wide [horizon_s, level, approx]
}

row! {
    /// How well a method would have done.
    pub struct EvalRow {
        /// The method; auto is the choice by the past of other entities.
        pub method: &'static str,
        /// Median horizon of the cases.
        pub horizon_s: f64 => "s",
        /// The same, for reading.
        pub horizon: String,
        /// Cases.
        pub n: usize,
        /// Median Euclidean distance between prediction and truth.
        pub error_median: f64,
        /// That error over the one of repeating the last value: below 1 is better.
        pub vs_last: Option<f64>,
        /// Share of the cases whose truth lay within the radius.
        pub coverage: Option<f64>,
        /// Cases that had a radius.
        pub n_radius: usize,
        /// Median radius.
        pub radius_median: Option<f64>,
        /// Probability that the radius was made for.
        pub level: f64,
        /// The method's error by horizon, drawn, in tables; the full height is half more than the largest error of last.
        pub by_horizon: Option<String>,
    }
    wide [horizon_s]
}

row! {
    /// A prediction from the past beside what happened.
    pub struct CaseRow {
        /// Entity.
        pub entity_id: Id,
        /// Its name.
        pub entity: Option<String>,
        /// Time of the last point that the method knew.
        pub t_last: Time,
        /// The instant that it predicted.
        pub t: Time,
        /// Time between the two.
        pub horizon_s: f64 => "s",
        /// The method used.
        pub method: &'static str,
        /// Points of history.
        pub n: usize,
        /// How far the entity moved.
        pub moved: f64,
        /// How far the method said it would.
        pub moved_predicted: f64,
        /// Euclidean distance between prediction and truth.
        pub error: f64,
        /// That error over how far the entity moved: below 1 is better than repeating the last value.
        pub vs_last: Option<f64>,
        /// The radius, made from other entities.
        pub radius: Option<f64>,
        /// Probability that the radius was made for.
        pub level: f64,
        /// Whether the truth lay within it.
        pub inside: Option<bool>,
        /// The errors from this last point by horizon, drawn, in tables; the full height is the largest of all.
        pub by_horizon: Option<String>,
        /// The predicted vector, with --vectors.
        pub vector: Option<Vec<f32>>,
        /// The vector that came, with --vectors.
        pub truth: Option<Vec<f32>>,
    }
    wide [t_last, horizon_s, level]
}

row! {
    /// A trained model.
    pub struct NodeRow {
        /// Its name.
        pub name: String,
        /// Version of that name, from 1.
        pub version: u32,
        /// True when it beats last, trend and ou on what was held out; auto chooses no other.
        pub useful: Option<bool>,
        /// ok, or why it cannot be used.
        pub status: &'static str,
        /// When it was trained, by the clock of that machine.
        pub trained: Option<Time>,
        /// Commit of the dataset that it was trained on.
        pub commit: Option<u64>,
        /// Entities given to training, held-out ones included.
        pub entities: Option<u64>,
        /// Points given to training, held-out ones included.
        pub points: Option<u64>,
        /// Earliest of them.
        pub t_first: Option<Time>,
        /// Latest of them.
        pub t_last: Option<Time>,
        /// Dimension of the vectors.
        pub dim: Option<usize>,
        /// Principal components of the state.
        pub components: Option<usize>,
        /// Share of the variance that they hold.
        pub explained: Option<f64>,
        /// Widths of the hidden layers.
        pub hidden: Option<Json>,
        /// Epochs run.
        pub epochs: Option<u32>,
        /// The epoch whose weights were kept.
        pub best_epoch: Option<u32>,
        /// Loss on the entities held out for stopping.
        pub validation_loss: Option<f64>,
        /// Held-out cases compared with last.
        pub held_out: Option<u32>,
        /// Median held-out error over that of last, each over the distance that the entity diffuses.
        pub vs_last: Option<f64>,
        /// The same over trend.
        pub vs_trend: Option<f64>,
        /// The same over ou.
        pub vs_ou: Option<f64>,
        /// Seed of the training.
        pub seed: Option<u64>,
        /// Length of its file.
        pub bytes: Option<u64> => "byte",
    }
    wide [t_first, t_last, dim, explained, hidden, epochs, best_epoch, validation_loss, held_out, seed, bytes]
}
