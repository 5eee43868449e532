//! `cvx erase`: points and entities out of every file.

use super::compact::span;
use crate::context::Context;
use crate::rows::EraseRow;
use crate::select::SelectArgs;
use crate::signals;
use crate::values::duration;
use cvx::dataset::{Select, Snapshot};
use cvx::erase::{self, Report, Request, Subjects};
use cvx::error::{Code, Error, Result};
use cvx::time::Duration;
use std::collections::BTreeSet;

/// Remove points, or whole entities with their names, from every file, and keep them out
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Removes what is selected from the log, hot segments, warm files, cold blocks and kept originals
(in other stores too), the index, the dictionary, baselines, detector states, saved changes and cached
pieces. Calibrations are dropped and made again when needed; parts of the index that held the points are
dropped, and the next `cvx index build` covers the rest again. Trained models stay: they hold no points,
but were trained on them.

With --entity or --entities-from alone, entities leave as a whole, name included. With --where, --from and
the like, the selected points leave. A tombstone (a hash) is kept of each: `cvx ingest` leaves such rows out
and says so, until --allow-erased takes them back.

Older versions of the dataset go too. A reader that still holds one is waited for (--wait). What is left
then is listed in `left`, and the exit code is 3; the same command again completes it.

Not reached: copies, exports and backups that were made outside the dataset, and the input files.

Examples:
  cvx erase --entity 42 --yes
  cvx erase --entities-from requests.txt --yes --wait 10m
  cvx erase --where \"lang = 'xx'\" --to 2019-12-31 --dry-run"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// How long to wait for readers that hold older versions
    #[arg(long, value_name = "DUR", default_value = "1m", value_parser = duration)]
    wait: Duration,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    if args.select.is_empty() {
        return Err(Error::usage("erase needs a selection")
            .fix("select with --entity, --entities-from, --where, --from or --to"));
    }
    let dir = context.dataset();
    let labels = args.select.labels()?;
    let snapshot = Snapshot::open(&dir, None)?;
    erase::check_stores(&snapshot)?;
    let select = match labels.is_empty() {
        true => args.select.resolve(context, &snapshot)?.select,
        // A name that is gone already is for the library to judge.
        false => Select { entities: Some(known(&snapshot, &labels)?), ..Select::default() },
    };
    drop(snapshot);
    let request = Request { select, labels, wait: span(&args.wait) };
    if context.run.dry_run {
        let found = erase::plan(&dir, &request)?;
        return context.record(&row(&Report {
            points: found.selected,
            entities: found.entities.len() as u64,
            left: vec!["nothing was erased: --dry-run".into()],
            ..Report::default()
        }));
    }
    let confirm = |found: &Subjects| {
        let (points, entities) = (found.selected, found.entities.len());
        let what = format!("erasing {points} points of {entities} entities from every file, for good");
        context.confirm(&what, "add --yes, or look first with --dry-run")
    };
    let report = erase::erase(&dir, &context.writing("erase"), &request, confirm, &signals::check)?;
    context.record(&row(&report))?;
    if !report.models.is_empty() {
        context.note(&format!(
            "models that were trained before stay: {}; train them again to leave the erased points out of them",
            report.models.join(", ")
        ));
    }
    if report.index_parts > 0 {
        context.note("parts of the index were dropped: `cvx index build` covers their points again");
    }
    match report.left.is_empty() {
        true => Ok(()),
        false => {
            let left = report.left.join("; ");
            Err(Error::new(Code::Partial, format!("something is left: {left}"))
                .fix("run the same command again when no reader holds an older version"))
        }
    }
}

/// The ids of the entities that the dataset holds.
fn known(snapshot: &Snapshot, labels: &[String]) -> Result<BTreeSet<u64>> {
    let mut out = BTreeSet::new();
    for label in labels {
        match snapshot.entity(label) {
            Ok(id) => drop(out.insert(id)),
            Err(e) if e.code() == Code::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(out)
}

fn row(r: &Report) -> EraseRow {
    EraseRow {
        points: r.points,
        entities: r.entities,
        names: r.names,
        index_parts: r.index_parts,
        results_rewritten: r.results_rewritten,
        results_dropped: r.results_dropped,
        files_rewritten: r.files_rewritten,
        points_purged: r.points_purged,
        tombstones: r.tombstones,
        clean: r.left.is_empty(),
        left: (!r.left.is_empty()).then(|| r.left.join("; ")),
        commit: r.commit,
    }
}
