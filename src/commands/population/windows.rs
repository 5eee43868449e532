//! The points of a window of time as samples: what tests of whole populations compare.
//!
//! Two passes over the keys, so that only the vectors of the sample are read: one counts the
//! points of each group, the other picks. A sample depends on the seed, the group and the window,
//! and on nothing else that is compared in the same run.

use crate::analytics::population::sample;
use crate::dataset::{Rows, Select, Snapshot, Trajectories};
use crate::error::{Error, Result};
use crate::format::checksum::hash64;
use crate::model::{TimeRange, TimestampUs};
use crate::results::baseline::Sample;
use crate::time::Grid;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How windows are sampled.
#[derive(Debug, Clone, Copy)]
pub struct Sampling<'a> {
    /// The version that is read.
    pub snapshot: &'a Snapshot,
    /// Which points, in all windows.
    pub select: &'a Select,
    /// Metadata key whose values make groups; a path with dots.
    pub by: Option<&'a str>,
    /// Points of a group at most.
    pub max_points: usize,
    /// Take points of all embedding models, not only of the one that most points of the group have.
    pub mixed: bool,
    /// Seed of the choice.
    pub seed: u64,
}

/// A window's samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    /// By group; the one group without a name when there are no groups.
    pub samples: BTreeMap<Option<String>, Sample>,
    /// Points in the window.
    pub points: u64,
    /// Of those, points without the metadata key.
    pub ungrouped: u64,
}

/// The cells of a calendar grid that hold points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells {
    /// Where they start.
    pub starts: BTreeSet<TimestampUs>,
    /// Groups that have a point in any of them.
    pub groups: usize,
}

/// The group of a point for those that have none.
const NONE: u32 = u32::MAX;

impl Sampling<'_> {
    /// Samples the window `range`.
    pub fn window(&self, range: TimeRange) -> Result<Window> {
        let select = Select { time: self.select.time.intersect(&range), ..self.select.clone() };
        let mut groups = Groups::default();
        for rows in Trajectories::new(select.resolve(self.snapshot)?) {
            for i in 0..rows.len() {
                groups.count(self.group(&rows, i)?, &rows.origin(i).model);
            }
        }
        let mut picks: Vec<Picks> = groups.found.iter().map(|group| self.picks(group, range)).collect();
        let mut at = 0;
        let mut x = Vec::new();
        for rows in Trajectories::new(select.resolve(self.snapshot)?) {
            for i in 0..rows.len() {
                let of = groups.of[at];
                at += 1;
                if let Some(picks) = picks.get_mut(of as usize)
                    && picks.is_of(&rows.origin(i).model)
                    && picks.wants_next()
                {
                    rows.read(i..i + 1, &mut x)?;
                    picks.take(&rows, i, &x);
                }
            }
        }
        let samples = picks.into_iter().map(|p| (p.sample.group.clone(), p.sample)).collect();
        let ungrouped = groups.of.iter().filter(|g| **g == NONE).count() as u64;
        Ok(Window { samples, points: groups.of.len() as u64, ungrouped })
    }

    /// The cells of `grid` that hold a point.
    pub fn occupied(&self, grid: &Grid) -> Result<Cells> {
        let (mut starts, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for rows in Trajectories::new(self.select.resolve(self.snapshot)?) {
            let mut cell: Option<(TimestampUs, Option<TimestampUs>)> = None;
            for &t in &rows.t {
                if cell.is_none_or(|(_, end)| end.is_some_and(|end| t >= end)) {
                    let start = grid.floor(t)?;
                    cell = Some((start, grid.after(start)));
                    starts.insert(start);
                }
            }
            for i in 0..if self.by.is_some() { rows.len() } else { 0 } {
                groups.extend(self.group(&rows, i)?);
            }
        }
        Ok(Cells { starts, groups: if self.by.is_some() { groups.len() } else { 1 } })
    }

    /// The group of a point: `None` where the key is missing.
    fn group(&self, rows: &Rows<'_>, i: usize) -> Result<Option<Option<String>>> {
        let Some(by) = self.by else { return Ok(Some(None)) };
        let text = rows.meta(i)?;
        if text.is_empty() {
            return Ok(None);
        }
        let meta: Value = serde_json::from_str(&text)
            .map_err(|e| Error::internal(format!("metadata that is stored cannot be read: {e}")))?;
        let value = meta.get(by).or_else(|| by.split('.').try_fold(&meta, |v, name| v.get(name)));
        Ok(match value {
            None | Some(Value::Null) => None,
            Some(Value::String(s)) => Some(Some(s.clone())),
            Some(other) => Some(Some(other.to_string())),
        })
    }

    fn picks(&self, group: &Group, range: TimeRange) -> Picks {
        let label = format!("{}\u{0}{}", group.name.as_deref().unwrap_or(""), range.first());
        let all: usize = group.models.iter().map(|(_, n)| n).sum();
        // The model of most points; of two with as many, the first one by name.
        let most = group.models.iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0)));
        let (only, n) = match most {
            Some((model, n)) if !self.mixed => (Some(model.clone()), *n),
            _ => (None, all),
        };
        let chosen = sample(n, self.max_points, self.seed, hash64(label.as_bytes()));
        let left_out = (all - n) as u64;
        let sample = Sample { group: group.name.clone(), left_out, ..Sample::default() };
        Picks { chosen, next: 0, seen: 0, only, sample }
    }
}

