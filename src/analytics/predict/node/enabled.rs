//! Gradients of the training loss by burn: reverse mode through a fixed-step solver.

use super::data::Batch;
use super::field::Shape;
use crate::error::Result;
use burn::tensor::{Device, Tensor, TensorData};

/// Training is there.
pub fn available() -> Result<()> {
    Ok(())
}

/// Gradients of the training loss on the CPU.
pub struct Engine {
    shape: Shape,
    /// Share of each component of the state in the squared error.
    weights: Vec<f32>,
    device: Device,
    recording: Device,
}

/// Weights and biases of a layer.
type Layer = (Tensor<2>, Tensor<2>);

impl Engine {
    /// `weights`: what a unit of each component of the state counts in the squared error.
    pub fn new(shape: &Shape, weights: &[f32]) -> Result<Engine> {
        let device = Device::flex();
        let recording = device.clone().autodiff();
        Ok(Engine { shape: shape.clone(), weights: weights.to_vec(), device, recording })
    }

    /// Mean loss of the batch and its gradient, in the order of the parameters.
    pub fn loss_and_gradient(&self, parameters: &[f32], batch: &Batch) -> (f64, Vec<f32>) {
        let layers = self.layers(parameters, &self.recording, true);
        let loss = self.batch_loss(&layers, batch, &self.recording);
        let gradients = loss.backward();
        let mut out = Vec::with_capacity(parameters.len());
        for tensor in layers.iter().flat_map(|(w, b)| [w, b]) {
            match tensor.grad(&gradients) {
                Some(g) => out.extend(numbers(g)),
                None => out.extend(std::iter::repeat_n(0.0, tensor.shape().num_elements())),
            }
        }
        (first(loss), out)
    }

    /// Mean loss of the batch.
    pub fn loss(&self, parameters: &[f32], batch: &Batch) -> f64 {
        let layers = self.layers(parameters, &self.device, false);
        first(self.batch_loss(&layers, batch, &self.device))
    }

    fn layers(&self, parameters: &[f32], device: &Device, tracked: bool) -> Vec<Layer> {
        let mut rest = parameters;
        let mut take = |rows: usize, columns: usize| {
            let (own, tail) = rest.split_at(rows * columns);
            rest = tail;
            let t = matrix(own, rows, columns, device);
            if tracked { t.require_grad() } else { t }
        };
        self.shape.layers().map(|(inputs, outputs)| (take(inputs, outputs), take(1, outputs))).collect()
    }

    /// Mean over the rows of `sqrt(1 + e^2) - 1`, `e` the error over the row's reach.
    fn batch_loss(&self, layers: &[Layer], batch: &Batch, device: &Device) -> Tensor<1> {
        let (rows, k) = (batch.rows(), self.shape.state);
        let column = |v: &[f32]| matrix(v, rows, 1, device);
        let context =
            (self.shape.context > 0).then(|| matrix(&batch.context, rows, self.shape.context, device));
        let step = column(&batch.time) / batch.substeps as f32;
        let mut z = matrix(&batch.start, rows, k, device);
        for _ in 0..batch.substeps {
            z = runge_kutta(layers, z, context.as_ref(), &step);
        }
        let off = z - matrix(&batch.target, rows, k, device);
        let weights = matrix(&self.weights, 1, k, device);
        let squares = (off.powi_scalar(2) * weights).sum_dim(1) * column(&batch.inverse_reach_squared);
        ((squares + 1.0).sqrt() - 1.0).mean()
    }
}

/// One classical fourth-order step of each row's own length.
fn runge_kutta(layers: &[Layer], z: Tensor<2>, context: Option<&Tensor<2>>, step: &Tensor<2>) -> Tensor<2> {
    let f = |z: Tensor<2>| field(layers, z, context);
    let k1 = f(z.clone());
    let k2 = f(z.clone() + k1.clone() * step.clone() * 0.5);
    let k3 = f(z.clone() + k2.clone() * step.clone() * 0.5);
    let k4 = f(z.clone() + k3.clone() * step.clone());
    z + (k1 + (k2 + k3) * 2.0 + k4) * step.clone() / 6.0
}

