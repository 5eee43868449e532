//! Change points while points come in: each entity's detector is kept in the dataset and goes on
//! with the points that are new.
//!
//! A state knows the last time it has seen; later points are fed to it in the order of their
//! times, whether they come from a stored trajectory or from a batch that was just made durable.
//! Points that come late, at times that were passed, are counted and left out.

use crate::analytics::changepoint::bocpd::{Alarm, Doubt, Params, Stream};
use crate::analytics::{Align, Cuts, Status};
use crate::commands::each::pool::{self, Order};
use crate::dataset::{Rows, Select, Selected, Snapshot, Trajectories};
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::model::{EntityId, TimestampUs, Trajectory};
use crate::points::Points;
use crate::results::states::{NextStates, States, pack};
use crate::results::stored::Head;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// What decides a detector's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Parameters of the detector.
    pub params: Params,
    /// Scale every vector to length 1 first.
    pub normalize: bool,
    /// After a longer step the detector begins anew.
    pub max_gap_us: Option<i64>,
    /// Take all embedding models for one space.
    pub mix_models: bool,
    /// Which points count, where not all do.
    #[serde(default)]
    pub points: String,
    /// The detector that made the states: its states are no other's.
    pub detector: u32,
}

/// The detector of this version. 1 had no such number, and was a Student t a run length.
const DETECTOR: u32 = 2;

impl Settings {
    /// With the default parameters of everything but the detector.
    pub fn new(params: Params) -> Self {
        Settings {
            params,
            normalize: false,
            max_gap_us: None,
            mix_models: false,
            points: String::new(),
            detector: DETECTOR,
        }
    }

    fn cuts(&self) -> Cuts {
        let align = if self.mix_models { Align::Off } else { Align::Error };
        Cuts { max_gap_us: self.max_gap_us, align }
    }

    /// Opens the states of this name; settings other than those they were made with are refused.
    pub fn open(&self, dir: &Path, dataset: DatasetId, name: &str) -> Result<Option<States>> {
        let Some(states) = States::open(dir, dataset, name)? else { return Ok(None) };
        let made: Option<Settings> = serde_json::from_value(states.head().parameters.clone()).ok();
        if made.as_ref() == Some(self) {
            return Ok(Some(states));
        }
        if made.as_ref().is_none_or(|m| m.detector != DETECTOR) {
            return Err(Error::usage(format!(
                "the state {name} was kept by the detector of another version"
            ))
            .fix("use another name: it reads all points once, and goes on from there"));
        }
        let told = made.map_or_else(String::new, |m| m.to_string());
        Err(Error::usage(format!("the state {name} was made with other settings"))
            .fix(format!("it has {told}; here are {self}; use these, or another name")))
    }
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let p = &self.params;
        write!(f, "arl {}, warm-up {}, normalize {}", p.arl, p.warmup, self.normalize)?;
        if let Some(us) = self.max_gap_us {
            write!(f, ", gaps above {} s", us as f64 / 1e6)?;
        }
        let points = if self.points.is_empty() { "all points" } else { &self.points };
        write!(f, ", of {points}")
    }
}

/// The state of one entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Embedding model of the points so far; `None` before the first.
    model: Option<String>,
    /// True once points of another model have come: distances mean nothing from there on.
    broken: bool,
    /// True once a point's vector was not the one that was ingested.
    approx: bool,
    stream: Stream,
}

/// What a run says of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The entity.
    pub entity: EntityId,
    /// Changes noticed in this run.
    pub alarms: Vec<Alarm>,
    /// Points seen so far.
    pub seen: u64,
    /// Posterior mass on a change of level within the last 64 points, at the end.
    pub p_recent: Option<f64>,
    /// What makes the answers doubtful.
    pub doubt: Option<Doubt>,
    /// New points at times that were passed already.
    pub late: u64,
    /// True when a vector that was seen is not the one that was ingested.
    pub approx: bool,
    /// Why nothing may be found.
    pub status: Status,
}

