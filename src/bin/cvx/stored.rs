//! Commands that store a result: the writer's lock for the whole run, the version that is read
//! under it, and what the result says of itself.

use crate::context::Context;
use cvx::dataset::{Snapshot, Writer};
use cvx::error::Result;
use cvx::results::stored::{Head, What, path};
use std::path::PathBuf;
use std::time::SystemTime;

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
    /// Takes the lock, before the snapshot is opened; nothing with `--dry-run`.
    pub fn begin(context: &Context, what: What, name: Option<&str>) -> Result<Option<Storing>> {
        let Some(name) = name.filter(|_| !context.run.dry_run) else { return Ok(None) };
        let dir = context.dataset();
        // A wrong name fails before the work.
        path(&dir, what, name)?;
        let writer = Writer::open(&dir, context.writing(&format!("{} {name}", what.as_str())))?;
        Ok(Some(Storing { writer, dir, what, name: name.to_string() }))
    }

    /// The description of a result made from `snapshot`.
    pub fn head(&self, context: &Context, snapshot: &Snapshot, parameters: serde_json::Value) -> Head {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Head {
            what: self.what.as_str().to_string(),
            name: self.name.clone(),
            created_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            commit: snapshot.manifest().commit,
            seq: snapshot.next_seq(),
            command: context.command_line().to_string(),
            rows: 0,
            parameters,
        }
    }

    /// Stores the result by `then`, and frees the lock.
    pub fn finish(self, then: impl FnOnce() -> Result<()>) -> Result<()> {
        self.writer.finish_with(then).map(|_| ())
    }
}
