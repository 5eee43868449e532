//! Points out, in a form that ingest takes back.

use super::{Level, Outcome, Rows, Selection, Session, Watch};
use crate::dataset::{self, Part, Selected, Snapshot, Trajectories, asof_rows};
use crate::error::{Code, Error, Result};
use crate::fsio::{create_dirs, refuse_inside_dataset};
use crate::manifest::{FileEntry, FileKind};
use crate::model::{Key, VectorSource};
use crate::output::{Id, Meta, NpyWriter, Time};
use crate::rows::{PointKey, PointRow};
use crate::text::counted;
use crate::time::TimeExpr;
use std::collections::HashMap;
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
    each(session.snapshot()?, selected, watch, |p| out.row(point(p)?))?;
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
    each(snapshot, selected, watch, |p| {
        vectors.row(p.vector)?;
        let timestamp = Time(p.rows.t[p.at]);
        keys.row(PointKey { entity_id: Id(p.rows.entity), entity: p.name, timestamp })
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
    create_dirs(dir)
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

/// A point on its way out.
struct Exported<'a> {
    rows: &'a dataset::Rows<'a>,
    /// Its position among the rows of its entity.
    at: usize,
    name: Option<String>,
    vector: &'a [f32],
    /// True when the vector is not the one that was ingested.
    approx: bool,
}

/// Hands every point to `take`. Vectors of lossy blocks whose originals were kept are the original ones. Warns where they
/// were not: ingested again, such vectors would count as exact.
fn each(
    snapshot: &Snapshot,
    selected: Selected<'_>,
    watch: &dyn Watch,
    mut take: impl FnMut(Exported<'_>) -> Result<()>,
) -> Result<()> {
    let dim = snapshot.settings().dim;
    let mut x = Vec::new();
    let mut originals = Originals { snapshot, open: HashMap::new() };
    let mut approximate = 0_u64;
    for rows in Trajectories::new(selected) {
        let name = snapshot.entity_name(rows.entity)?;
        for start in (0..rows.len()).step_by(CHUNK) {
            watch.stop()?;
            let end = rows.len().min(start + CHUNK);
            rows.read(start..end, &mut x)?;
            for (at, vector) in (start..end).zip(x.chunks_exact_mut(dim)) {
                let approx = rows.is_approx(at) && !originals.fill(&rows, at, vector)?;
                approximate += u64::from(approx);
                take(Exported { rows: &rows, at, name: name.clone(), vector, approx })?;
            }
        }
    }
    if approximate > 0 {
        let text = format!(
            "{} a vector that a lossy codec made (approx), not the one that was ingested: ingested again, it would count as \
             exact",
            counted(approximate, "point has", "points each have")
        );
        watch.note(Level::Warning, &text);
    }
    Ok(())
}

/// The kept originals of lossy blocks, opened when first needed.
struct Originals<'a> {
    snapshot: &'a Snapshot,
    open: HashMap<u64, Option<Part>>,
}

impl Originals<'_> {
    /// Puts the original vector of a point in the place of the one that its codec made; false when it was not kept.
    fn fill(&mut self, rows: &dataset::Rows<'_>, at: usize, vector: &mut [f32]) -> Result<bool> {
        let (part, _) = rows.places[at];
        let Some(entry) = part.entry else { return Ok(false) };
        if !self.open.contains_key(&entry.id) {
            self.open.insert(entry.id, self.snapshot.original_of(part)?);
        }
        let Some(Some(original)) = self.open.get(&entry.id) else { return Ok(false) };
        let key = Key { entity: rows.entity, t: rows.t[at] };
        let Some(row) = original.row_of(key) else { return Ok(false) };
        vector.copy_from_slice(original.vectors(row..row + 1, &mut Vec::new())?);
        Ok(!original.is_approx(row))
    }
}

fn point(p: Exported<'_>) -> Result<PointRow> {
    let known = |text: &str| (!text.is_empty()).then(|| text.to_string());
    let origin = p.rows.origin(p.at);
    Ok(PointRow {
        entity_id: Id(p.rows.entity),
        entity: p.name,
        timestamp: Time(p.rows.t[p.at]),
        vector: p.vector.to_vec(),
        metadata: known(&p.rows.meta(p.at)?).map(Meta),
        source: known(&origin.source),
        model: known(&origin.model),
        seq: p.rows.seq(p.at),
        approx: p.approx,
    })
}
