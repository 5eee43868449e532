//! The codecs as a whole: golden values of numpy, recall on planted neighbours, repeatability,
//! and bytes that are not what was written.

use super::random::Draws;
use super::*;
use serde_json::Value;

const CODECS: [&str; 9] =
    ["pq:8", "pq:16x4", "opq:8", "rabitq:1", "rabitq:3", "rabitq:8", "sq8", "f16", "zstd"];

/// Rows in clusters: neighbours are near, as in embeddings.
fn clustered(n: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut d = Draws::new(seed, 1);
    let mut noise = |scale: f64| (0..3).map(|_| d.unit() - 0.5).sum::<f64>() * scale;
    let centres: Vec<f64> = (0..20 * dim).map(|_| noise(2.0)).collect();
    (0..n)
        .flat_map(|i| (0..dim).map(move |j| i % 20 * dim + j))
        .map(|c| (centres[c] + noise(0.7)) as f32)
        .collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn floats(v: &Value) -> Vec<f32> {
    v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/golden/pq/codes.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn product_codes_agree_with_numpy() {
    let g = golden();
    let (x, q) = (floats(&g["x"]), floats(&g["q"]));
    let quantizer = Quantizer::from_parts(Parts {
        codec: Codec::Pq { m: 3 },
        dim: 10,
        k: 16,
        seed: 0,
        trained_error: 0.0,
        shrink: 1.0,
        centroids: floats(&g["centroids"]),
        rotation: vec![],
    })
    .unwrap();
    let chunk = quantizer.encode(&x).unwrap();
    let want: Vec<u8> = g["codes"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap() as u8).collect();
    assert_eq!(chunk, want);
    let back = quantizer.reconstruct(&x).unwrap();
    assert_eq!(back, floats(&g["decoded"]));
    let (mut dots, mut norms2) = (Vec::new(), Vec::new());
    quantizer.query(&q).scan(&chunk, 12, &mut dots, &mut norms2).unwrap();
    for (got, want) in dots.iter().chain(&norms2).zip(floats(&g["dots"]).iter().chain(&floats(&g["norms2"])))
    {
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }
    let errors = relative_errors(&x, &back, 10);
    for (got, want) in errors.iter().zip(g["rel_error"].as_array().unwrap()) {
        assert!((got - want.as_f64().unwrap()).abs() < 1e-9);
    }
}

#[test]
fn scalar_codes_agree_with_numpy() {
    let g = golden();
    let x = floats(&g["x"]);
    let half = Quantizer::train(Codec::F16, 10, &[], 0).unwrap();
    // numpy's values have no scale: ours may only be nearer.
    let (ours, plain) = (half.reconstruct(&x).unwrap(), floats(&g["f16"]));
    for ((x, a), b) in x.iter().zip(ours).zip(plain) {
        assert!((x - a).abs() <= (x - b).abs());
    }
    let bytes = Quantizer::train(Codec::Sq8, 10, &[], 0).unwrap().encode(&x).unwrap();
    let codes = bytes.chunks(18).flat_map(|row| &row[8..]).map(|b| u64::from(*b));
    assert!(codes.eq(g["sq8"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap())));
}

#[test]
fn every_codec_round_trips_within_its_error_and_answers_queries() {
    let (dim, n) = (48, 700);
    let x = clustered(n, dim, 1);
    for text in CODECS {
        let quantizer = Quantizer::train(text.parse().unwrap(), dim, &x, 3).unwrap();
        let back = quantizer.reconstruct(&x).unwrap();
        let stats = ErrorStats::of(relative_errors(&x, &back, dim));
        let bound = match text {
            "zstd" => 0.0,
            "f16" => 5e-4,
            "sq8" | "rabitq:8" => 0.01,
            "rabitq:3" => 0.3,
            "rabitq:1" => 0.8,
            _ => 0.6,
        };
        assert!(stats.p99 <= bound, "{text}: {stats:?}");
        let chunk = quantizer.encode(&x).unwrap();
        assert_eq!(quantizer.chunk_len(n).unwrap_or(chunk.len()), chunk.len());
        let mut some = Vec::new();
        quantizer.decode(&chunk, n, 33..35, &mut some).unwrap();
        assert_eq!(some, back[33 * dim..35 * dim], "{text}");
        let query = quantizer.query(&x[..dim]);
        let (mut dots, mut norms2) = (Vec::new(), Vec::new());
        query.scan(&chunk, n, &mut dots, &mut norms2).unwrap();
        assert_eq!((dots.len(), norms2.len()), (n, n));
        for i in 0..n {
            let y = &back[i * dim..(i + 1) * dim];
            if norms2[i].is_nan() {
                assert!(text.starts_with("rabitq"));
                continue;
            }
            let scale = dot(y, y);
            assert!((f64::from(norms2[i]) - scale).abs() < 0.02 * scale, "{text}");
            assert!((f64::from(dots[i]) - dot(&x[..dim], y)).abs() < 0.02 * scale, "{text}");
        }
    }
}

/// Recall@10 of rows ranked by cosine estimates, after a rerank of the best `c` by exact cosine.
fn recall(quantizer: &Quantizer, x: &[f32], dim: usize, c: usize) -> f64 {
    let rows: Vec<&[f32]> = x.chunks_exact(dim).collect();
    let cosine = |a: &[f32], b: &[f32]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    let best = |scores: Vec<f64>, k: usize| {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
        order.truncate(k);
        order
    };
    let (mut found, mut queries) = (0, 0);
    for q in rows.iter().step_by(29) {
        let truth = best(rows.iter().map(|r| cosine(q, r)).collect(), 10);
        let (mut dots, mut norms2) = (Vec::new(), Vec::new());
        let query = quantizer.query(q);
        for chunk in x.chunks(CHUNK_ROWS * dim) {
            let code = quantizer.encode(chunk).unwrap();
            query.scan(&code, chunk.len() / dim, &mut dots, &mut norms2).unwrap();
        }
        let estimate = |i: usize| {
            let n2 = if norms2[i].is_nan() { dot(rows[i], rows[i]) } else { f64::from(norms2[i]) };
            f64::from(dots[i]) / n2.sqrt()
        };
        let mut near = best((0..rows.len()).map(estimate).collect(), c.max(10));
        if c > 10 {
            near.sort_by(|a, b| cosine(q, rows[*b]).total_cmp(&cosine(q, rows[*a])));
            near.truncate(10);
        }
        found += near.iter().filter(|i| truth.contains(i)).count();
        queries += 1;
    }
    found as f64 / (10 * queries) as f64
}

#[test]
fn recall_rises_with_bits_and_with_rerank() {
    let dim = 64;
    let x = clustered(1200, dim, 2);
    let train = |text: &str| Quantizer::train(text.parse().unwrap(), dim, &x, 3).unwrap();
    let at = |text: &str, c: usize| recall(&train(text), &x, dim, c);
    let (few, more) = (at("pq:4", 10), at("pq:16", 10));
    assert!(few < more && more > 0.6, "pq {few} {more}");
    assert!(at("pq:16", 100) > 0.98);
    assert!(at("rabitq:1", 100) > 0.95);
    assert!(at("sq8", 10) > 0.97 && at("f16", 10) > 0.99 && at("zstd", 10) == 1.0);
}

#[test]
fn codebooks_are_the_same_for_any_number_of_threads_and_survive_storing() {
    let dim = 20;
    let x = clustered(500, dim, 4);
    for text in CODECS {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let q = Quantizer::train(text.parse().unwrap(), dim, &x, 3).unwrap();
                (q.encode(&x).unwrap(), q)
            })
        };
        let (one, three) = (on(1), on(3));
        assert!(one == three, "{text}");
        assert_eq!(Quantizer::from_parts(one.1.parts()).unwrap(), one.1);
    }
}

