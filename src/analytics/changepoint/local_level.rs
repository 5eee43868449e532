//! A level that may wander under noise that may remember: the model, and the gains of its filter.

/// The walk of a model that is all walk.
pub(crate) const PURE_WALK: f64 = 1e4;

/// How noise and level move.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    /// Lag-one coefficient of the noise.
    pub phi: f64,
    /// Variance of a step of the level over that of the noise's innovation.
    pub q: f64,
}

impl Model {
    /// A level that stands still under white noise.
    pub const FIXED: Model = Model { phi: 0.0, q: 0.0 };

    /// True when jumps can hardly be told from how the level or the noise moves by itself.
    pub fn wanders(&self) -> bool {
        self.phi >= 0.8 || self.steady_gain() >= 0.5
    }

    /// The filter's gain after a long time.
    pub fn steady_gain(&self) -> f64 {
        1.0 - 1.0 / self.steady_factor()
    }

    /// Variance of a one-step error after a long time, over that of the noise's innovation.
    pub fn steady_factor(&self) -> f64 {
        1.0 + (self.q + (self.q * self.q + 4.0 * self.q).sqrt()) / 2.0
    }
}

/// Gain and variance factor of the filter by age.
pub(crate) struct Schedule {
    pub gain: Vec<f64>,
    pub factor: Vec<f64>,
}

impl Schedule {
    /// For ages 1, 2, .. below `n`.
    pub fn new(model: Model, n: usize) -> Self {
        let mut p = (1.0 - model.phi) / (1.0 + model.phi);
        let (mut gain, mut factor) = (vec![0.0], vec![1.0]);
        for _ in 1..n {
            let ahead = p + model.q;
            factor.push(1.0 + ahead);
            gain.push(ahead / (1.0 + ahead));
            p = ahead / (1.0 + ahead);
        }
        Schedule { gain, factor }
    }

    /// `sum ln F` over a segment of `len` rows.
    pub fn log_factors(&self, len: usize) -> f64 {
        self.factor[1..len.max(1)].iter().map(|f| f.ln()).sum()
    }
}
