//! The plain twins of the kernels: one loop each, in f64, as the definitions read.

/// `sum a_i b_i`.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// `sum (a_i - b_i)^2`.
pub fn l2_squared(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// `sqrt(sum a_i^2)`.
pub fn norm(a: &[f32]) -> f64 {
    dot(a, a).sqrt()
}

/// `sum (a_i / |a| - b_i / |b|)^2 / 2`; NaN when either is zero.
pub fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let (na, nb) = (norm(a), norm(b));
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) / na - f64::from(*b) / nb).powi(2)).sum::<f64>() / 2.0
}
