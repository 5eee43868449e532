//! Every kernel on every instruction set present, against the plain f64 twins.

use super::kernel::Kernel;
use super::pair::{Pair, STREAM_CHAINS};
use super::tile::{Block, STREAM_BYTES};
use super::*;
use pulp::Scalar;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::marker::PhantomData;

/// Runs operations on one instruction set.
#[derive(Clone, Copy)]
enum Set {
    Scalar,
    Best(Arch),
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
}

impl Set {
    fn present() -> Vec<Set> {
        let mut sets = vec![Set::Scalar, Set::Best(Arch::new())];
        #[cfg(target_arch = "x86_64")]
        sets.extend(pulp::x86::V3::try_new().map(Set::V3));
        sets
    }

    fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            Set::Scalar => Simd::vectorize(Scalar, op),
            Set::Best(arch) => arch.dispatch(op),
            #[cfg(target_arch = "x86_64")]
            Set::V3(v3) => Simd::vectorize(v3, op),
        }
    }
}

fn vectors(rng: &mut Xoshiro256PlusPlus, n: usize, dim: usize) -> Vec<f32> {
    (0..n * dim).map(|_| rng.random_range(-1.0f32..1.0)).collect()
}

/// `got` against `want`, where the terms of the sum have the total size `size`.
#[track_caller]
fn check(got: f32, want: f64, size: f64, dim: usize) {
    let error = (f64::from(got) - want).abs();
    assert!(error <= 1e-6 * size.max(1e-30), "dim {dim}: {got} for {want}, terms of {size}");
}

fn sizes() -> impl Iterator<Item = usize> {
    (1..=130).chain([384, 768, 4096])
}

#[test]
fn pairs_equal_the_reference_at_every_size_and_set() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    for set in Set::present() {
        for dim in sizes() {
            let (a, b) = (vectors(&mut rng, 1, dim), vectors(&mut rng, 1, dim));
            check_pair::<4>(set, &a, &b);
            check_pair::<STREAM_CHAINS>(set, &a, &b);
        }
    }
}

fn check_pair<const CHAINS: usize>(set: Set, a: &[f32], b: &[f32]) {
    let d = set.run(Pair::<Dot, CHAINS> { a, b, kernel: PhantomData });
    check(d, reference::dot(a, b), reference::norm(a) * reference::norm(b), a.len());
    let l = set.run(Pair::<L2Squared, CHAINS> { a, b, kernel: PhantomData });
    let want = reference::l2_squared(a, b);
    check(l, want, want, a.len());
}

#[test]
fn one_query_over_more_rows_than_the_caches_hold_equals_the_reference() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    for set in Set::present() {
        for dim in [1000, 1003] {
            let (q, x) = (vectors(&mut rng, 1, dim), vectors(&mut rng, STREAM_BYTES / (4 * dim) + 1, dim));
            assert!(size_of_val(x.as_slice()) > STREAM_BYTES);
            check_blocks::<Dot>(set, &q, &x, dim, reference::dot);
            check_blocks::<L2Squared>(set, &q, &x, dim, reference::l2_squared);
        }
    }
}

fn check_blocks<K: Kernel>(set: Set, q: &[f32], x: &[f32], dim: usize, want: fn(&[f32], &[f32]) -> f64) {
    let n_rows = x.len() / dim;
    let mut out = vec![f32::NAN; q.len() / dim * n_rows];
    set.run(Block::<K>::new(q, x, dim, &mut out));
    for (i, q) in q.chunks(dim).enumerate() {
        for (j, x) in x.chunks(dim).enumerate() {
            let size = (reference::norm(q) + reference::norm(x)).powi(2);
            check(out[i * n_rows + j], want(q, x), size, dim);
        }
    }
}

