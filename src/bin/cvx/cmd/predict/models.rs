//! `cvx predict models`: which models are trained, and whether they are any good.

use crate::context::Context;
use crate::rows::NodeRow;
use cvx::analytics::predict::Method;
use cvx::analytics::predict::node::Model;
use cvx::error::{Code, Error, Result};
use cvx::forecast::models::{self, Stored, Trained};
use cvx::output::{Json, Time};

/// List the trained models; each is read and checked
#[derive(clap::Args, Debug)]
#[command(after_long_help = "Examples:
  cvx predict models
  cvx predict models -f csv -o models.csv")]
pub struct Args {}

/// Runs the command.
pub fn run(context: &Context, _: Args) -> Result<()> {
    let snapshot = context.snapshot()?;
    let mut out = context.rows_of::<NodeRow>(&snapshot, &[])?;
    let mut broken = 0;
    for stored in models::list(&snapshot)? {
        if let Err(e) = &stored.found {
            context.warn(&format!("model {}: {e}", stored.label()));
            broken += 1;
        }
        out.row(&row(&stored, snapshot.settings().dim))?;
    }
    out.finish()?;
    match broken {
        0 => Ok(()),
        n => Err(Error::new(Code::Partial, format!("{n} models cannot be read"))
            .fix("train them again with `cvx predict train`, or remove their files from results/models")),
    }
}

/// The row of a model of a dataset with dimension `dim`.
pub fn row(stored: &Stored, dim: usize) -> NodeRow {
    let blank = NodeRow {
        name: stored.name.clone(),
        version: stored.version,
        useful: None,
        status: "damaged",
        trained: None,
        commit: None,
        entities: None,
        points: None,
        t_first: None,
        t_last: None,
        dim: None,
        components: None,
        explained: None,
        hidden: None,
        epochs: None,
        best_epoch: None,
        validation_loss: None,
        held_out: None,
        vs_last: None,
        vs_trend: None,
        vs_ou: None,
        seed: None,
        bytes: None,
    };
    match &stored.found {
        Ok(trained) => filled(blank, trained, dim),
        Err(e) if e.code() == Code::Version => NodeRow { status: "version", ..blank },
        Err(_) => blank,
    }
}

fn filled(blank: NodeRow, trained: &Trained, dim: usize) -> NodeRow {
    let m = &trained.model;
    let t = &m.training;
    NodeRow {
        useful: Some(m.useful()),
        status: if m.dim() == dim { "ok" } else { "other_dimension" },
        trained: Some(Time(trained.trained_us)),
        commit: Some(t.commit),
        entities: Some(t.entities),
        points: Some(t.points),
        t_first: Some(Time(t.t_first)),
        t_last: Some(Time(t.t_last)),
        dim: Some(m.dim()),
        components: Some(m.space().len()),
        explained: Some(m.space().explained),
        hidden: Some(Json(serde_json::Value::from(m.shape().hidden.clone()).to_string())),
        epochs: Some(t.epochs),
        best_epoch: Some(t.best_epoch),
        validation_loss: Some(t.validation_loss),
        held_out: t.held_out.iter().find(|h| h.method == Method::Last).map(|h| h.n),
        vs_last: against(m, Method::Last),
        vs_trend: against(m, Method::Trend),
        vs_ou: against(m, Method::Ou),
        seed: Some(t.seed),
        bytes: Some(trained.bytes),
        ..blank
    }
}

fn against(model: &Model, method: Method) -> Option<f64> {
    let held = model.training.held_out.iter().find(|h| h.method == method)?;
    Some(held.model / held.baseline)
}
