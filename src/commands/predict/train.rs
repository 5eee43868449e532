//! Training of a neural ODE on the trajectories of a dataset.

use super::kept::Sample;
use super::kept::models::{self, Stored, Trained};
use super::models::row;
use crate::analytics::Cuts;
use crate::analytics::predict::node::{self, Epoch, Event, Options};
use crate::commands::{Level, Outcome, Progress, Selection, Session, Watch};
use crate::dataset::{self, Select, Snapshot};
use crate::error::{Error, Result};
use crate::rows::NodeRow;
use crate::time::{clock_us, span_text};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Vector values that are read into memory for training: 512 MiB.
const MAX_VALUES: usize = 128 << 20;
/// How long a checkpoint waits for another writer.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(10);
/// How long the finished model does.
const MODEL_WAIT: Duration = Duration::from_secs(60);

/// A model to train.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its name.
    pub name: String,
    /// On which points.
    pub selection: Selection,
    /// Principal components that are the state.
    pub components: usize,
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Epochs at most.
    pub epochs: u32,
    /// Share of the entities that decides when to stop, and again of those that judge the model.
    pub validation_share: f64,
    /// Epochs without a better loss on what is held out after which training ends.
    pub patience: u32,
    /// Epochs between checkpoints.
    pub checkpoint_every: u32,
    /// Go on from the checkpoint of this name, if there is one.
    pub resume: bool,
    /// Where trajectories are cut.
    pub cuts: Cuts,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            name: String::new(),
            selection: Selection::default(),
            components: 16,
            hidden: vec![64, 64],
            epochs: 200,
            validation_share: 0.2,
            patience: 20,
            checkpoint_every: 10,
            resume: false,
            cuts: Cuts::default(),
        }
    }
}

/// Trains a model and keeps it in the dataset; no row in a dry run.
///
/// # Errors
/// Fails in a build without the feature `neural`, when the dataset or the selection cannot be read, when the watch stops
/// the run (a checkpoint stays), and when the model cannot be kept.
pub fn run(session: &Session, request: &Request, watch: &dyn Watch) -> Result<(Option<NodeRow>, Outcome)> {
    node::available()?;
    models::check_name(&request.name)?;
    let started = Instant::now();
    let snapshot = session.snapshot()?;
    let selected = request.selection.resolve(session, watch)?;
    let sample = sample(watch, snapshot, &selected.select)?;
    let views = sample.views(&request.cuts);
    let options = request.options(session, snapshot);
    if session.settings().dry_run {
        let (entities, points) = (sample.entities(), sample.points());
        let text = format!("{entities} entities with {points} points would be trained on");
        watch.note(Level::Note, &text);
        return Ok((None, selected.outcome()));
    }
    let resume = if request.resume { models::checkpoint(snapshot, &request.name)? } else { None };
    if request.resume && resume.is_none() {
        let text = "there is no checkpoint of this name: training starts at the beginning";
        watch.note(Level::Note, text);
    }
    let observer = Observer { session, snapshot, request, watch };
    let trained = node::train(&views, &options, resume.as_deref(), &mut |e| observer.take(e))?;
    let Some(model) = trained else {
        watch.stop().map_err(|e| e.fix("the same command with ‹resume› goes on from the checkpoint"))?;
        return Err(Error::internal("training ended without a model"));
    };
    let trained_us = clock_us();
    let writing = writing(session, MODEL_WAIT);
    let version = models::save(snapshot, &request.name, &model, trained_us, &writing)?;
    note(watch, &model, started);
    let stored = models::find(snapshot, &format!("{}@{version}", request.name))?;
    let found = Ok(Trained { trained_us, bytes: 0, model });
    let stored = stored.unwrap_or(Stored { name: request.name.clone(), version, found });
    Ok((Some(row(&stored, snapshot.settings().dim)), selected.outcome()))
}

/// Waits for the lock at least so long: what was computed is worth it.
fn writing(session: &Session, wait: Duration) -> dataset::Options {
    let options = session.writing("predict train");
    dataset::Options { lock_timeout: options.lock_timeout.max(wait), ..options }
}

fn note(watch: &dyn Watch, model: &node::Model, started: Instant) {
    let t = &model.training;
    watch.note(Level::Note, &format!(
        "{} epochs in {}, best {}; {}",
        t.epochs,
        span_text(started.elapsed().as_secs_f64()),
        t.best_epoch,
        match model.useful() {
            true => "useful: better than last, trend and ou on what was held out",
            false =>
                "not useful: last, trend or ou does as well on what was held out, so auto will not choose it",
        }
    ));
}

/// All that is selected, or so many entities of it as fit into memory.
fn sample(watch: &dyn Watch, snapshot: &Snapshot, select: &Select) -> Result<Sample> {
    let selected = select.resolve(snapshot)?;
    let values = selected.points().saturating_mul(snapshot.settings().dim as u64);
    let mut select = select.clone();
    if values > MAX_VALUES as u64 && select.sample.is_none() {
        let entities = selected.counts().len() as f64 * MAX_VALUES as f64 / values as f64;
        watch.note(Level::Note, &format!(
            "trained on a sample of {entities:.0} entities, which fits into memory; ‹sample› chooses another"
        ));
        select.sample = Some(dataset::Sample::Count(entities as u64));
    }
    drop(selected);
    Sample::read(snapshot, &select, MAX_VALUES)
}

impl Request {
    fn options(&self, session: &Session, snapshot: &Snapshot) -> Options {
        Options {
            components: self.components,
            hidden: self.hidden.clone(),
            epochs: self.epochs,
            patience: self.patience,
            checkpoint_every: self.checkpoint_every,
            validation_share: self.validation_share,
            seed: session.seed(),
            commit: snapshot.manifest().commit,
            ..Options::default()
        }
    }
}

/// Reports the loss and keeps checkpoints.
struct Observer<'a> {
    session: &'a Session,
    snapshot: &'a Snapshot,
    request: &'a Request,
    watch: &'a dyn Watch,
}

impl Observer<'_> {
    fn take(&self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Epoch(e) => {
                self.epoch(&e);
                if self.watch.stop().is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
            Event::Checkpoint(bytes) => {
                self.keep(bytes);
                ControlFlow::Continue(())
            }
        }
    }

    fn epoch(&self, e: &Epoch) {
        self.watch.progress(&Progress::Epoch {
            epoch: e.epoch,
            of: self.request.epochs,
            loss: e.train_loss,
            validation_loss: e.validation_loss,
            best: e.best_epoch,
        });
    }

    /// A checkpoint that cannot be kept costs time and no result.
    fn keep(&self, bytes: &[u8]) {
        let options = writing(self.session, CHECKPOINT_WAIT);
        let name = &self.request.name;
        if let Err(e) = models::save_checkpoint(self.snapshot, name, bytes, clock_us(), &options) {
            self.watch.note(Level::Warning, &format!("no checkpoint: {e}"));
        }
    }
}
