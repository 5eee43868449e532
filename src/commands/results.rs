//! What is kept beside the data, listed, shown and dropped.

use super::{Level, Outcome, Rows, Session, Watch};
use crate::dataset::{Snapshot, Writer};
use crate::error::{Code, Error, Result};
use crate::output::{Json, Time};
use crate::results::stored::{self, Stored};
use crate::rows::{ResultDroppedRow, ResultRow};

pub use crate::results::stored::What;

/// A row for each result, of one kind or of all. Results that cannot be read make the outcome incomplete.
///
/// # Errors
/// Fails when the dataset cannot be read, and when `out` fails.
pub fn list(
    session: &Session,
    kind: Option<What>,
    watch: &dyn Watch,
    out: &mut dyn Rows<ResultRow>,
) -> Result<Outcome> {
    let (dir, snapshot) = (session.dir(), session.snapshot()?);
    let mut broken = 0;
    for what in What::ALL.into_iter().filter(|w| kind.is_none_or(|k| k == *w)) {
        for name in stored::names(dir, what)? {
            let found = Stored::open(dir, snapshot.config().id, what, &name);
            if let Err(e) = &found {
                watch.note(Level::Warning, &e.to_string());
                broken += 1;
            }
            out.row(row(snapshot, what, &name, found)?)?;
        }
    }
    out.end()?;
    Ok(match broken {
        0 => Outcome::COMPLETE,
        n => Outcome::of(Err(Error::new(Code::Partial, format!("{n} results cannot be read"))
            .fix("drop them with `cvx results drop`; the commands that made them make them again"))),
    })
}

/// One result.
///
/// # Errors
/// Fails with [`Code::NotFound`] when there is none of this name, and when it cannot be read.
pub fn show(session: &Session, what: What, name: &str) -> Result<ResultRow> {
    let (dir, snapshot) = (session.dir(), session.snapshot()?);
    let found = Stored::require(dir, snapshot.config().id, what, name)?;
    row(snapshot, what, name, Ok(Some(found)))
}

/// Drops a result; in a dry run says how large it is.
///
/// # Errors
/// Fails with [`Code::NotFound`] when there is none of this name, and when the dataset cannot be written.
pub fn remove(session: &Session, what: What, name: &str) -> Result<ResultDroppedRow> {
    let dir = session.dir();
    let bytes = stored::bytes(dir, what, name)?;
    if !session.settings().dry_run {
        let writer = Writer::open(dir, session.writing("results drop"))?;
        writer.finish_with(|| stored::remove(dir, what, name))?;
    }
    Ok(ResultDroppedRow { kind: what.as_str(), name: name.to_owned(), bytes })
}

fn row(s: &Snapshot, what: What, name: &str, found: Result<Option<Stored>>) -> Result<ResultRow> {
    let status = match &found {
        Ok(_) => "ok",
        Err(e) if e.code() == Code::Version => "version",
        Err(_) => "damaged",
    };
    let head = found.ok().flatten().map(|s| s.head);
    Ok(ResultRow {
        kind: what.as_str(),
        name: name.to_owned(),
        status,
        rows: head.as_ref().map(|h| h.rows),
        created: head.as_ref().map(|h| Time(h.created_us)),
        commit: head.as_ref().map(|h| h.commit),
        bytes: stored::bytes(s.dir(), what, name)?,
        command: head.as_ref().map(|h| h.command.clone()),
        parameters: head.as_ref().map(|h| Json(h.parameters.to_string())),
        seq_behind: head.as_ref().map(|h| s.next_seq().saturating_sub(h.seq)),
    })
}
