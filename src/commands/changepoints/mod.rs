//! When the level of a trajectory jumped, looking back (PELT) or point after point (BOCPD).

pub mod detector;
mod online;
mod pelt;
mod report;
pub mod saved;

pub use report::{Found, Report};

use super::each::Options;
use super::storing::Storing;
use super::{Rows, Selection, Session, Watch};
use crate::analytics::changepoint::{Params, bocpd};
use crate::error::Result;
use crate::results::stored::What;
use crate::rows::Sparks;
use report::Collector;

/// When the level of each trajectory jumped.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which trajectories.
    pub selection: Selection,
    /// Look back, or point after point.
    pub method: Method,
    /// The stretches between changes too ([`Found::segments`]), with PELT.
    pub segments: bool,
    /// Only the summaries are shown: what they say is not noted as well.
    pub summary: bool,
    /// Store the changes in the dataset under this name.
    pub save: Option<String>,
    /// Draw each trajectory in its summary.
    pub sparks: Option<Sparks>,
    /// What every analytic takes.
    pub each: Options,
}

/// How changes are looked for.
#[derive(Debug, Clone)]
pub enum Method {
    /// The best segmentation of the whole trajectory.
    Pelt(Params),
    /// Bayesian detection that looks at each point once.
    Bocpd {
        /// Parameters of the detector.
        params: bocpd::Params,
        /// Scale every vector to length 1 first.
        normalize: bool,
        /// Keep each entity's state in the dataset under this name, and read only points that came since.
        state: Option<String>,
    },
}

impl Default for Method {
    fn default() -> Self {
        Method::Pelt(Params::default())
    }
}

/// Runs the command. `out` receives what was found in each trajectory, and once for each scale.
///
/// # Errors
/// Fails when the dataset, the selection or a stored state cannot be read, when a result cannot be stored, when the
/// watch stops the run, and when `out` fails.
pub fn run(
    session: &Session,
    request: &Request,
    watch: &dyn Watch,
    out: &mut dyn Rows<Found>,
) -> Result<Report> {
    match &request.method {
        Method::Pelt(params) => {
            let storing = Storing::begin(session, What::Changepoints, request.save.as_deref())?;
            let collector = Collector::new(session, request, watch, out, storing)?;
            pelt::run(session, request, params, watch, collector)
        }
        Method::Bocpd { params, normalize, state } => {
            let settings = detector::Settings {
                normalize: *normalize,
                max_gap_us: request.each.cuts.max_gap_us,
                mix_models: request.each.cuts.align == crate::analytics::Align::Off,
                points: request.selection.points(),
                ..detector::Settings::new(*params)
            };
            let storing = Storing::begin(session, What::States, state.as_deref())?;
            let saving = Storing::begin(session, What::Changepoints, request.save.as_deref())?;
            let collector = Collector::new(session, request, watch, out, saving)?;
            let run = online::Run { session, request, settings, watch };
            match state {
                Some(name) => run.resume(name, storing, collector),
                None => run.whole(collector),
            }
        }
    }
}
