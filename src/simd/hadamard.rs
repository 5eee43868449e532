//! The Walsh-Hadamard transform.

/// The orthonormal Walsh-Hadamard transform, its own inverse. The length is a power of two. Inlined, so that
/// a caller compiled for more than the least instruction set makes use of it.
#[inline(always)]
pub fn walsh_hadamard(x: &mut [f32]) {
    let mut half = 1;
    if x.len() >= 8 {
        x.as_chunks_mut::<8>().0.iter_mut().for_each(|x| *x = eight(*x));
        half = 8;
    }
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (a, b) = pair.split_at_mut(half);
            for (a, b) in a.iter_mut().zip(b) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = (1.0 / (x.len() as f64).sqrt()) as f32;
    x.iter_mut().for_each(|v| *v *= scale);
}

/// The first three rounds, on eight values.
#[inline(always)]
fn eight([a, b, c, d, e, f, g, h]: [f32; 8]) -> [f32; 8] {
    let (a, b, c, d, e, f, g, h) = (a + b, a - b, c + d, c - d, e + f, e - f, g + h, g - h);
    let (a, b, c, d, e, f, g, h) = (a + c, b + d, a - c, b - d, e + g, f + h, e - g, f - h);
    [a + e, b + f, c + g, d + h, a - e, b - f, c - g, d - h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_matrix_and_is_its_own_inverse() {
        let x: Vec<f32> = (0..32).map(|i| (i as f32 * 0.7).sin()).collect();
        let mut y = x.clone();
        walsh_hadamard(&mut y);
        for (i, y) in y.iter().enumerate() {
            let sign = |j: usize| if (i & j).count_ones() % 2 == 0 { 1.0 } else { -1.0 };
            let want: f64 =
                x.iter().enumerate().map(|(j, x)| sign(j) * f64::from(*x)).sum::<f64>() / 32f64.sqrt();
            assert!((f64::from(*y) - want).abs() < 1e-6);
        }
        walsh_hadamard(&mut y);
        assert!(x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
