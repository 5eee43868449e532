//! `cvx predict train`: a neural ODE on the trajectories of the dataset.

use super::basis::{PointArgs, clock_us, span};
use super::models::row;
use crate::context::Context;
use crate::cuts::CutArgs;
use crate::progress::Progress;
use crate::signals;
use cvx::analytics::predict::node::{self, Epoch, Event, Options};
use cvx::dataset::{self, Select, Snapshot};
use cvx::error::{Error, Result};
use cvx::forecast::Sample;
use cvx::forecast::models::{self, Stored, Trained};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Vector values that are read into memory for training: 512 MiB.
const MAX_VALUES: usize = 128 << 20;
/// How long a checkpoint waits for another writer.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(10);
/// How long the finished model does.
const MODEL_WAIT: Duration = Duration::from_secs(60);

/// Train a neural ODE on this dataset's trajectories
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The model is kept in the dataset as the next version of its name. A fifth of the entities
(--val-share) decides when to stop, another fifth whether the model is useful: only one that beats
last, trend and ou there is ever chosen by `cvx predict`. Ctrl-C leaves a checkpoint; the same
command with --resume goes on from it and ends as if it had never stopped.

Training needs a build with the feature neural; predicting does not.

Examples:
  cvx predict train --name daily
  cvx predict train --name daily --resume
  cvx predict train --name small --dims pca:8 --hidden 32x2 --epochs 50"
)]
pub struct Args {
    /// Name of the model
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Dimensions of the state: that many principal components
    #[arg(long, value_name = "pca:N", default_value = "pca:16", value_parser = dims)]
    dims: usize,
    /// Hidden layers: width x number, or the widths with commas
    #[arg(long, value_name = "WxN", default_value = "64x2", value_parser = hidden)]
    hidden: Widths,
    /// Most epochs
    #[arg(long, value_name = "N", default_value_t = 200)]
    epochs: u32,
    /// Share of the entities that decides when to stop, and again of those that judge the model
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    val_share: f64,
    /// Epochs without a better loss on what is held out after which training ends
    #[arg(long, value_name = "N", default_value_t = 20)]
    patience: u32,
    /// Epochs between checkpoints
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    checkpoint_every: u32,
    /// Go on from the checkpoint of this name, if there is one
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    cuts: CutArgs,
    #[command(flatten)]
    points: PointArgs,
}

/// Widths of hidden layers.
#[derive(Debug, Clone, PartialEq)]
struct Widths(Vec<usize>);

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    node::available()?;
    models::check_name(&args.name)?;
    let started = Instant::now();
    let snapshot = context.snapshot()?;
    let selection = args.points.resolve(context, &snapshot)?;
    let sample = sample(context, &snapshot, &selection.select)?;
    let views = sample.views(&args.cuts.cuts());
    let options = args.options(context, &snapshot);
    if context.run.dry_run {
        context.note(&format!(
            "{} entities with {} points would be trained on",
            sample.entities(),
            sample.points()
        ));
        return selection.finish();
    }
    let resume = if args.resume { models::checkpoint(&snapshot, &args.name)? } else { None };
    if args.resume && resume.is_none() {
        context.note("there is no checkpoint of this name: training starts at the beginning");
    }
    let mut watch = Watch {
        context,
        snapshot: &snapshot,
        name: &args.name,
        progress: Progress::new(context),
        epochs: args.epochs,
    };
    let trained = node::train(&views, &options, resume.as_deref(), &mut |e| watch.take(e))?;
    drop(watch);
    let Some(model) = trained else {
        signals::check().map_err(|e| e.fix("the same command with --resume goes on from the checkpoint"))?;
        return Err(Error::internal("training ended without a model"));
    };
    let trained_us = clock_us();
    let version = models::save(&snapshot, &args.name, &model, trained_us, &writing(context, MODEL_WAIT))?;
    tell(context, &model, started);
    let stored = models::find(&snapshot, &format!("{}@{version}", args.name))?;
    let found = Ok(Trained { trained_us, bytes: 0, model });
    let stored = stored.unwrap_or(Stored { name: args.name, version, found });
    context.record(&row(&stored, snapshot.settings().dim))?;
    selection.finish()
}

/// Waits for the lock at least so long: what was computed is worth it.
fn writing(context: &Context, wait: Duration) -> dataset::Options {
    let options = context.writing("predict train");
    dataset::Options { lock_timeout: options.lock_timeout.max(wait), ..options }
}