impl Entry {
    /// Before the first point.
    pub fn new(dim: usize, settings: &Settings) -> Self {
        Entry { model: None, broken: false, approx: false, stream: Stream::new(dim, settings.params) }
    }

    /// Reads a stored state.
    fn stored(states: Option<&States>, entity: EntityId) -> Result<Option<Entry>> {
        let Some(bytes) = states.map(|s| s.get(entity)).transpose()?.flatten() else { return Ok(None) };
        let entry = serde_json::from_slice(&bytes);
        entry
            .map(Some)
            .map_err(|e| Error::internal(format!("a state of entity {entity} cannot be read: {e}")))
    }

    fn packed(&self) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(self).map_err(|e| Error::internal(format!("a state: {e}")))?;
        pack(&text)
    }

    /// True for a point that is still to come.
    fn awaits(&self, t: TimestampUs) -> bool {
        self.stream.last_time().is_none_or(|last| last < t)
    }

    /// Takes in a point of an embedding model.
    fn observe(&mut self, t: TimestampUs, x: &[f32], model: &str, settings: &Settings) -> Option<Alarm> {
        let known = self.model.get_or_insert_with(|| model.to_owned());
        if known != model && !settings.mix_models {
            self.broken = true;
        }
        if self.broken {
            return None;
        }
        let cuts = settings.cuts();
        match settings.normalize {
            true => self.stream.observe(t, &unit(x), &cuts),
            false => self.stream.observe(t, x, &cuts),
        }
    }

    fn step(&self, entity: EntityId, alarms: Vec<Alarm>, late: u64) -> Step {
        let status = match self.stream.is_warm() {
            _ if self.broken => Status::ModelBreak,
            false => Status::FewPoints,
            true => Status::Ok,
        };
        let (seen, p_recent) = (self.stream.seen(), self.stream.p_recent());
        let doubt = self.stream.doubt();
        Step { entity, alarms, seen, p_recent, doubt, late, approx: self.approx, status }
    }
}

/// A vector scaled to length 1; the zero vector stays.
fn unit(x: &[f32]) -> Vec<f32> {
    let length = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    let scale = |&v: &f32| if length > 0.0 { (f64::from(v) / length) as f32 } else { v };
    x.iter().map(scale).collect()
}

/// A whole trajectory at once, without a state.
pub fn detect(trajectory: &Trajectory<'_>, settings: &Settings) -> Step {
    let mut entry = Entry::new(trajectory.dim, settings);
    entry.broken = trajectory.mixes_models() && !settings.mix_models;
    let points = 0..trajectory.len();
    let alarms =
        points.filter_map(|i| entry.observe(trajectory.t[i], trajectory.row(i), "", settings)).collect();
    let step = entry.step(trajectory.entity, alarms, 0);
    Step { seen: trajectory.len() as u64, ..step }
}

/// Feeds an entity's detector with those of its points that it has not seen; of the others not
/// even the vectors are read.
fn advance(
    rows: &Rows<'_>,
    x: &mut Vec<f32>,
    dim: usize,
    states: Option<&States>,
    settings: &Settings,
) -> Result<(Step, Entry)> {
    let stored = Entry::stored(states, rows.entity)?;
    let mut entry = stored.unwrap_or_else(|| Entry::new(dim, settings));
    let first = rows.t.partition_point(|t| !entry.awaits(*t));
    let seq = states.map_or(0, |s| s.head().seq);
    let late = (0..first).filter(|&i| rows.seq(i) >= seq).count() as u64;
    rows.read(first..rows.len(), x)?;
    let mut alarms = Vec::new();
    for (i, x) in (first..rows.len()).zip(x.chunks_exact(dim)) {
        entry.approx |= rows.is_approx(i);
        alarms.extend(entry.observe(rows.t[i], x, &rows.origin(i).model, settings));
    }
    let step = entry.step(rows.entity, alarms, if states.is_some() { late } else { 0 });
    Ok((step, entry))
}

