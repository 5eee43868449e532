//! Points out, in a form that ingest takes back.

use super::{Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{self, Selected, Snapshot, Trajectories, asof_rows};
use crate::error::{Code, Error, Result};
use crate::fsio::refuse_inside_dataset;
use crate::manifest::{FileEntry, FileKind};
use crate::output::{Id, Meta, NpyWriter, Time};
use crate::rows::{PointKey, PointRow};
use crate::time::TimeExpr;
use std::path::Path;

/// The command in the SQL of [`duckdb`], which a shell reads.
const REWRITE: &str = "cvx compact --rewrite";

/// Which points.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which.
    pub selection: Selection,
    /// One point an entity: its state at this instant.
    pub as_of: Option<TimeExpr>,
}

impl Request {
    fn selected<'a>(&self, session: &'a Session, watch: &dyn Watch) -> Result<(Selected<'a>, Outcome)> {
        let snapshot = session.snapshot()?;
        let selection = self.selection.resolve(session, watch)?;
        let selected = match session.instant(&selection.select, self.as_of.as_ref())? {
            None => selection.select.resolve(snapshot)?,
            Some(t) => asof_rows(snapshot, &selection.select, t, None)?,
        };
        Ok((selected, selection.outcome()))
    }
}

/// The points, ordered by entity and time, with everything that a point has.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<PointRow>,
) -> Result<Outcome> {
    let (selected, outcome) = request.selected(session, watch)?;
    each(session.snapshot()?, selected, watch, |rows, i, name, x| out.row(point(rows, i, name, x)?))?;
    out.end()?;
    Ok(outcome)
}

/// `vectors.npy` in `dir`, an array of f32; `keys` receives the key of each of its rows.
///
/// # Errors
/// Fails when the dataset cannot be read or written, when the watch stops the run, and when `out` fails.
pub fn arrays(
    session: &Session,
    request: &Request,
    dir: &Path,
    watch: &dyn Watch,
    keys: &mut dyn Rows<PointKey>,
) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let (selected, outcome) = request.selected(session, watch)?;
    let ranges = selected.parts.iter().flat_map(|(_, rows)| rows);
    let rows = ranges.map(|r| u64::from(r.end - r.start)).sum();
    let mut vectors = NpyWriter::create(&dir.join("vectors.npy"), rows, snapshot.settings().dim)?;
    each(snapshot, selected, watch, |rows, i, name, x| {
        vectors.row(x)?;
        keys.row(PointKey { entity_id: Id(rows.entity), entity: name, timestamp: Time(rows.t[i]) })
    })?;
    vectors.finish()?;
    keys.end()?;
    Ok(outcome)
}

/// Makes the directory of [`arrays`].
///
/// # Errors
/// Fails inside a dataset, and when it cannot be made.
pub fn make_directory(dir: &Path) -> Result<()> {
    refuse_inside_dataset(dir, "directory of arrays")?;
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create", dir, &e))
}

/// The SQL of a view in DuckDB over exactly the Parquet files that are live, and what it does not show.
///
/// # Errors
/// Fails when no point lies in a Parquet file, and when the dataset cannot be read.
pub fn duckdb(session: &Session, selection: &Selection) -> Result<String> {
    let snapshot = session.snapshot()?;
    if !selection.is_all() {
        return Err(Error::usage("‹duckdb› opens all points")
            .option("duckdb")
            .fix("select in the query, or export the selection as Parquet"));
    }
    let m = snapshot.manifest();
    let files: Vec<_> = m.of(FileKind::Warm).collect();
    if files.is_empty() {
        return Err(Error::new(Code::NotFound, "no point lies in a Parquet file yet")
            .fix("`cvx compact` writes them; `cvx export` makes a copy"));
    }
    let root = snapshot.dir().canonicalize().map_err(|e| Error::io("open", snapshot.dir(), &e))?;
    let dead: u64 = files.iter().filter_map(|f| m.deletions_of(f.id)).map(|d| d.rows).sum();
    let shown = files.iter().map(|f| f.rows).sum::<u64>() - dead;
    let mut sql = format!("-- commit {} of {}\n", m.commit, root.display());
    if dead > 0 {
        sql += &format!("-- {dead} rows in these files were replaced or deleted: `{REWRITE}` drops them\n");
    }
    if snapshot.points() > shown {
        let missing = snapshot.points() - shown;
        sql += &format!(
            "-- {missing} points are not in Parquet: `cvx compact` moves those of log and hot segments\n"
        );
    }
    sql += "CREATE OR REPLACE VIEW points AS SELECT * FROM read_parquet([\n";
    let path = |f: &&FileEntry| root.join(m.path_of(f)).display().to_string().replace('\'', "''");
    let list: Vec<String> = files.iter().map(|f| format!("  '{}'", path(f))).collect();
    sql += &list.join(",\n");
    sql += "\n], hive_partitioning = false);\n";
    Ok(sql)
}

/// Points whose vectors are read at once.
const CHUNK: usize = 1_024;

/// Hands every point to `take`: rows of its entity, its position there, the entity's name, the vector.
fn each(
    snapshot: &Snapshot,
    selected: Selected<'_>,
    watch: &dyn Watch,
    mut take: impl FnMut(&dataset::Rows<'_>, usize, Option<String>, &[f32]) -> Result<()>,
) -> Result<()> {
    let dim = snapshot.settings().dim;
    let mut x = Vec::new();
    for rows in Trajectories::new(selected) {
        let name = snapshot.entity_name(rows.entity)?;
        for start in (0..rows.len()).step_by(CHUNK) {
            watch.stop()?;
            let end = rows.len().min(start + CHUNK);
            rows.read(start..end, &mut x)?;
            for (i, vector) in (start..end).zip(x.chunks_exact(dim)) {
                take(&rows, i, name.clone(), vector)?;
            }
        }
    }
    Ok(())
}

fn point(rows: &dataset::Rows<'_>, i: usize, name: Option<String>, vector: &[f32]) -> Result<PointRow> {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let origin = rows.origin(i);
    Ok(PointRow {
        entity_id: Id(rows.entity),
        entity: name,
        timestamp: Time(rows.t[i]),
        vector: vector.to_vec(),
        metadata: known(&rows.meta(i)?).map(Meta),
        source: known(&origin.source),
        model: known(&origin.model),
        seq: rows.seq(i),
        approx: rows.is_approx(i),
    })
}
