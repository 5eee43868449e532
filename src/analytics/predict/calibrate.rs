//! The past forecasts of a dataset, as they are stored. [`super::outlook`] reads radii from them.

use super::Method;
use super::rolling::{Case, DIMS_KEPT, MethodError, Outcome};
use crate::analytics::rng::Random;
use crate::format::codec::{Decoder, Encoder, Malformed};
use std::collections::BTreeSet;

/// Version of the encoding. Version 1 held scores pooled over octaves of the horizon, from which
/// no radius of one horizon can be read.
const VERSION: u32 = 2;
/// Cases that are kept: about 9 MB.
const MOST_CASES: usize = 1 << 16;

/// The stored outcome of a rolling-origin evaluation.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// The sample's median step, in seconds.
    pub unit_s: f64,
    /// The period with which the sample repeats itself, in seconds.
    pub period_s: Option<f64>,
    /// Entities that had a case.
    pub entities: u32,
    /// Cases of histories that move, by horizon.
    pub(super) moving: Vec<Case>,
    /// Cases of histories whose points are all equal, by horizon.
    pub(super) still: Vec<Case>,
}

impl Calibration {
    /// From cases (see [`super::rolling::evaluate`]); `unit_s` is the sample's median step.
    pub fn new(mut cases: Vec<Case>, unit_s: f64) -> Self {
        if cases.len() > MOST_CASES {
            Random::new(cases.len() as u64, "predict cases", 0).shuffle(&mut cases);
            cases.truncate(MOST_CASES);
        }
        cases.sort_by(|a, b| {
            a.horizon_s.total_cmp(&b.horizon_s).then((a.entity, a.t_last).cmp(&(b.entity, b.t_last)))
        });
        let entities: BTreeSet<_> = cases.iter().map(|c| c.entity).collect();
        let (still, moving) = cases.into_iter().partition(Case::still);
        Calibration { unit_s, period_s: None, entities: entities.len() as u32, moving, still }
    }

    /// The same, of a sample that repeats itself.
    pub fn repeating(self, period_s: Option<f64>) -> Self {
        Calibration { period_s, ..self }
    }

    /// How many cases there are.
    pub fn cases(&self) -> usize {
        self.moving.len() + self.still.len()
    }

    /// True for the encoding of another version: to be made again, and no damage.
    pub fn is_of_another_version(bytes: &[u8]) -> bool {
        Decoder::new(bytes).u32().is_ok_and(|v| v != VERSION)
    }

    /// Little-endian bytes, see [`Calibration::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let cases = || self.moving.iter().chain(&self.still);
        let used: Vec<Method> = Method::ALL.into_iter().filter(|m| cases().any(|c| c.tried(*m))).collect();
        let mut e = Encoder::new();
        e.u32(VERSION)
            .f64(self.unit_s)
            .f64(self.period_s.unwrap_or(f64::NAN))
            .u32(self.entities)
            .u32(used.len() as u32);
        used.iter().for_each(|m| _ = e.text(m.as_str()));
        e.u32(self.cases() as u32);
        for c in cases() {
            e.u64(c.entity).u32(c.history as u32).i64(c.t_last).i64(c.t);
            e.f64(c.horizon_s).f64(c.step).f64(c.step_s);
            for m in &used {
                let (distance, dims) = match c.outcomes[m.ordinal()] {
                    Outcome::NotTried => (-1.0, [f32::NAN; DIMS_KEPT]),
                    Outcome::NoAnswer => (f64::NAN, [f32::NAN; DIMS_KEPT]),
                    Outcome::Answer(MethodError { distance, dim_scores }) => (distance, dim_scores),
                };
                e.f64(distance);
                dims.iter().for_each(|s| _ = e.u32(s.to_bits()));
            }
        }
        e.bytes
    }

    /// Reads what [`Calibration::encode`] wrote; refuses lengths, orders and numbers that it
    /// could not have written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut d = Decoder::new(bytes);
        if d.u32()? != VERSION {
            return d.malformed("another version of the calibration");
        }
        let unit_s = d.f64()?;
        if !(unit_s.is_finite() && unit_s > 0.0) {
            return d.malformed("a unit of time that is not positive");
        }
        let period_s = Some(d.f64()?).filter(|p| !p.is_nan());
        if period_s.is_some_and(|p| !(p.is_finite() && p > 0.0)) {
            return d.malformed("a period that is not positive");
        }
        let entities = d.u32()?;
        let mut used = Vec::new();
        for _ in 0..d.count(4)? {
            match Method::from_name(d.text()?) {
                Some(m) if !used.contains(&m) => used.push(m),
                _ => return d.malformed("an unknown method"),
            }
        }
        let count = d.count(52 + 16 * used.len())?;
        let cases = (0..count).map(|_| case(&mut d, &used)).collect::<Result<Vec<_>, _>>()?;
        d.end()?;
        let (still, moving): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::still);
        let sorted = |cases: &[Case]| cases.is_sorted_by(|a, b| a.horizon_s <= b.horizon_s);
        if !(sorted(&still) && sorted(&moving)) {
            return d.malformed("cases that do not ascend by horizon");
        }
        Ok(Calibration { unit_s, period_s, entities, moving, still })
    }
}

