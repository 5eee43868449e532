//! `cvx export`: points out, in a form that `cvx ingest` takes back.

use crate::context::Context;
use crate::rows::{PointKey, PointRow};
use crate::select::{SelectArgs, time};
use crate::signals;
use clap::ValueHint;
use cvx::dataset::{Rows, Selected, Snapshot, Trajectories, asof_rows};
use cvx::error::{Code, Error, Result};
use cvx::fsio::refuse_inside_dataset;
use cvx::manifest::{FileEntry, FileKind};
use cvx::output::{Format, Id, Meta, NpyWriter, Time, Vectors};
use cvx::time::TimeExpr;
use std::path::{Path, PathBuf};

/// Write points as Parquet, Arrow, jsonl, csv or npy
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The rows are ordered by entity and time and hold everything a point has: ingesting
them into an empty dataset gives the same points. Parquet unless -f or the
extension of -o says otherwise; vectors as lists unless --vectors says otherwise.

Examples:
  cvx export -o points.parquet
  cvx export --where \"lang = 'en'\" --in 2024 -o english.jsonl
  cvx export --as-of 2020-01-01 -f csv --vectors columns -o states.csv
  cvx export --npy arrays/
  cvx export --duckdb | duckdb -init /dev/stdin"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// One point an entity: its state at T
    #[arg(long, value_name = "T", value_parser = time, allow_hyphen_values = true, conflicts_with_all = ["from", "to", "in_"])]
    as_of: Option<TimeExpr>,
    /// Write DIR/vectors.npy, an array of f32, and DIR/ids.csv with the key of each row
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "out")]
    npy: Option<PathBuf>,
    /// Print the SQL that opens the Parquet files of this version as a view in DuckDB, and export nothing
    #[arg(long, conflicts_with_all = ["npy", "as_of"])]
    duckdb: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    if args.duckdb {
        return view(context, &snapshot, args.select.is_empty());
    }
    let selection = args.select.resolve(context, &snapshot)?;
    let selected = match &args.as_of {
        None => selection.select.resolve(&snapshot)?,
        Some(t) => {
            let now = context.now(&snapshot, &selection.select, &[Some(*t)], None)?;
            asof_rows(&snapshot, &selection.select, t.resolve(&now)?, None)?
        }
    };
    if let Some(dir) = &args.npy {
        arrays(context, &snapshot, selected, dir)?;
    } else {
        let mut out =
            context.rows_like::<PointRow>(&snapshot, &[], Some(Format::Parquet), Some(Vectors::List))?;
        each(&snapshot, selected, |rows, i, name, x| out.row(&point(rows, i, name, x)?))?;
        out.finish()?;
    }
    selection.finish()
}

/// A view over exactly the Parquet files that are live, and what it does not show.
fn view(context: &Context, snapshot: &Snapshot, whole: bool) -> Result<()> {
    if !whole {
        return Err(Error::usage("--duckdb opens all points")
            .what("option --duckdb")
            .fix("select in the query, or export the selection as Parquet"));
    }
    let m = snapshot.manifest();
    let files: Vec<_> = m.of(FileKind::Warm).collect();
    if files.is_empty() {
        return Err(Error::new(Code::NotFound, "no point lies in a Parquet file yet")
            .fix("`cvx compact` writes them; `cvx export -o points.parquet` makes a copy"));
    }
    let root = snapshot.dir().canonicalize().map_err(|e| Error::io("open", snapshot.dir(), &e))?;
    let dead: u64 = files.iter().filter_map(|f| m.deletions_of(f.id)).map(|d| d.rows).sum();
    let shown = files.iter().map(|f| f.rows).sum::<u64>() - dead;
    let mut sql = format!("-- commit {} of {}\n", m.commit, root.display());
    if dead > 0 {
        sql += &format!(
            "-- {dead} rows in these files were replaced or deleted: `cvx compact --rewrite` drops them\n"
        );
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
    context.text(sql.as_bytes())
}

/// `vectors.npy` and `ids.csv` in `dir`, row for row.
fn arrays(context: &Context, snapshot: &Snapshot, selected: Selected<'_>, dir: &Path) -> Result<()> {
    refuse_inside_dataset(dir, "directory of arrays")?;
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create", dir, &e))?;
    let ranges = selected.parts.iter().flat_map(|(_, rows)| rows);
    let rows = ranges.map(|r| u64::from(r.end - r.start)).sum();
    let mut vectors = NpyWriter::create(&dir.join("vectors.npy"), rows, snapshot.settings().dim)?;
    let mut keys = context.keys(snapshot, &dir.join("ids.csv"))?;
    each(snapshot, selected, |rows, i, name, x| {
        vectors.row(x)?;
        keys.row(&PointKey { entity_id: Id(rows.entity), entity: name, timestamp: Time(rows.t[i]) })
    })?;
    vectors.finish()?;
    keys.finish()
}

/// Points whose vectors are read at once.
const CHUNK: usize = 1_024;

/// Hands every point to `take`: rows of its entity, its position there, the entity's name, the vector.
fn each(
    snapshot: &Snapshot,
    selected: Selected<'_>,
    mut take: impl FnMut(&Rows<'_>, usize, Option<String>, &[f32]) -> Result<()>,
) -> Result<()> {
    let dim = snapshot.settings().dim;
    let mut x = Vec::new();
    for rows in Trajectories::new(selected) {
        let name = snapshot.entity_name(rows.entity)?;
        for start in (0..rows.len()).step_by(CHUNK) {
            signals::check()?;
            let end = rows.len().min(start + CHUNK);
            rows.read(start..end, &mut x)?;
            for (i, vector) in (start..end).zip(x.chunks_exact(dim)) {
                take(&rows, i, name.clone(), vector)?;
            }
        }
    }
    Ok(())
}

fn point(rows: &Rows<'_>, i: usize, name: Option<String>, vector: &[f32]) -> Result<PointRow> {
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
