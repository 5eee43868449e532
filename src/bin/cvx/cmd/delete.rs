//! `cvx delete`: points that no longer count.

use crate::context::Context;
use crate::rows::DeleteRow;
use crate::select::SelectArgs;
use cvx::dataset::Snapshot;
use cvx::delete;
use cvx::error::{Error, Result};

/// Delete the selected points
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The points are gone for every later reader at once; readers that are under way, and
--read-at, still see the version they opened.

The bytes stay in files until these are rewritten, and copies of them in the index, in baselines, states and
saved changes; the name stays in the dictionary; and a file that was ingested is read again when it is given
again. `cvx erase` removes all of that and keeps the entity out.

Examples:
  cvx delete --entity 42 --yes
  cvx delete --where \"lang = 'xx'\" --to 2019-12-31 --dry-run"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// All points; without it a selection is needed
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    if args.select.is_empty() && !args.all {
        return Err(Error::usage("delete needs a selection")
            .fix("select with --entity, --where, --from and --to .., or delete everything with --all"));
    }
    let dir = context.dataset();
    let selection = args.select.resolve(context, &Snapshot::open(&dir, None)?)?;
    let done = match context.run.dry_run {
        true => delete::plan(&dir, &selection.select)?,
        false => {
            delete::delete(&dir, context.writing("delete"), &selection.select, |plan| match plan.points {
                0 => Ok(()),
                n => context.confirm(&question(n, plan.entities), "add --yes, or look first with --dry-run"),
            })?
        }
    };
    context.record(&DeleteRow { points: done.points, entities: done.entities, commit: done.commit })?;
    selection.finish()
}

/// What is asked.
fn question(points: u64, entities: u64) -> String {
    let s = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    format!("deleting {} of {}", s(points, "point", "points"), s(entities, "entity", "entities"))
}