fn case(d: &mut Decoder, used: &[Method]) -> Result<Case, Malformed> {
    let mut out = Case {
        entity: d.u64()?,
        history: d.u32()? as usize,
        t_last: d.i64()?,
        t: d.i64()?,
        horizon_s: d.f64()?,
        step: d.f64()?,
        step_s: d.f64()?,
        outcomes: [Outcome::NotTried; Method::ALL.len()],
    };
    let positive = |v: f64| v > 0.0 && v.is_finite();
    if !(positive(out.horizon_s) && positive(out.step_s) && out.step >= 0.0 && out.step.is_finite())
        || out.history < 2
        || out.t <= out.t_last
    {
        return d.malformed("a case without a length of time or a step");
    }
    for m in used {
        let distance = d.f64()?;
        let mut dim_scores = [0.0; DIMS_KEPT];
        for s in &mut dim_scores {
            *s = f32::from_bits(d.u32()?);
        }
        out.outcomes[m.ordinal()] = match distance {
            v if v.is_nan() => Outcome::NoAnswer,
            v if v >= 0.0 => Outcome::Answer(MethodError { distance, dim_scores }),
            _ => Outcome::NotTried,
        };
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::predict::rolling::{evaluate, median_step_s};
    use crate::analytics::predict::{Settings, synthetic};

    #[test]
    fn encoding_is_lossless_and_every_cut_is_refused() {
        let mut set = synthetic::walks(6, 12, 2, 1);
        set[2].x.fill(1.0);
        let sample = synthetic::views(&set);
        let cases = evaluate(&sample, &Method::ALL, 10, 5, &Settings::default());
        let c = Calibration::new(cases, median_step_s(&sample).unwrap()).repeating(Some(7.5));
        assert!(!c.still.is_empty() && !c.moving.is_empty());
        let bytes = c.encode();
        // Errors that are not numbers are not equal to themselves.
        assert_eq!(format!("{:?}", Calibration::decode(&bytes).unwrap()), format!("{c:?}"));
        for n in (0..bytes.len()).step_by(7) {
            assert!(Calibration::decode(&bytes[..n]).is_err(), "{n}");
        }
        let mut other = bytes.clone();
        other[0] = 1;
        assert!(Calibration::decode(&other).unwrap_err().what.contains("version"));
        assert!(Calibration::is_of_another_version(&other) && !Calibration::is_of_another_version(&bytes));
        assert!(!Calibration::is_of_another_version(&[]));
    }

    #[test]
    fn cases_are_bounded() {
        let set = synthetic::regular(1, 40, |_, _| 0.0, 1);
        let one = evaluate(&synthetic::views(&set), &[Method::Last], 30, 5, &Settings::default());
        let many = one.iter().cycle().take(MOST_CASES + 1000).cloned().collect();
        assert_eq!(Calibration::new(many, 3600.0).cases(), MOST_CASES);
    }
}
