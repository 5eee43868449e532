//! `cvx predict`: forecasts with a radius, their evaluation, and trained models.

use crate::context::Context;
use crate::gate::Gated;
use crate::printer::Printer;
use cvx::analytics::predict::Method;
use cvx::cli::predict::{AheadArgs, Args, Predict, eval as eval_args, train as train_args};
use cvx::commands::Rows;
use cvx::commands::predict::ahead::{self, Request};
use cvx::commands::predict::eval::{self, Eval};
use cvx::commands::predict::{Forecaster, models, train};
use cvx::error::Result;
use cvx::hidden;
use cvx::output::Hidden;
use cvx::rows::{CaseRow, EvalRow, PredictRow};

/// Runs the command.
pub fn run(context: &Context, args: &Args) -> Result<()> {
    args.check()?;
    match &args.command {
        None => forecast(context, &args.ahead),
        Some(Predict::Eval(args)) => evaluate(context, args),
        Some(Predict::Models(_)) => {
            let mut out = Printer::new(context.rows_of(Hidden::none())?);
            models::list(&context.session, &context.console, &mut out)?.into_result()
        }
        Some(Predict::Train(args)) => learn(context, args),
    }
}

fn forecast(context: &Context, args: &AheadArgs) -> Result<()> {
    let request = args.request(context.outputs.shows_vectors())?;
    // Only a model that was asked for can be missing.
    let of_model = request.method == Forecaster::Fixed(Method::Node) || request.basis.model.is_some();
    let plain = context.outputs.shows_table()? && !of_model;
    let mut out = Gated::new(context.rows_of(hidden(&request, plain))?, &args.gate)?;
    let outcome = ahead::run(&context.session, &request, &context.console, &mut out)?;
    out.verdict()?;
    outcome.into_result()
}

fn hidden(request: &Request, plain: bool) -> Hidden<PredictRow> {
    let nearest = hidden!(PredictRow: nearest).when(request.rank_like.is_none());
    nearest.and(hidden!(PredictRow: fallback).when(plain))
}

fn evaluate(context: &Context, args: &eval_args::Args) -> Result<()> {
    let sparks = context.outputs.sparks()?;
    let request = args.request(sparks)?;
    let mut out = match args.cases {
        true => {
            let hidden = hidden!(CaseRow: by_horizon).when(sparks.is_none());
            Shown::Cases(Printer::new(context.rows_of(hidden)?))
        }
        false => {
            let hidden = hidden!(EvalRow: by_horizon).when(sparks.is_none());
            Shown::Horizons(Printer::new(context.rows_of(hidden)?))
        }
    };
    eval::run(&context.session, &request, &context.console, &mut out)?.into_result()
}

/// The rows of an evaluation that are shown.
enum Shown {
    Horizons(Printer<EvalRow>),
    Cases(Printer<CaseRow>),
}

impl Rows<Eval> for Shown {
    fn row(&mut self, row: Eval) -> Result<()> {
        match (self, row) {
            (Shown::Horizons(out), Eval::Horizon(row)) => out.row(row),
            (Shown::Cases(out), Eval::Case(row)) => out.row(*row),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<()> {
        match self {
            Shown::Horizons(out) => out.end(),
            Shown::Cases(out) => out.end(),
        }
    }
}

fn learn(context: &Context, args: &train_args::Args) -> Result<()> {
    let (row, outcome) = train::run(&context.session, &args.request()?, &context.console)?;
    row.as_ref().map_or(Ok(()), |row| context.outputs.record(row))?;
    outcome.into_result()
}