/// As `Field::eval`, for every row.
fn field(layers: &[Layer], z: Tensor<2>, context: Option<&Tensor<2>>) -> Tensor<2> {
    let mut a = match context {
        Some(c) => Tensor::cat(vec![z, c.clone()], 1),
        None => z,
    };
    for (i, (w, b)) in layers.iter().enumerate() {
        a = a.matmul(w.clone()) + b.clone();
        if i + 1 < layers.len() {
            a = a.tanh();
        }
    }
    a
}

fn matrix(values: &[f32], rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), device)
}

fn numbers<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data_as::<f32>().try_to_vec().unwrap_or_default()
}

fn first(t: Tensor<1>) -> f64 {
    numbers(t).first().map_or(f64::NAN, |&v| f64::from(v))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::node::field::{Field, Scratch};
    use crate::analytics::predict::ode::{Control, solve};
    use crate::analytics::rng::Random;

    fn numbers_from(seed: u64, n: usize) -> Vec<f32> {
        let mut random = Random::new(seed, "gradient test", 0);
        (0..n).map(|_| 0.5 * random.normal() as f32).collect()
    }

    fn small() -> (Shape, Vec<f32>, Batch) {
        let shape = Shape { state: 2, context: 2, hidden: vec![5] };
        let parameters = numbers_from(1, shape.parameters());
        let batch = Batch {
            start: numbers_from(2, 6),
            context: numbers_from(3, 6),
            target: numbers_from(4, 6),
            time: vec![0.5, 1.0, 1.5],
            inverse_reach_squared: vec![1.0, 2.0, 0.5],
            substeps: 8,
        };
        (shape, parameters, batch)
    }

    #[test]
    fn gradients_are_difference_quotients() {
        let (shape, parameters, batch) = small();
        let engine = Engine::new(&shape, &[1.0, 0.25]).unwrap();
        let (loss, gradient) = engine.loss_and_gradient(&parameters, &batch);
        assert!((loss - engine.loss(&parameters, &batch)).abs() < 1e-6);
        for i in 0..parameters.len() {
            let shifted = |by: f32| {
                let mut p = parameters.clone();
                p[i] += by;
                engine.loss(&p, &batch)
            };
            let quotient = (shifted(0.01) - shifted(-0.01)) / 0.02;
            assert!((f64::from(gradient[i]) - quotient).abs() < 1e-3, "{i}: {} {quotient}", gradient[i]);
        }
    }

    #[test]
    fn the_loss_is_that_of_the_field_as_it_will_be_used() {
        let (shape, parameters, batch) = small();
        let weights = [1.0, 0.25];
        let loss = Engine::new(&shape, &weights).unwrap().loss(&parameters, &batch);
        let field = Field::new(shape, &parameters).unwrap();
        let row = |r: usize, v: &[f32]| v[2 * r..2 * r + 2].iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let mut expected = 0.0;
        for r in 0..3 {
            let context = row(r, &batch.context);
            let mut scratch = Scratch::default();
            let f = |_: f64, z: &[f64], dz: &mut [f64]| field.eval(z, &context, dz, &mut scratch);
            let end = [f64::from(batch.time[r])];
            let z = solve(f, 0.0, &row(r, &batch.start), &end, &Control::default()).unwrap().y;
            let target = row(r, &batch.target);
            let off: f64 = (0..2).map(|k| (z[k] - target[k]).powi(2) * f64::from(weights[k])).sum();
            expected += (1.0 + off * f64::from(batch.inverse_reach_squared[r])).sqrt() - 1.0;
        }
        assert!((loss - expected / 3.0).abs() < 1e-4, "{loss} {}", expected / 3.0);
    }
}
