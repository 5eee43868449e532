//! One entity's stream over many runs: a detector that starts again after a gap, and that can be
//! stored and taken up again.

use super::{Alarm, Detector, Doubt, Params};
use crate::analytics::pieces::Cuts;
use crate::model::TimestampUs;
use serde::{Deserialize, Serialize};

/// A detector, and how many points came before it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    detector: Detector,
    /// Points before the last gap.
    before: u64,
}

impl Stream {
    /// A stream of vectors of `dim` values.
    pub fn new(dim: usize, params: Params) -> Self {
        Stream { detector: Detector::new(dim, params), before: 0 }
    }

    /// Number of points seen.
    pub fn seen(&self) -> u64 {
        self.before + self.detector.seen()
    }

    /// Time of the last point seen: only later ones are taken.
    pub fn last_time(&self) -> Option<TimestampUs> {
        self.detector.last_time()
    }

    /// True once the detector has learnt its scales and can raise an alarm.
    pub fn is_warm(&self) -> bool {
        self.detector.p_recent().is_some()
    }

    /// Posterior mass on a change of level within the last 64 points; `None` during the warm-up.
    pub fn p_recent(&self) -> Option<f64> {
        self.detector.p_recent()
    }

    /// What makes its answers doubtful.
    pub fn doubt(&self) -> Option<Doubt> {
        self.detector.doubt()
    }

    /// Takes in the next point. After a gap the warm-up begins again.
    pub fn observe(&mut self, t: TimestampUs, x: &[f32], cuts: &Cuts) -> Option<Alarm> {
        if self.last_time().is_some_and(|last| last < t && cuts.is_gap(last, t)) {
            self.before = self.seen();
            self.detector = Detector::new(self.detector.dim, self.detector.params);
        }
        let before = self.before;
        self.detector.observe(t, x).map(|alarm| Alarm {
            index: alarm.index + before,
            detected_index: alarm.detected_index + before,
            ..alarm
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytics::rng::Random;

    /// Noise of standard deviation 1 with a jump by 8 at 150, `n` points a second apart.
    fn points(n: usize) -> Vec<(i64, [f32; 1])> {
        let mut random = Random::new(5, "test", 0);
        let jump = |i: usize| if i < 150 { 0.0 } else { 8.0 };
        (0..n).map(|i| (i as i64 * 1_000_000, [(random.normal() + jump(i)) as f32])).collect()
    }

    fn feed(stream: &mut Stream, points: &[(i64, [f32; 1])], cuts: &Cuts) -> Vec<Alarm> {
        points.iter().filter_map(|(t, x)| stream.observe(*t, x, cuts)).collect()
    }

    #[test]
    fn a_stored_stream_goes_on_as_if_never_stopped() {
        let (points, cuts) = (points(300), Cuts::default());
        let mut whole = Stream::new(1, Params::default());
        let alarms = feed(&mut whole, &points, &cuts);
        assert_eq!((alarms.len(), alarms[0].index, alarms[0].t), (1, 150, 150_000_000));
        for cut in [1, 40, 80, 149, 152, 299] {
            let mut first = Stream::new(1, Params::default());
            let mut found = feed(&mut first, &points[..cut], &cuts);
            let stored = serde_json::to_vec(&first).unwrap();
            let mut second: Stream = serde_json::from_slice(&stored).unwrap();
            // Points that were seen are passed over.
            found.extend(feed(&mut second, &points[cut.saturating_sub(5)..], &cuts));
            assert_eq!(found, alarms, "{cut}");
            assert_eq!(serde_json::to_vec(&second).unwrap(), serde_json::to_vec(&whole).unwrap());
        }
    }

    #[test]
    fn a_gap_begins_anew_and_positions_go_on() {
        let mut points = points(300);
        points[150..].iter_mut().for_each(|p| p.0 += 3_600_000_000);
        let cuts = Cuts { max_gap_us: Some(60_000_000), ..Cuts::default() };
        let mut stream = Stream::new(1, Params::default());
        assert!(feed(&mut stream, &points, &cuts).is_empty(), "no change is seen across a gap");
        assert_eq!((stream.seen(), stream.is_warm()), (300, true));
        let later: Vec<_> = (300..320).map(|i| (points[299].0 + i, [-9.0f32])).collect();
        let alarms = feed(&mut stream, &later, &cuts);
        assert_eq!(alarms[0].index, 300);
    }
}
