//! Calibrations: how far off forecasts were on a sample of entities, kept and reused.
//!
//! Owns the results `calibration.KEY`; KEY is a hash of the question, which the file repeats in
//! full. A stored calibration serves the commit that it was made of, and later ones until a tenth
//! of the points have changed.

use super::Sample;
use crate::analytics::Cuts;
use crate::analytics::predict::{Calibration, Method, Settings, rolling, season};
use crate::dataset::{self, Options, Select, Snapshot};
use crate::error::Result;
use crate::format::checksum::hash64;
use crate::fsio;
use crate::model::TimestampUs;
use crate::results::stored::{self, Creator, Head, Stored, What};
use crate::watch::Watch;
use serde_json::{Value, json};

/// Questions whose answers are kept; the longest untouched ones go first.
const MOST_KEPT: usize = 64;
/// Vector values of a sample that are read into memory: 256 MiB.
const MAX_VALUES: usize = 64 << 20;
/// Fewest points of an entity with which a method can be tried.
const MIN_POINTS: u64 = 3;

/// What is to be calibrated. Which entities the selection names does not matter: all are drawn
/// from, so that parts of a job agree.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Which points count.
    pub select: &'a Select,
    /// Where trajectories are cut.
    pub cuts: Cuts,
    /// Entities to try the methods on.
    pub entities: u64,
    /// What the methods are told.
    pub settings: Settings<'a>,
    /// Of the sample.
    pub seed: u64,
}

/// A calibration and the commit that it was made of.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The past forecasts.
    pub calibration: Calibration,
    /// Of the dataset.
    pub commit: u64,
}

impl Question<'_> {
    /// Everything that decides the scores.
    fn parameters(&self) -> Value {
        let s = self.select;
        let model = self.settings.model.map(|m| format!("{:016x}", hash64(&m.encode())));
        json!({
            "align": format!("{:?}", self.cuts.align),
            "entities": self.entities,
            "max_gap_us": self.cuts.max_gap_us,
            "min_points": s.min_points,
            "model": s.model,
            "node": model,
            "seed": self.seed,
            "source": s.source,
            "time": [s.time.first(), s.time.last()],
            "where": s.filter.as_ref().map(|f| format!("{f:?}")),
            "window": self.settings.window,
        })
    }

    /// The entities to draw, by a seeded hash.
    fn sample(&self) -> Select {
        Select {
            entities: None,
            limit: None,
            shard: None,
            sample: Some(dataset::Sample::Count(self.entities)),
            seed: self.seed,
            min_points: self.select.min_points.max(MIN_POINTS),
            ..self.select.clone()
        }
    }

    /// Tries every method on the sample.
    ///
    /// # Errors
    /// Fails when the sample cannot be read or the watch stops the run.
    pub fn answer(&self, snapshot: &Snapshot, watch: &dyn Watch) -> Result<Calibration> {
        let sample = Sample::read(snapshot, &self.sample(), MAX_VALUES)?;
        let views = sample.views(&self.cuts);
        let methods: Vec<Method> =
            Method::ALL.into_iter().filter(|m| *m != Method::Node || self.settings.model.is_some()).collect();
        let per_horizon = usize::try_from(self.entities).unwrap_or(usize::MAX);
        let unit_s = rolling::median_step_s(&views).unwrap_or(1.0);
        let period_s = season::period(&views, unit_s, self.seed);
        let settings = Settings { period_s, ..self.settings };
        let cases = rolling::evaluate_watched(&views, &methods, per_horizon, self.seed, &settings, watch)?;
        Ok(Calibration::new(cases, unit_s).repeating(period_s))
    }

    /// The stored calibration, if there is one that still serves the snapshot; `None` as well for
    /// one that another version of cvx wrote in another layout, which the next one replaces. A
    /// damaged one is an error, for a warning.
    pub fn stored(&self, snapshot: &Snapshot) -> Result<Option<Kept>> {
        let question = self.parameters();
        let name = key(&question);
        let found = Stored::open(snapshot.dir(), snapshot.config().id, What::Calibration, &name)?;
        let Some(Stored { container, head }) = found else { return Ok(None) };
        container.check_all()?;
        if head.parameters["question"] != question || !serves(&head, snapshot) {
            return Ok(None);
        }
        let bytes = container.all(*b"SCOR")?;
        if Calibration::is_of_another_version(bytes) {
            return Ok(None);
        }
        let calibration = Calibration::decode(bytes)
            .map_err(|m| container.damaged(format!("the calibration cannot be read: {m}")))?;
        Ok(Some(Kept { calibration, commit: head.commit }))
    }

    /// Keeps an answer beside the dataset; `now` is when it was made.
    pub fn store(
        &self,
        snapshot: &Snapshot,
        answer: &Calibration,
        now: TimestampUs,
        options: &Options,
    ) -> Result<()> {
        let question = self.parameters();
        let head = Head {
            what: What::Calibration.as_str().into(),
            name: key(&question),
            created_us: now,
            commit: snapshot.manifest().commit,
            seq: snapshot.next_seq(),
            command: options.command.clone(),
            rows: answer.cases() as u64,
            parameters: json!({"points": snapshot.points(), "question": question}),
        };
        dataset::publish(snapshot.dir(), options, || {
            let id = snapshot.config().id;
            let mut file = Creator::create(snapshot.dir(), id, What::Calibration, &head.name)?;
            file.writer.write_section(*b"SCOR", &answer.encode())?;
            file.finish(&head)?;
            forget_oldest(snapshot)
        })
    }
}

fn key(question: &Value) -> String {
    format!("{:016x}", hash64(question.to_string().as_bytes()))
}

/// Rows that came or went since are less than a tenth of what there was.
fn serves(head: &Head, snapshot: &Snapshot) -> bool {
    if head.commit == snapshot.manifest().commit && head.seq == snapshot.next_seq() {
        return true;
    }
    let (Some(came), Some(before)) =
        (snapshot.next_seq().checked_sub(head.seq), head.parameters["points"].as_u64())
    else {
        return false;
    };
    let went = before.saturating_add(came).saturating_sub(snapshot.points());
    came.saturating_add(went).saturating_mul(10) < before
}

/// Questions about `--from -30d` differ every day: what was written longest ago goes.
fn forget_oldest(snapshot: &Snapshot) -> Result<()> {
    let mut files = Vec::new();
    for name in stored::names(snapshot.dir(), What::Calibration)? {
        let path = stored::path(snapshot.dir(), What::Calibration, &name)?;
        files.push((std::fs::metadata(&path).and_then(|m| m.modified()).ok(), path));
    }
    files.sort();
    let surplus = files.len().saturating_sub(MOST_KEPT);
    files.iter().take(surplus).try_for_each(|(_, path)| fsio::remove_file(path))
}
