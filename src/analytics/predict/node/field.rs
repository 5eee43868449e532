//! The field of the neural ODE: a small perceptron with tanh between its layers, evaluated in
//! f64 from stored f32 weights. Needs nothing but this file, so a stored model predicts in every
//! build.

/// Sizes of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Numbers in the state.
    pub state: usize,
    /// Numbers in the context, which stays as it is while the state moves.
    pub context: usize,
    /// Widths of the hidden layers, at least one.
    pub hidden: Vec<usize>,
}

impl Shape {
    /// Inputs and outputs of each layer. The first takes the state, then the context.
    pub fn layers(&self) -> impl Iterator<Item = (usize, usize)> {
        let inputs = std::iter::once(self.state + self.context).chain(self.hidden.iter().copied());
        inputs.zip(self.hidden.iter().copied().chain([self.state]))
    }

    /// Number of parameters: for each layer its weights, inputs x outputs row-major, then its
    /// biases.
    pub fn parameters(&self) -> usize {
        self.layers().map(|(i, o)| i * o + o).sum()
    }
}

/// A field with its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    shape: Shape,
    parameters: Vec<f64>,
}

/// Room for one evaluation.
#[derive(Debug, Default)]
pub struct Scratch {
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Field {
    /// `parameters` as [`Shape::parameters`] orders them; `None` when their number is another.
    pub fn new(shape: Shape, parameters: &[f32]) -> Option<Field> {
        (parameters.len() == shape.parameters())
            .then(|| Field { shape, parameters: parameters.iter().map(|&p| f64::from(p)).collect() })
    }

    /// Fills `dz` with `dz/dt` at state `z` in a context.
    pub fn eval(&self, z: &[f64], context: &[f64], dz: &mut [f64], scratch: &mut Scratch) {
        let Scratch { a, b } = scratch;
        a.clear();
        a.extend_from_slice(z);
        a.extend_from_slice(context);
        let mut rest = &self.parameters[..];
        for (inputs, outputs) in self.shape.layers() {
            let (weights, tail) = rest.split_at(inputs * outputs);
            let (bias, tail) = tail.split_at(outputs);
            rest = tail;
            b.clear();
            b.extend_from_slice(bias);
            for (x, row) in a.iter().zip(weights.chunks_exact(outputs)) {
                b.iter_mut().zip(row).for_each(|(b, w)| *b += x * w);
            }
            if !rest.is_empty() {
                b.iter_mut().for_each(|v| *v = v.tanh());
            }
            std::mem::swap(a, b);
        }
        dz.copy_from_slice(a);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hidden_layer_by_hand() {
        let shape = Shape { state: 1, context: 1, hidden: vec![2] };
        assert_eq!(shape.parameters(), 4 + 2 + 2 + 1);
        let weights = [0.5, -1.0, 0.25, 2.0, 0.1, 0.2, 3.0, -4.0, 0.7];
        let field = Field::new(shape.clone(), &weights).unwrap();
        let mut dz = [0.0];
        field.eval(&[0.3], &[-0.6], &mut dz, &mut Scratch::default());
        let h =
            [0.3 * 0.5 - 0.6 * 0.25 + f64::from(0.1f32), -0.3 - 0.6 * 2.0 + f64::from(0.2f32)].map(f64::tanh);
        assert!((dz[0] - (3.0 * h[0] - 4.0 * h[1] + f64::from(0.7f32))).abs() < 1e-12);
        assert!(Field::new(shape, &weights[1..]).is_none());
    }
}
