//! Runs that store a result: the writer's lock for the whole run, the version that is read under it, and
//! what the result says of its making.

use super::Session;
use crate::dataset::{Snapshot, Writer};
use crate::error::Result;
use crate::results::stored::{Head, What, path};
use std::path::PathBuf;

/// When and by what a result was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// In microseconds since 1970.
    pub created_us: i64,
    /// The command.
    pub command: String,
}

/// A result that will be stored.
pub struct Storing {
    writer: Writer,
    /// The dataset's directory.
    pub dir: PathBuf,
    what: What,
    /// The result's name.
    pub name: String,
}

impl Storing {
    /// Takes the lock, before the session opens its version; nothing when there is no name or in a dry run.
    ///
    /// # Errors
    /// Fails when the name cannot be a result's, or another process holds the lock.
    pub fn begin(session: &Session, what: What, name: Option<&str>) -> Result<Option<Storing>> {
        let Some(name) = name.filter(|_| !session.settings().dry_run) else { return Ok(None) };
        let dir = session.dir().to_owned();
        // A wrong name fails before the work.
        path(&dir, what, name)?;
        let writer = Writer::open(&dir, session.writing(&format!("{} {name}", what.as_str())))?;
        Ok(Some(Storing { writer, dir, what, name: name.to_string() }))
    }

    /// The description of a result made from `snapshot`.
    pub fn head(&self, session: &Session, snapshot: &Snapshot, parameters: serde_json::Value) -> Head {
        let Provenance { created_us, command } = session.provenance();
        Head {
            what: self.what.as_str().to_string(),
            name: self.name.clone(),
            created_us,
            commit: snapshot.manifest().commit,
            seq: snapshot.next_seq(),
            command,
            rows: 0,
            parameters,
        }
    }

    /// Stores the result by `then`, and frees the lock.
    ///
    /// # Errors
    /// Fails when `then` does.
    pub fn finish(self, then: impl FnOnce() -> Result<()>) -> Result<()> {
        self.writer.finish_with(then).map(|_| ())
    }
}