#[test]
fn blocks_equal_the_reference_at_every_size_and_set() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    for set in Set::present() {
        for dim in sizes() {
            // Odd and even numbers of queries; whole strips, a short one, and both.
            for (n_queries, n_rows) in [(1, 1), (2, 8), (3, 11), (5, 16)] {
                let (q, x) = (vectors(&mut rng, n_queries, dim), vectors(&mut rng, n_rows, dim));
                check_blocks::<Dot>(set, &q, &x, dim, reference::dot);
                check_blocks::<L2Squared>(set, &q, &x, dim, reference::l2_squared);
            }
        }
    }
}

#[test]
fn public_kernels_agree_with_the_reference() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let dim = 100;
    let (q, x) = (vectors(&mut rng, 3, dim), vectors(&mut rng, 9, dim));
    let (mut dots, mut squares) = (vec![0.0; 27], vec![0.0; 27]);
    dot_block(&q, &x, dim, &mut dots);
    l2_squared_block(&q, &x, dim, &mut squares);
    for (i, q) in q.chunks(dim).enumerate() {
        for (j, x) in x.chunks(dim).enumerate() {
            let size = reference::norm(q) * reference::norm(x);
            check(dots[i * 9 + j], reference::dot(q, x), size, dim);
            check(dot(q, x), reference::dot(q, x), size, dim);
            check(squares[i * 9 + j], reference::l2_squared(q, x), size, dim);
            check(l2_squared(q, x), reference::l2_squared(q, x), size, dim);
            check(norm(x), reference::norm(x), reference::norm(x), dim);
            check(inverse_norm(x), 1.0 / reference::norm(x), 1.0 / reference::norm(x), dim);
        }
    }
}

#[test]
fn wide_sums_equal_the_reference() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    for dim in sizes() {
        let (a, b) = (vectors(&mut rng, 1, dim), vectors(&mut rng, 1, dim));
        let (na, nb) = (reference::norm(&a), reference::norm(&b));
        let near = |got: f64, want: f64, size: f64| {
            assert!((got - want).abs() <= 1e-13 * size, "dim {dim}: {got} for {want}");
        };
        near(wide::dot(&a, &b), reference::dot(&a, &b), na * nb);
        near(wide::norm(&a), na, na);
        near(wide::l2_squared(&a, &b), reference::l2_squared(&a, &b), na * na + nb * nb);
        let chord = wide::chord_squared(&a, 1.0 / na, &b, 1.0 / nb);
        near(chord / 2.0, reference::cosine_distance(&a, &b), 1.0);
        near(wide::sum_squared(&a, 1.0 / na, &b, 1.0 / nb) + chord, 4.0, 4.0);
    }
}

#[test]
fn extreme_norms_stay_defined() {
    assert_eq!(inverse_norm(&[0.0, -0.0]), 0.0);
    assert_eq!(wide::norm(&[f32::MAX; 4]), 2.0 * f64::from(f32::MAX));
    assert!(inverse_norm(&[f32::MAX; 4]) > 0.0);
    let smallest = f32::from_bits(1);
    assert_eq!(wide::norm(&[smallest; 4]), 2.0 * f64::from(smallest));
}

/// All terms positive and of one size is the worst case of a running sum.
#[test]
fn the_rounding_bound_holds() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    for dim in [1, 7, 64, 768, 4096] {
        let bound = rounding_bound(dim);
        for _ in 0..50 {
            let a: Vec<f32> = (0..dim).map(|_| rng.random_range(0.9f32..1.0)).collect();
            let b: Vec<f32> = (0..dim).map(|_| rng.random_range(1.9f32..2.0)).collect();
            let want = reference::dot(&a, &b);
            assert!((f64::from(dot(&a, &b)) - want).abs() <= bound * want);
            let want = reference::l2_squared(&a, &b);
            assert!((f64::from(l2_squared(&a, &b)) - want).abs() <= bound * want);
        }
    }
    assert!(rounding_bound(1) < 1e-5 && rounding_bound(4096) < 1e-3);
}

#[test]
#[should_panic(expected = "different dimension")]
fn pairs_of_different_dimension_are_refused() {
    dot(&[1.0], &[1.0, 2.0]);
}
