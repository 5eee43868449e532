//! The posterior over how long the present run has lasted (Adams and MacKay 2007).
//!
//! Before each observation the run ends with the hazard's probability; the first observation of
//! a new run is predicted by the prior. Run lengths with too little mass are dropped and the
//! rest renormalised, so a step costs no more than a bounded number of predictions.

use serde::{Deserialize, Serialize};

/// Run lengths kept at most, and the least mass of one.
const MAX_RUNS: usize = 150;
const LEAST_MASS: f64 = 1e-8;

/// What a run believes about the next observation.
pub(crate) trait Predictive {
    /// What the runs share: scales, the prior.
    type Context;

    /// The run after its first observation.
    fn start(context: &Self::Context, x: &[f64]) -> Self;
    /// Log density of an observation under the prior alone.
    fn log_prior(context: &Self::Context, x: &[f64]) -> f64;
    /// Log density of the next observation.
    fn log_density(&self, context: &Self::Context, x: &[f64]) -> f64;
    /// Takes in the next observation.
    fn update(&mut self, context: &Self::Context, x: &[f64]);
}

/// One hypothesis: the present run has this many observations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run<P> {
    pub length: u64,
    pub log_mass: f64,
    pub belief: P,
}

/// All hypotheses, the shortest run last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Runs<P> {
    pub runs: Vec<Run<P>>,
}

impl<P: Predictive> Runs<P> {
    /// Starts with one run that has a known past.
    pub fn from_past(length: u64, belief: P) -> Self {
        Runs { runs: vec![Run { length, log_mass: 0.0, belief }] }
    }

    /// Takes in an observation before which a run ended with probability `hazard`.
    pub fn observe(&mut self, context: &P::Context, x: &[f64], hazard: f64) {
        let (go_on, end) = ((-hazard).ln_1p(), hazard.ln());
        for run in &mut self.runs {
            run.log_mass += go_on + run.belief.log_density(context, x);
            run.belief.update(context, x);
            run.length += 1;
        }
        // Masses add to 1 before the observation, so the new run has the hazard's.
        self.runs.push(Run {
            length: 1,
            log_mass: end + P::log_prior(context, x),
            belief: P::start(context, x),
        });
        self.normalise();
    }

    /// Makes the masses add to 1 and drops the least.
    fn normalise(&mut self) {
        let total = log_sum(self.runs.iter().map(|r| r.log_mass));
        self.runs.iter_mut().for_each(|r| r.log_mass -= total);
        let mut floor = LEAST_MASS.ln();
        if self.runs.len() > MAX_RUNS {
            let mut masses: Vec<f64> = self.runs.iter().map(|r| r.log_mass).collect();
            let (_, least, _) = masses.select_nth_unstable_by(MAX_RUNS - 1, |a, b| b.total_cmp(a));
            floor = floor.max(*least);
        }
        let before = self.runs.len();
        self.runs.retain(|r| r.log_mass >= floor);
        if self.runs.len() < before {
            let kept = log_sum(self.runs.iter().map(|r| r.log_mass));
            self.runs.iter_mut().for_each(|r| r.log_mass -= kept);
        }
    }

    /// Mass on runs of at most `length` observations.
    pub fn mass_up_to(&self, length: u64) -> f64 {
        self.runs.iter().filter(|r| r.length <= length).map(|r| r.log_mass.exp()).sum()
    }

    /// The most likely run among those that `wanted` names.
    pub fn likeliest(&self, wanted: impl Fn(u64) -> bool) -> Option<&Run<P>> {
        self.runs.iter().filter(|r| wanted(r.length)).max_by(|a, b| a.log_mass.total_cmp(&b.log_mass))
    }
}

/// `ln sum exp`.
fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let top = values.clone().fold(f64::NEG_INFINITY, f64::max);
    top + values.map(|v| (v - top).exp()).sum::<f64>().ln()
}
