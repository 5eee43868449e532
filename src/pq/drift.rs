//! Whether a codebook still fits: its error on new rows against that when it was trained.

/// Relative squared errors (`Σ|x - x̂|² / Σ|x|²`) of one codebook on two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// On rows of its own sample that it was not trained on.
    pub trained: f64,
    /// On new rows.
    pub now: f64,
}

impl Drift {
    /// How many times the training error the new error is; 1 when both are zero.
    pub fn ratio(&self) -> f64 {
        if self.now <= 0.0 {
            return 1.0;
        }
        self.now / self.trained
    }

    /// True when the error grew by more than `threshold` (0.2: by a fifth).
    pub fn exceeds(&self, threshold: f64) -> bool {
        self.ratio() > 1.0 + threshold
    }
}

/// `Σ|x - y|² / Σ|x|²`; 0 for no rows or rows of zeros.
pub fn relative_square_error(x: &[f32], y: &[f32]) -> f64 {
    let (mut d2, mut x2) = (0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        d2 += (x - y) * (x - y);
        x2 += x * x;
    }
    if x2 > 0.0 { d2 / x2 } else { 0.0 }
}
