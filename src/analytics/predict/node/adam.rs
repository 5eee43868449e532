//! AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019) over a flat list of parameters, so
//! that a checkpoint is three lists of numbers.

use super::model::{floats, read_floats};
use crate::format::codec::{Decoder, Encoder, Malformed};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;
const WEIGHT_DECAY: f64 = 1e-4;
/// Longest gradient that is followed; longer ones are shortened to it.
const MAX_NORM: f64 = 1.0;

/// Moments of the gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    steps: u32,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Adam {
    pub fn new(n: usize) -> Adam {
        Adam { steps: 0, first: vec![0.0; n], second: vec![0.0; n] }
    }

    /// Moves the parameters against the gradient. A gradient that is not finite is passed over.
    pub fn step(&mut self, parameters: &mut [f32], gradient: &[f32], rate: f64) {
        let norm = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        if !norm.is_finite() {
            return;
        }
        let shorten = MAX_NORM / norm.max(MAX_NORM);
        self.steps = self.steps.saturating_add(1);
        let bias = |beta: f64| 1.0 - beta.powf(f64::from(self.steps));
        let (bias1, bias2) = (bias(BETA1), bias(BETA2));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((p, &g), (m, v)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = f64::from(g) * shorten;
            let first = BETA1 * f64::from(*m) + (1.0 - BETA1) * g;
            let second = BETA2 * f64::from(*v) + (1.0 - BETA2) * g * g;
            (*m, *v) = (first as f32, second as f32);
            let move_by =
                (first / bias1) / ((second / bias2).sqrt() + EPSILON) + WEIGHT_DECAY * f64::from(*p);
            *p = (f64::from(*p) - rate * move_by) as f32;
        }
    }

    pub fn encode(&self, e: &mut Encoder) {
        e.u32(self.steps);
        floats(e, &self.first);
        floats(e, &self.second);
    }

    /// For `n` parameters.
    pub fn decode(d: &mut Decoder, n: usize) -> Result<Adam, Malformed> {
        let out = Adam { steps: d.u32()?, first: read_floats(d)?, second: read_floats(d)? };
        if out.first.len() != n || out.second.len() != n {
            return d.malformed("moments of another number of weights");
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_a_bowl_and_ignores_what_is_not_finite() {
        let mut p = vec![3.0f32, -2.0];
        let mut adam = Adam::new(2);
        for _ in 0..2000 {
            let g = [2.0 * (p[0] - 1.0), 20.0 * (p[1] - 0.5)];
            adam.step(&mut p, &g, 0.01);
        }
        assert!((p[0] - 1.0).abs() < 1e-2 && (p[1] - 0.5).abs() < 1e-2, "{p:?}");
        let before = (p.clone(), adam.clone());
        adam.step(&mut p, &[f32::NAN, 0.0], 0.01);
        assert_eq!((p, adam), before);
    }
}
