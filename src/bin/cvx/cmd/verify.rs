//! `cvx verify`: the dataset's files against what must be true of them.

use crate::context::Context;
use crate::rows::Check;
use crate::signals;
use clap::ValueEnum;
use cvx::dataset::{self, Level, Status};
use cvx::error::{Code, Error, Result};
use cvx::indexing;
use std::collections::BTreeSet;

/// Check the dataset's files; exit 4 for what a command mends, 13 for damage and files that cannot be read
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "fsck",
    after_long_help = "Examples:
  cvx verify -d news
  cvx verify --level full --fail-fast -f table
  cvx verify --read-at 41 --level full

Without --read-at the files that only older kept versions need are looked at too."
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
    let (mut away, mut mends) = (Vec::new(), BTreeSet::new());
    let worst = dataset::verify(&dir, context.run.read_at, level, args.fail_fast, &mut |f| {
        signals::check()?;
        if f.status != Status::Ok {
            found += 1;
            mends.insert(mend(f.check));
        }
        if f.check == dataset::STORE {
            away.push(f.object.clone());
        }
        out.row(&Check { check: f.check, object: f.object, status: f.status.as_str(), detail: f.detail })
    })?;
    let mut worst = worst;
    let sample = args.recall_sample.or((level == Level::Deep).then_some(SAMPLE));
    if let Some(sample) = sample.filter(|n| *n > 0 && worst != Status::Damaged)
        && let Some(row) = recall(context, sample)?
    {
        if row.status != Status::Ok.as_str() {
            (found, worst) = (found + 1, Status::Repairable);
            mends.insert(mend(row.check));
        }
        out.row(&row)?;
    }
    out.finish()?;
    match worst {
        Status::Ok => Ok(()),
        Status::Repairable => {
            let e = Error::new(Code::Finding, format!("{} found something to mend", checks(found)));
            Err(e.file(dir).fix(mends.into_iter().collect::<Vec<_>>().join("; ")))
        }
        Status::Damaged if found == away.len() as u64 => Err(Error::damaged(
            away.first().map_or(&dir, |a| std::path::Path::new(a)),
            "the directory of cold blocks is away; the files in it were not looked at, all others are sound",
        )
        .fix("mount it, or move it back to this path, and run the command again")),
        Status::Damaged => Err(Error::damaged(&dir, format!("{} failed", checks(found)))
            .fix("restore the files named in the rows from a backup, or ingest their points again")),
    }
}

/// What mends a finding that is no damage.
fn mend(check: &str) -> &'static str {
    match check {
        "index" | "recall" => "`cvx index build --rebuild` builds the index again",
        "ledger" => "the next `cvx ingest` reads its files again and writes a new ledger",
        "result" => "the command that stored a result stores it again",
        _ => "any writing command, such as `cvx compact`, removes what an interrupted one left",
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
