//! What the options of drift of entities ask: two instants, or two periods.

use super::entity::{EntityArgs, SortBys};
use super::periods::Block;
use crate::cli::select::When;
use crate::cli::values::time;
use crate::commands::drift::instants::{self, Reference};
use crate::commands::drift::periods;
use crate::commands::each::Per;
use crate::error::{Error, Result};
use crate::rows::Sparks;

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

impl EntityArgs {
    /// For the library.
    fn periods(&self) -> Result<periods::Request> {
        refuse_options_of_instants(self)?;
        let default = periods::Request::default();
        let options = self.batch.options();
        Ok(periods::Request {
            selection: self.select.without_times(),
            from: period(self.select.from.as_ref(), "--from")?,
            to: period(self.select.to.as_ref(), "--to")?,
            block: match self.period.block {
                Some(Block::Points(n)) => Some(n),
                Some(Block::Auto) | None => None,
            },
            cluster: self.period.cluster.clone(),
            permutations: self.period.permutations.unwrap_or(default.permutations),
            level: self.period.level.unwrap_or(default.level),
            unit_length: self.period.unit_length,
            q_values: !self.period.no_q,
            top: self.top,
            sort: self.sort.map(Into::into),
            top_rows: self.top_rows,
            align: options.cuts.align,
            order: options.order,
        })
    }
}

fn period(when: Option<&When>, option: &str) -> Result<String> {
    match when {
        Some(When::In(text)) => Ok(text.clone()),
        Some(When::At(_)) | None => Err(Error::usage("one side is a period, the other is not")
            .what(format!("option {option}"))
            .fix("name two periods, e.g. --from 1850..1900 --to 1950..2000, where 1990..1990 is the year 1990; or two instants")),
    }
}

/// Options that mean nothing between two periods.
fn refuse_options_of_instants(args: &EntityArgs) -> Result<()> {
    let sorts = matches!(args.sort, Some(SortBys::Rate | SortBys::Path));
    let given = [
        (args.reference != "first", "--reference", "the first period is what the second is compared with"),
        (args.flips.is_some(), "--flips", "--permutations bounds the relabellings"),
        (args.per.per != Per::default(), "--per", "means of periods have no rate"),
        (!args.batch.scale.is_empty(), "--scale", "--block N takes N consecutive points together"),
        (args.batch.cuts.max_gap.is_some(), "--max-gap", "no step between points is looked at"),
        (sorts, "--sort", "sort by l2, cosine, angle or change"),
    ];
    if let Some((_, option, fix)) = given.iter().find(|(given, ..)| *given) {
        return Err(Error::usage("this has no meaning between two periods")
            .what(format!("option {option}"))
            .fix(format!("leave it out: {fix}")));
    }
    Ok(())
}
