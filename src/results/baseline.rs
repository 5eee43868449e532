//! Reference samples of population tests: `results/baseline.NAME.cvxr`.
//!
//! The points of all groups lie one after the other: their entities and their vectors. The
//! description says how many points each group has.

use super::stored::{Creator, Head, Stored, What};
use crate::error::{Error, Result};
use crate::format::DatasetId;
use crate::model::EntityId;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A sample of one group's points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// The group's name; `None` when there are no groups.
    pub group: Option<String>,
    /// Embedding models of its points.
    pub models: Vec<String>,
    /// The entity of each point.
    pub entity: Vec<EntityId>,
    /// Their vectors, row-major.
    pub x: Vec<f32>,
    /// True when a lossy codec changed any of them.
    pub approx: bool,
    /// Points of the window that were left out: those of another embedding model.
    pub left_out: u64,
}

/// What the description says of a group.
#[derive(Debug, Serialize, Deserialize)]
struct Group {
    group: Option<String>,
    models: Vec<String>,
    points: usize,
    /// Files without it were sampled from exact points, or before this was recorded.
    #[serde(default)]
    approx: bool,
    /// Files without it hold points of all models.
    #[serde(default)]
    left_out: u64,
}

/// What stands in the description's parameters.
#[derive(Debug, Serialize, Deserialize)]
struct Parameters {
    dim: usize,
    by: Option<String>,
    from_us: i64,
    to_us: i64,
    groups: Vec<Group>,
}

/// A baseline: samples, and the window that they stand for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    /// Dimension.
    pub dim: usize,
    /// The metadata key that groups were made by.
    pub by: Option<String>,
    /// First and last instant of the window, both inside.
    pub window: (i64, i64),
    /// A sample a group.
    pub samples: Vec<Sample>,
}

impl Baseline {
    /// Writes the baseline; the caller holds the writer's lock. Rows and parameters of `head` are
    /// filled in.
    pub fn write(&self, dir: &Path, dataset: DatasetId, head: Head) -> Result<()> {
        let mut creator = Creator::create(dir, dataset, What::Baseline, &head.name)?;
        let join = |f: fn(&Sample) -> &Vec<EntityId>| self.samples.iter().flat_map(f).copied().collect();
        let entities: Vec<EntityId> = join(|s| &s.entity);
        creator.writer.write_section(*b"ENTS", &entities)?;
        creator.writer.section(*b"VECT", size_of::<f32>(), crate::format::container::ALIGN)?;
        for s in &self.samples {
            creator.writer.write(bytemuck::cast_slice(&s.x))?;
        }
        let group = |s: &Sample| Group {
            group: s.group.clone(),
            models: s.models.clone(),
            points: s.entity.len(),
            approx: s.approx,
            left_out: s.left_out,
        };
        let parameters = Parameters {
            dim: self.dim,
            by: self.by.clone(),
            from_us: self.window.0,
            to_us: self.window.1,
            groups: self.samples.iter().map(group).collect(),
        };
        let parameters =
            serde_json::to_value(parameters).map_err(|e| Error::internal(format!("a baseline: {e}")))?;
        creator.finish(&Head { rows: entities.len() as u64, parameters, ..head })
    }

    /// Reads a baseline.
    pub fn read(stored: &Stored) -> Result<Baseline> {
        let damaged = |what: String| stored.container.damaged(what);
        let p: Parameters = serde_json::from_value(stored.head.parameters.clone())
            .map_err(|e| damaged(format!("the description cannot be read: {e}")))?;
        let (mut entities, mut x) =
            (stored.container.all::<EntityId>(*b"ENTS")?, stored.container.all::<f32>(*b"VECT")?);
        let mut samples = Vec::new();
        for g in p.groups {
            let values = g.points.checked_mul(p.dim);
            let (Some((e, entities_left)), Some((v, x_left))) =
                (entities.split_at_checked(g.points), values.and_then(|n| x.split_at_checked(n)))
            else {
                return Err(damaged("a group lies outside the file".into()));
            };
            let Group { group, models, approx, left_out, .. } = g;
            samples.push(Sample { group, models, entity: e.to_vec(), x: v.to_vec(), approx, left_out });
            (entities, x) = (entities_left, x_left);
        }
        if !entities.is_empty() || !x.is_empty() {
            return Err(damaged("points belong to no group".into()));
        }
        Ok(Baseline { dim: p.dim, by: p.by, window: (p.from_us, p.to_us), samples })
    }
}

#[cfg(test)]
mod tests {
    use super::super::stored::tests::{dataset_dir, head};
    use super::*;

    #[test]
    fn round_trip() {
        let dir = dataset_dir();
        let sample = |group: Option<&str>, n: usize| Sample {
            group: group.map(str::to_string),
            models: vec!["m@1".into()],
            entity: (0..n as u64).collect(),
            x: (0..2 * n).map(|i| i as f32).collect(),
            approx: n == 1,
            left_out: n as u64,
        };
        let baseline = Baseline {
            dim: 2,
            by: Some("lang".into()),
            window: (i64::MIN, 5),
            samples: vec![sample(Some("en"), 3), sample(None, 0), sample(Some("de"), 1)],
        };
        baseline.write(dir.path(), [1; 16], head(What::Baseline, "b")).unwrap();
        let stored = Stored::require(dir.path(), [1; 16], What::Baseline, "b").unwrap();
        assert_eq!(stored.head.rows, 4);
        assert_eq!(Baseline::read(&stored).unwrap(), baseline);
    }
}
