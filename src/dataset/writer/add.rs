//! The usual case of writing: points that are new, or stored already as they are.

use super::{Appended, Writer};
use crate::dataset::{Conflict, OnConflict};
use crate::error::{Code, Error, Result};
use crate::points::{Points, Texts};

impl Writer {
    /// Adds points of a dataset whose entities are numbers. Points that are stored already with the same content
    /// change nothing. With [`Sync::Commit`](crate::dataset::Sync) they are durable when this returns.
    ///
    /// # Errors
    /// Fails with [`Code::Conflict`], and adds nothing, when a point is stored with other content, and when the log cannot
    /// be written.
    pub fn add(&mut self, points: &Points) -> Result<Appended> {
        self.append(&mut points.clone(), None, OnConflict::Error, &mut conflict)
    }

    /// Adds points of a dataset whose entities have names: `names` has one for each point, and the points' own numbers
    /// are not looked at.
    ///
    /// # Errors
    /// As [`Writer::add`].
    pub fn add_named(&mut self, names: &[&str], points: &Points) -> Result<Appended> {
        let mut texts = Texts::new();
        names.iter().for_each(|name| texts.push(name));
        self.append(&mut points.clone(), Some(&texts), OnConflict::Error, &mut conflict)
    }
}

fn conflict(c: Conflict) -> Result<()> {
    Err(Error::new(Code::Conflict, "this entity and time are stored already with other content")
        .row(c.row as u64 + 1)
        .entity(c.key.entity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{IdKind, Settings};
    use crate::dataset::{self, Snapshot, init};
    use crate::points::Point;

    #[test]
    fn points_are_added_once_and_conflicts_add_nothing() {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().join("d");
        init(&dir, &Settings::new(2), false).unwrap();
        let mut writer = Writer::open(&dir, dataset::Options::default()).unwrap();
        let mut points = Points::new(2);
        points.add(Point { entity: 7, t: 1, vector: &[1.0, 2.0], model: "m@1", ..Point::default() });
        points.add(Point { entity: 7, t: 2, vector: &[1.0, 3.0], model: "m@1", ..Point::default() });
        assert_eq!((writer.add(&points).unwrap().added, points.origins.len()), (2, 1));
        assert_eq!(writer.add(&points).unwrap().unchanged, 2);
        let mut other = Points::new(2);
        other.add(Point { entity: 7, t: 3, vector: &[0.0, 0.0], ..Point::default() });
        other.add(Point { entity: 7, t: 2, vector: &[9.0, 9.0], ..Point::default() });
        let e = writer.add(&other).unwrap_err();
        assert_eq!((e.code(), e.place().row), (Code::Conflict, Some(2)));
        writer.finish().unwrap();
        assert_eq!(Snapshot::open(&dir, None).unwrap().points(), 2);
    }

    #[test]
    fn names_stand_beside_the_points() {
        let t = tempfile::tempdir().unwrap();
        let dir = t.path().join("d");
        init(&dir, &Settings { ids: IdKind::String, ..Settings::new(1) }, false).unwrap();
        let mut writer = Writer::open(&dir, dataset::Options::default()).unwrap();
        let mut points = Points::new(1);
        (0..3).for_each(|t| points.add(Point { t, vector: &[t as f32], ..Point::default() }));
        assert_eq!(writer.add_named(&["a", "b", "a"], &points).unwrap().new_entities, 2);
        writer.finish().unwrap();
        let s = Snapshot::open(&dir, None).unwrap();
        let id = s.entity("b").unwrap();
        assert_eq!(s.entity_name(id).unwrap().as_deref(), Some("b"));
    }
}