fn tell(context: &Context, model: &node::Model, started: Instant) {
    let t = &model.training;
    context.note(&format!(
        "{} epochs in {}, best {}; {}",
        t.epochs,
        span(started.elapsed().as_secs_f64()),
        t.best_epoch,
        match model.useful() {
            true => "useful: better than last, trend and ou on what was held out",
            false =>
                "not useful: last, trend or ou does as well on what was held out, so auto will not choose it",
        }
    ));
}

/// All that is selected, or so many entities of it as fit into memory.
fn sample(context: &Context, snapshot: &Snapshot, select: &Select) -> Result<Sample> {
    let selected = select.resolve(snapshot)?;
    let values = selected.points().saturating_mul(snapshot.settings().dim as u64);
    let mut select = select.clone();
    if values > MAX_VALUES as u64 && select.sample.is_none() {
        let entities = selected.counts().len() as f64 * MAX_VALUES as f64 / values as f64;
        context.note(&format!(
            "trained on a sample of {entities:.0} entities, which fits into memory; --sample chooses another"
        ));
        select.sample = Some(dataset::Sample::Count(entities as u64));
    }
    drop(selected);
    Sample::read(snapshot, &select, MAX_VALUES)
}

impl Args {
    fn options(&self, context: &Context, snapshot: &Snapshot) -> Options {
        Options {
            components: self.dims,
            hidden: self.hidden.0.clone(),
            epochs: self.epochs,
            patience: self.patience,
            checkpoint_every: self.checkpoint_every,
            validation_share: self.val_share,
            seed: context.seed(),
            commit: snapshot.manifest().commit,
            ..Options::default()
        }
    }
}

/// Shows the loss and keeps checkpoints.
struct Watch<'a> {
    context: &'a Context,
    snapshot: &'a Snapshot,
    name: &'a str,
    progress: Progress,
    epochs: u32,
}

impl Watch<'_> {
    fn take(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Epoch(e) => {
                self.epoch(&e);
                if signals::check().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Event::Checkpoint(bytes) => {
                self.keep(bytes);
                ControlFlow::Continue(())
            }
        }
    }

    fn epoch(&mut self, e: &Epoch) {
        self.progress.step(
            || {
                format!(
                    "epoch {} of {}: loss {:.4}, held out {:.4}, best at {}",
                    e.epoch, self.epochs, e.train_loss, e.validation_loss, e.best_epoch
                )
            },
            || {
                serde_json::json!({
                    "event": "epoch",
                    "epoch": e.epoch,
                    "loss": e.train_loss,
                    "validation_loss": e.validation_loss,
                    "best_epoch": e.best_epoch,
                })
                .to_string()
            },
        );
    }

    /// A checkpoint that cannot be kept costs time and no result.
    fn keep(&self, bytes: &[u8]) {
        let options = writing(self.context, CHECKPOINT_WAIT);
        if let Err(e) = models::save_checkpoint(self.snapshot, self.name, bytes, clock_us(), &options) {
            self.progress.aside(|| self.context.warn(&format!("no checkpoint: {e}")));
        }
    }
}

fn dims(text: &str) -> Result<usize, String> {
    let number = text.strip_prefix("pca:").unwrap_or(text);
    match number.parse() {
        Ok(n) if (1..=256).contains(&n) => Ok(n),
        _ => Err("expected pca:N with N from 1 to 256".to_string()),
    }
}

fn hidden(text: &str) -> Result<Widths, String> {
    let wrong =
        || "expected a width and a number of layers such as 64x2, or widths such as 64,32".to_string();
    let number = |t: &str| t.parse::<usize>().map_err(|_| wrong());
    let widths = match text.split_once('x') {
        Some((width, layers)) => vec![number(width)?; number(layers)?.min(9)],
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    match widths.len() {
        1..=8 if widths.iter().all(|w| (1..=4096).contains(w)) => Ok(Widths(widths)),
        _ => Err("expected 1 to 8 layers of 1 to 4096 units".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(hidden("64x2"), Ok(Widths(vec![64, 64])));
        assert_eq!(hidden("64,32"), Ok(Widths(vec![64, 32])));
        assert_eq!((dims("pca:8"), dims("16")), (Ok(8), Ok(16)));
        for wrong in ["", "x", "64x0", "0x2", "64x999999999", "64,", "5000"] {
            assert!(hidden(wrong).is_err(), "{wrong}");
        }
        assert!(dims("pca:0").is_err() && dims("umap:3").is_err());
    }
}
