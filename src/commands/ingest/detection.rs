//! Looking for change points in the batches of an ingest, once they are durable.
//!
//! A run that is killed leaves the states of the run before; the next one catches up with the
//! points that are stored, and tells their changes then: each is told at least once.

use super::Event;
use crate::analytics::changepoint::bocpd::Params;
use crate::commands::changepoints::detector::{Live, Settings, Step};
use crate::dataset::Snapshot;
use crate::dict::Dictionary;
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::points::{Points, Texts};
use crate::results::stored::{Head, What};
use crate::time::clock_us;
use std::path::Path;

/// How to look.
#[derive(Debug, Clone, PartialEq)]
pub struct Detect {
    /// What decides the answers.
    pub settings: Settings,
    /// The name under which states are kept.
    pub state: String,
    /// The command that they are said to be made by.
    pub command: String,
}

impl Default for Detect {
    fn default() -> Self {
        Detect {
            settings: Settings::new(Params::default()),
            state: "ingest".into(),
            command: "ingest".into(),
        }
    }
}

/// The detectors of a run.
pub(super) struct Detection {
    detect: Detect,
    live: Live,
    late: u64,
}

type OnEvent<'a> = &'a mut dyn FnMut(Event) -> Result<()>;

/// Tells the changes of a step.
fn tell(step: Step, name: Option<String>, on_event: OnEvent<'_>) -> Result<()> {
    for alarm in step.alarms {
        on_event(Event::Change { entity: step.entity, name: name.clone(), alarm })?;
    }
    Ok(())
}

impl Detection {
    /// Takes up the states, and catches up with what was stored since. The caller holds the lock.
    pub fn open(dir: &Path, detect: &Detect, on_event: OnEvent<'_>) -> Result<Detection> {
        crate::results::stored::path(dir, What::States, &detect.state)?;
        let snapshot = Snapshot::open(dir, None)?;
        let live = Live::open(&snapshot, &detect.state, detect.settings.clone(), |step| {
            let name = snapshot.entity_name(step.entity)?;
            tell(step, name, on_event)
        })?;
        Ok(Detection { detect: detect.clone(), live, late: 0 })
    }

    /// Looks at a batch that is durable; `added` of its rows were new. `names` are the entities'
    /// names, one a row, where entities have names.
    pub fn take(
        &mut self,
        mut points: Points,
        names: Option<&Texts>,
        added: u64,
        dict: &Dictionary,
        on_event: OnEvent<'_>,
    ) -> Result<()> {
        if let Some(names) = names {
            for (id, name) in points.entity.iter_mut().zip(names.iter()) {
                let unknown = || Error::internal("an entity that was just stored has no id");
                *id = dict.id(name)?.ok_or_else(unknown)?;
            }
        }
        let named = names.is_some();
        let mut late = 0;
        self.live.take(&points, |step| {
            late += step.late;
            let name = if named { dict.name(step.entity)? } else { None };
            tell(step, name, on_event)
        })?;
        // Rows that were stored before stand at times that were passed, too.
        self.late += late.min(added);
        Ok(())
    }

    /// New points that came too late to be looked at.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Stores the states; `seen`: the version and the sequence number that they stand for.
    pub fn finish(self, dir: &Path, dataset: DatasetId, seen: (u64, u64)) -> Result<()> {
        let parameters = serde_json::to_value(self.detect.settings)
            .map_err(|e| Error::internal(format!("settings: {e}")))?;
        let head = Head {
            what: What::States.as_str().into(),
            name: self.detect.state,
            created_us: clock_us(),
            commit: seen.0,
            seq: seen.1,
            command: self.detect.command,
            rows: 0,
            parameters,
        };
        self.live.finish(dir, dataset, head)
    }
}
