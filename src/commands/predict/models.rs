//! Which models are trained, and whether they are any good.

use super::kept::models::{self, Stored, Trained};
use crate::analytics::predict::Method;
use crate::analytics::predict::node::Model;
use crate::commands::{Level, Outcome, Rows, Session, Watch};
use crate::error::{Code, Error, Result};
use crate::output::{Json, Time};
use crate::rows::NodeRow;

/// Lists the trained models; each is read and checked.
///
/// # Errors
/// Fails when the dataset cannot be read, and when `out` fails. Models that cannot be read make the outcome incomplete.
pub fn list(session: &Session, watch: &dyn Watch, out: &mut dyn Rows<NodeRow>) -> Result<Outcome> {
    let snapshot = session.snapshot()?;
    let mut broken = 0;
    for stored in models::list(snapshot)? {
        if let Err(e) = &stored.found {
            watch.note(Level::Warning, &format!("model {}: {e}", stored.label()));
            broken += 1;
        }
        out.row(row(&stored, snapshot.settings().dim))?;
    }
    out.end()?;
    Ok(match broken {
        0 => Outcome::COMPLETE,
        n => Outcome::of(Err(Error::new(Code::Partial, format!("{n} models cannot be read"))
            .fix("train them again with `cvx predict train`, or remove their files from results/models"))),
    })
}

/// The row of a model of a dataset with dimension `dim`.
pub(super) fn row(stored: &Stored, dim: usize) -> NodeRow {
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