#[test]
fn drift_is_seen_and_noise_is_not() {
    let dim = 32;
    let x = clustered(3000, dim, 5);
    let quantizer = Quantizer::train(Codec::Pq { m: 8 }, dim, &x[..2000 * dim], 1).unwrap();
    let same = quantizer.drift(&x[2000 * dim..]).unwrap();
    assert!(!same.exceeds(0.5), "{same:?}");
    let other = quantizer.drift(&clustered(1000, dim, 6)).unwrap();
    assert!(other.exceeds(0.5) && other.ratio() > same.ratio(), "{other:?}");
}

#[test]
fn wrong_lengths_and_codes_are_refused() {
    let dim = 20;
    let x = clustered(100, dim, 7);
    for text in CODECS {
        let q = Quantizer::train(text.parse().unwrap(), dim, &x, 3).unwrap();
        let chunk = q.encode(&x).unwrap();
        for bad in [&chunk[..chunk.len() - 1], &[]] {
            assert!(q.decode(bad, 100, 0..100, &mut Vec::new()).is_err(), "{text}");
            assert!(q.query(&x[..dim]).scan(bad, 100, &mut Vec::new(), &mut Vec::new()).is_err());
        }
    }
    // 100 rows make a codebook of 100 centroids: code 255 has none.
    let q = Quantizer::train(Codec::Pq { m: 4 }, dim, &x, 3).unwrap();
    assert!(q.decode(&[255; 4], 1, 0..1, &mut Vec::new()).is_err());
    let mut parts = q.parts();
    parts.centroids.pop();
    assert!(Quantizer::from_parts(parts).is_err());
    let mut parts = q.parts();
    parts.centroids[0] = f32::NAN;
    assert!(Quantizer::from_parts(parts).is_err());
    assert!(Quantizer::train(Codec::Pq { m: 4 }, dim, &[], 3).is_err());
    assert!(Quantizer::train(Codec::Pq { m: 21 }, dim, &x, 3).is_err());
}