/// A run over stored points that takes up states and leaves the next ones.
pub struct Resume<'a> {
    /// The version that is read.
    pub snapshot: &'a Snapshot,
    /// What decides the answers.
    pub settings: &'a Settings,
    /// The states to go on from, if any.
    pub states: Option<&'a States>,
}

impl Resume<'_> {
    /// Goes on with the new points of the selected entities, in their order; each entity's step
    /// goes to `emit` with its next state, packed for [`NextStates::put`].
    pub fn run(
        &self,
        selected: Selected<'_>,
        mut emit: impl FnMut(Step, Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let dim = self.snapshot.settings().dim;
        let work = |rows: &Rows<'_>, x: &mut Vec<f32>| {
            let (step, entry) = advance(rows, x, dim, self.states, self.settings)?;
            Ok((step, entry.packed()?))
        };
        let emit = |(step, packed)| emit(step, packed);
        pool::for_each(Trajectories::new(selected), dim, Order::Entity, work, emit)
    }
}

/// Detectors that look at batches as they become durable.
#[derive(Debug)]
pub struct Live {
    settings: Settings,
    dim: usize,
    states: Option<States>,
    entries: BTreeMap<EntityId, Entry>,
}

impl Live {
    /// Takes up the states of this name, and catches up with points that were stored since by
    /// runs without detection, or by one that was killed. Steps with news go to `emit`.
    pub fn open(
        snapshot: &Snapshot,
        name: &str,
        settings: Settings,
        mut emit: impl FnMut(Step) -> Result<()>,
    ) -> Result<Live> {
        let states = settings.open(snapshot.dir(), snapshot.config().id, name)?;
        let dim = snapshot.settings().dim;
        let mut entries = BTreeMap::new();
        let caught_up = states.as_ref().is_some_and(|s| s.head().seq == snapshot.next_seq());
        if !caught_up {
            let work = |rows: &Rows<'_>, x: &mut Vec<f32>| {
                let (step, entry) = advance(rows, x, dim, states.as_ref(), &settings)?;
                let moved = !x.is_empty();
                Ok((step, entry, moved))
            };
            let selected = Select::default().resolve(snapshot)?;
            pool::for_each(Trajectories::new(selected), dim, Order::Entity, work, |(step, entry, moved)| {
                if moved {
                    entries.insert(step.entity, entry);
                }
                emit(step)
            })?;
        }
        Ok(Live { settings, dim, states, entries })
    }

    /// Takes in a batch, entity by entity in the order of times; what was seen before is left out.
    pub fn take(&mut self, points: &Points, mut emit: impl FnMut(Step) -> Result<()>) -> Result<()> {
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by_key(|&i| points.key(i));
        for of_entity in order.chunk_by(|&a, &b| points.entity[a] == points.entity[b]) {
            let entity = points.entity[of_entity[0]];
            if !self.entries.contains_key(&entity) {
                let stored = Entry::stored(self.states.as_ref(), entity)?;
                let fresh = || Entry::new(self.dim, &self.settings);
                self.entries.insert(entity, stored.unwrap_or_else(fresh));
            }
            let Some(entry) = self.entries.get_mut(&entity) else { continue };
            let (mut alarms, mut late) = (Vec::new(), 0);
            for &i in of_entity {
                let key = points.key(i);
                if entry.awaits(key.t) {
                    let model = &points.origins[points.origin[i] as usize].model;
                    alarms.extend(entry.observe(key.t, points.row(i), model, &self.settings));
                } else {
                    late += 1;
                }
            }
            emit(entry.step(entity, alarms, late))?;
        }
        Ok(())
    }

    /// Stores the states; the caller holds the writer's lock. `head` says what has been read.
    pub fn finish(self, dir: &Path, dataset: DatasetId, head: Head) -> Result<()> {
        let mut next = NextStates::create(dir, dataset, &head.name, self.states)?;
        for (entity, entry) in &self.entries {
            next.put(*entity, &entry.packed()?)?;
        }
        next.finish(head)
    }
}