/// A group of a window.
struct Group {
    name: Option<String>,
    /// The embedding models of its points, and how many points each has.
    models: Vec<(String, usize)>,
}

/// The groups of a window, and which one each point belongs to.
#[derive(Default)]
struct Groups {
    ordinals: BTreeMap<Option<String>, u32>,
    found: Vec<Group>,
    of: Vec<u32>,
}

impl Groups {
    fn count(&mut self, group: Option<Option<String>>, model: &str) {
        let Some(name) = group else { return self.of.push(NONE) };
        let new = self.found.len() as u32;
        let at = *self.ordinals.entry(name.clone()).or_insert(new);
        if at == new {
            self.found.push(Group { name, models: Vec::new() });
        }
        let models = &mut self.found[at as usize].models;
        match models.iter_mut().find(|(m, _)| m == model) {
            Some((_, n)) => *n += 1,
            None => models.push((model.to_string(), 1)),
        }
        self.of.push(at);
    }
}

/// The points of a group that make its sample.
struct Picks {
    /// Positions among the group's points, ascending.
    chosen: Vec<usize>,
    next: usize,
    seen: usize,
    /// The embedding model whose points count; all where there is none.
    only: Option<String>,
    sample: Sample,
}

impl Picks {
    fn is_of(&self, model: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == model)
    }

    /// True when the group's next point is wanted; counts it.
    fn wants_next(&mut self) -> bool {
        let wanted = self.chosen.get(self.next) == Some(&self.seen);
        self.seen += 1;
        self.next += usize::from(wanted);
        wanted
    }

    fn take(&mut self, rows: &Rows<'_>, i: usize, x: &[f32]) {
        self.sample.entity.push(rows.entity);
        self.sample.x.extend_from_slice(x);
        self.sample.approx |= rows.is_approx(i);
        let model = &rows.origin(i).model;
        if !self.sample.models.contains(model) {
            self.sample.models.push(model.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::dataset::{OnConflict, Options, Writer, init};
    use crate::model::Key;
    use crate::points::{Origin, Points};

    /// Entities 0 to 9, a point at times 0 to 99, at odd times in group "odd", one without a group.
    fn world() -> (tempfile::TempDir, Snapshot) {
        let dir = tempfile::tempdir().unwrap();
        let d = dir.path().join("d");
        init(&d, &Settings::new(1), false).unwrap();
        let mut w = Writer::open(&d, Options::default()).unwrap();
        let mut p = Points::new(1);
        let o = p.intern(&Origin { source: String::new(), model: "m@1".into() });
        for entity in 0..10 {
            for t in 0..100 {
                let meta = match (t, t % 2) {
                    (42, _) => "",
                    (_, 0) => "{\"side\":{\"name\":\"even\"}}",
                    _ => "{\"side\":{\"name\":\"odd\"}}",
                };
                p.push(Key { entity, t }, &[t as f32], meta, o);
            }
        }
        w.append(&mut p, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
        w.finish().unwrap();
        let snapshot = Snapshot::open(&d, None).unwrap();
        (dir, snapshot)
    }

    #[test]
    fn groups_are_sampled_each_for_itself() {
        let (_dir, snapshot) = world();
        let select = Select::default();
        let sampling = Sampling {
            snapshot: &snapshot,
            select: &select,
            by: Some("side.name"),
            max_points: 30,
            mixed: false,
            seed: 1,
        };
        let window = sampling.window(TimeRange::closed(40, 59)).unwrap();
        assert_eq!((window.points, window.ungrouped), (200, 10));
        let odd = &window.samples[&Some("odd".to_string())];
        assert_eq!((odd.entity.len(), odd.x.len(), odd.models.clone()), (30, 30, vec!["m@1".to_string()]));
        assert!(odd.x.iter().all(|v| *v as i64 % 2 == 1 && (40.0..60.0).contains(v)));
        // The same sample whatever else is compared; another one for another seed.
        let only =
            Select { filter: crate::filter::Filter::parse("side.name = 'odd'").ok(), ..select.clone() };
        let alone = Sampling { select: &only, ..sampling }.window(TimeRange::closed(40, 59)).unwrap();
        assert_eq!(alone.samples[&Some("odd".to_string())], *odd);
        let other = Sampling { seed: 2, ..sampling }.window(TimeRange::closed(40, 59)).unwrap();
        assert_ne!(other.samples[&Some("odd".to_string())], *odd);
    }

    #[test]
    fn without_groups_there_is_one() {
        let (_dir, snapshot) = world();
        let select = Select { time: TimeRange::closed(0, 9), ..Select::default() };
        let sampling = Sampling {
            snapshot: &snapshot,
            select: &select,
            by: None,
            max_points: 1000,
            mixed: false,
            seed: 1,
        };
        let window = sampling.window(TimeRange::closed(5, 50)).unwrap();
        assert_eq!(window.samples[&None].entity.len(), 50);
        let grid = Grid::new(crate::time::Duration::Fixed(4)).unwrap();
        assert_eq!(sampling.occupied(&grid).unwrap(), Cells { starts: BTreeSet::from([0, 4, 8]), groups: 1 });
        let by = Sampling { by: Some("side.name"), ..sampling };
        assert_eq!(by.occupied(&grid).unwrap().groups, 2);
    }

    #[test]
    fn a_minority_of_another_model_is_left_out_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let d = dir.path().join("d");
        init(&d, &Settings::new(1), false).unwrap();
        let mut w = Writer::open(&d, Options::default()).unwrap();
        let mut p = Points::new(1);
        let [old, new] = ["m@1", "m@2"].map(|m| p.intern(&Origin { source: String::new(), model: m.into() }));
        for t in 0..20 {
            p.push(Key { entity: 1, t }, &[t as f32], "", if t % 5 == 0 { old } else { new });
        }
        w.append(&mut p, None, OnConflict::Error, &mut |_| unreachable!()).unwrap();
        w.finish().unwrap();
        let snapshot = Snapshot::open(&d, None).unwrap();
        let select = Select::default();
        let sampling = Sampling {
            snapshot: &snapshot,
            select: &select,
            by: None,
            max_points: 100,
            mixed: false,
            seed: 1,
        };
        let all = TimeRange::closed(0, 19);
        let majority = &sampling.window(all).unwrap().samples[&None];
        assert_eq!((majority.models.clone(), majority.left_out), (vec!["m@2".to_string()], 4));
        assert!(majority.x.len() == 16 && majority.x.iter().all(|v| *v as i64 % 5 != 0));
        let mixed = &Sampling { mixed: true, ..sampling }.window(all).unwrap().samples[&None];
        assert_eq!((mixed.models.len(), mixed.left_out, mixed.x.len()), (2, 0, 20));
    }
}
