//! `cvx verify`: the dataset's files against what must be true of them.

use crate::context::Context;
use crate::rows::Check;
use crate::signals;
use clap::ValueEnum;
use cvx::dataset::{self, Level, Status};
use cvx::error::{Code, Error, Result};
use cvx::indexing;

/// Check the dataset's files; exit 4 for what the next writing command mends, 13 for damage
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "fsck",
    after_long_help = "Examples:
  cvx verify -d news
  cvx verify --level full --fail-fast -f table"
)]
pub struct Args {
    /// How much to look at
    #[arg(long, value_enum, default_value_t = Depth::Quick)]
    level: Depth,
    /// Stop at the first damage
    #[arg(long)]
    fail_fast: bool,
    /// Stored points asked of the index and of a scan; without it 1000 with --level deep
    #[arg(long, value_name = "N")]
    recall_sample: Option<usize>,
}

/// Stored points that the deep level asks for.
const SAMPLE: usize = 1000;
/// An index that finds less is worth building anew: it looks for 0.97.
const LEAST_RECALL: f64 = 0.9;

/// `--level`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Manifests, lengths, headers
    Quick,
    /// Every byte against its checksum, the order of keys, the dictionary
    Full,
    /// Also every vector and every metadata text
    Deep,
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    let level = match args.level {
        Depth::Quick => Level::Quick,
        Depth::Full => Level::Full,
        Depth::Deep => Level::Deep,
    };
    let dir = context.dataset();
    if !dir.join(cvx::config::FILE).exists() && !dir.join("CURRENT").exists() {
        return Err(cvx::config::no_dataset(&dir));
    }
    let mut out = context.rows::<Check>(&[])?;
    let mut found = 0_u64;
    let worst = dataset::verify(&dir, level, args.fail_fast, &mut |f| {
        signals::check()?;
        found += u64::from(f.status != Status::Ok);
        out.row(&Check { check: f.check, object: f.object, status: f.status.as_str(), detail: f.detail })
    })?;
    let mut worst = worst;
    let sample = args.recall_sample.or((level == Level::Deep).then_some(SAMPLE));
    if let Some(sample) = sample.filter(|n| *n > 0 && worst != Status::Damaged)
        && let Some(row) = recall(context, sample)?
    {
        if row.status != Status::Ok.as_str() {
            (found, worst) = (found + 1, Status::Repairable);
        }
        out.row(&row)?;
    }
    out.finish()?;
    match worst {
        Status::Ok => Ok(()),
        Status::Repairable => {
            let e = Error::new(Code::Finding, format!("{} found something to mend", checks(found)));
            Err(e
                .file(dir)
                .fix("the next writing command mends it, and `cvx index build --rebuild` the index"))
        }
        Status::Damaged => Err(Error::damaged(&dir, format!("{} failed", checks(found)))
            .fix("restore the files named in the rows from a backup, or ingest their points again")),
    }
}

fn checks(n: u64) -> String {
    if n == 1 { "1 check".into() } else { format!("{n} checks") }
}

/// How much of the truth the index finds; `None` without an index.
fn recall(context: &Context, sample: usize) -> Result<Option<Check>> {
    let snapshot = context.snapshot()?;
    let measured = indexing::recall(&snapshot, sample, context.seed())?;
    Ok(measured.map(|m| {
        let status = if m.recall < LEAST_RECALL { Status::Repairable } else { Status::Ok };
        let detail = format!("recall@10 {:.4} over {} stored points", m.recall, m.queries);
        Check { check: "recall", object: "index".into(), status: status.as_str(), detail }
    }))
}
