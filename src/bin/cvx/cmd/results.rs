//! `cvx results`: what is kept beside the data, listed, shown and dropped.

use crate::context::Context;
use crate::rows::{ResultDroppedRow, ResultRow};
use clap::{Subcommand, ValueEnum};
use cvx::dataset::{Snapshot, Writer};
use cvx::error::{Code, Error, Result};
use cvx::output::{Json, Time};
use cvx::results::stored::{self, Stored, What};

/// List, show and drop baselines, detector states, saved changes and calibrations
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    List(ListArgs),
    Show(NameArgs),
    Drop(NameArgs),
}

/// A row for each result
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Trained models are listed by `cvx predict models`.

Examples:
  cvx results list
  cvx results list --kind baseline -f csv")]
struct ListArgs {
    /// Only results of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

/// One result, by kind and name; drop removes it, and the command that made it can make it again
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "A state that is dropped is lost with what its detectors learnt: the next run under
its name begins with all points.

Examples:
  cvx results show baseline spring -f json
  cvx results drop states daily"
)]
struct NameArgs {
    /// What it is
    #[arg(value_enum)]
    kind: Kind,
    /// The name that it was saved under
    name: String,
}

/// Kinds of results.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Saved change points: changepoints --save
    Changepoints,
    /// States of detectors: changepoints --state, ingest --detect
    States,
    /// Reference samples: drift population --baseline
    Baseline,
    /// Past errors of forecasts, which predict keeps
    Calibration,
    /// Trained models of older programs
    Model,
    /// Trainings that were broken off
    Checkpoint,
}

impl Kind {
    fn what(self) -> What {
        match self {
            Kind::Changepoints => What::Changepoints,
            Kind::States => What::States,
            Kind::Baseline => What::Baseline,
            Kind::Calibration => What::Calibration,
            Kind::Model => What::Model,
            Kind::Checkpoint => What::Checkpoint,
        }
    }
}

impl Args {
    /// True for what changes the dataset.
    pub fn writes(&self) -> bool {
        matches!(self.what, Verb::Drop(_))
    }
}

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    match args.what {
        Verb::List(args) => list(context, &args),
        Verb::Show(args) => show(context, &args),
        Verb::Drop(args) => drop_one(context, &args),
    }
}

fn list(context: &Context, args: &ListArgs) -> Result<()> {
    let (dir, snapshot) = (context.dataset(), context.snapshot()?);
    let mut out = context.rows_of::<ResultRow>(&snapshot, &[])?;
    let mut broken = 0;
    for what in What::ALL.into_iter().filter(|w| args.kind.is_none_or(|k| k.what() == *w)) {
        for name in stored::names(&dir, what)? {
            let found = Stored::open(&dir, snapshot.config().id, what, &name);
            if let Err(e) = &found {
                context.warn(&e.to_string());
                broken += 1;
            }
            out.row(&row(&snapshot, what, &name, found)?)?;
        }
    }
    out.finish()?;
    match broken {
        0 => Ok(()),
        n => Err(Error::new(Code::Partial, format!("{n} results cannot be read"))
            .fix("drop them with `cvx results drop`; the commands that made them make them again")),
    }
}

fn show(context: &Context, args: &NameArgs) -> Result<()> {
    let (dir, snapshot) = (context.dataset(), context.snapshot()?);
    let what = args.kind.what();
    let found = Stored::require(&dir, snapshot.config().id, what, &args.name)?;
    let mut out = context.rows_of::<ResultRow>(&snapshot, &[])?;
    out.row(&row(&snapshot, what, &args.name, Ok(Some(found)))?)?;
    out.finish()
}

fn drop_one(context: &Context, args: &NameArgs) -> Result<()> {
    let (dir, what) = (context.dataset(), args.kind.what());
    let bytes = stored::bytes(&dir, what, &args.name)?;
    if !context.run.dry_run {
        let writer = Writer::open(&dir, context.writing("results drop"))?;
        writer.finish_with(|| stored::remove(&dir, what, &args.name))?;
    }
    context.record(&ResultDroppedRow { kind: what.as_str(), name: args.name.clone(), bytes })
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
