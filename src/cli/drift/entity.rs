//! The options of drift of entities: between two instants, or two periods.

use super::periods::PeriodArgs;
use crate::cli::cuts::{BatchArgs, PerArg};
use crate::cli::select::{SelectArgs, When};
use crate::cli::values::time;
use crate::commands::drift::instants::{self, Reference};
use crate::commands::drift::{SortBy, periods};
use crate::error::{Error, Result};
use crate::rows::Sparks;
use clap::ValueEnum;

/// Drift of entities.
#[derive(clap::Args, Debug)]
pub struct EntityArgs {
    #[command(flatten)]
    pub(super) select: SelectArgs,
    /// What the last state is compared with: first, centroid, or ENTITY@T
    #[arg(long, value_name = "REF", default_value = "first")]
    pub(super) reference: String,
    /// Dimensions to name
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) top: usize,
    #[command(flatten)]
    pub(super) per: PerArg,
    /// Random sign flips for direction_p; 0 for none [default: 999]
    #[arg(long, value_name = "N")]
    pub(super) flips: Option<usize>,
    /// Order the rows by this, largest first
    #[arg(long, value_enum, value_name = "FIELD")]
    pub(super) sort: Option<SortBys>,
    /// Only the first N rows, after sorting
    #[arg(long, value_name = "N")]
    pub(super) top_rows: Option<usize>,
    #[command(flatten)]
    pub(super) period: PeriodArgs,
    #[command(flatten)]
    pub batch: BatchArgs,
}

/// `--sort`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortBys {
    /// Euclidean distance
    L2,
    /// Cosine distance
    Cosine,
    /// Angle
    Angle,
    /// Distance per --per
    Rate,
    /// Length of the path
    Path,
    /// Distance of two periods, corrected for noise
    Change,
}

impl From<SortBys> for SortBy {
    fn from(by: SortBys) -> SortBy {
        match by {
            SortBys::L2 => SortBy::L2,
            SortBys::Cosine => SortBy::Cosine,
            SortBys::Angle => SortBy::Angle,
            SortBys::Rate => SortBy::Rate,
            SortBys::Path => SortBy::Path,
            SortBys::Change => SortBy::Change,
        }
    }
}

/// What is asked.
pub enum Asked {
    /// Two instants.
    Instants(Box<instants::Request>),
    /// Two periods.
    Periods(Box<periods::Request>),
}

impl EntityArgs {
    /// For the library.
    pub fn asked(&self, sparks: Option<Sparks>) -> Result<Asked> {
        let is_period = |when: &Option<When>| matches!(when, Some(When::In(_)));
        Ok(if is_period(&self.select.from) || is_period(&self.select.to) {
            Asked::Periods(Box::new(self.periods()?))
        } else {
            Asked::Instants(Box::new(self.instants(sparks)?))
        })
    }

    fn instants(&self, sparks: Option<Sparks>) -> Result<instants::Request> {
        self.refuse_options_of_periods()?;
        if self.select.in_.is_some() {
            return Err(Error::usage("drift compares two instants or two periods, not one period")
                .what("option --in")
                .fix(
                    "instants: --from 1990 --to 2010; means of periods: --from 1850..1900 --to 1950..2000; \
                     whole populations: `cvx drift population --ref A..B --cur C..D`",
                ));
        }
        let [from, to] = self.select.times()?;
        let default = instants::Request::default();
        Ok(instants::Request {
            selection: self.select.without_times(),
            from,
            to,
            reference: self.reference()?,
            top: self.top,
            per: self.per.per.clone(),
            flips: self.flips.unwrap_or(default.flips),
            sort: self.sort.map(Into::into),
            top_rows: self.top_rows,
            sparks,
            each: self.batch.options(),
        })
    }

    fn reference(&self) -> Result<Reference> {
        let wrong = |e: Error| e.what("option --reference");
        match (self.reference.rsplit_once('@'), self.reference.as_str()) {
            (Some((entity, t)), _) => {
                let at = time(t).map_err(|e| wrong(Error::usage(e)))?;
                Ok(Reference::State { entity: entity.to_owned(), at })
            }
            (None, "first") => Ok(Reference::First),
            (None, "centroid") => Ok(Reference::Centroid),
            (None, other) => Err(wrong(Error::usage(format!("\"{other}\" is not a reference")))
                .fix("use first, centroid, or ENTITY@T")),
        }
    }

    fn refuse_options_of_periods(&self) -> Result<()> {
        let sorts = self.sort == Some(SortBys::Change);
        match self.period.given().or(sorts.then_some("--sort change")) {
            None => Ok(()),
            Some(option) => Err(Error::usage("this compares two periods, and drift was given instants")
                .what(format!("option {option}"))
                .fix("name two periods, e.g. --from 1850..1900 --to 1950..2000")),
        }
    }
}
