//! The options of drift between two periods.

use super::entity::{EntityArgs, SortBys};
use crate::cli::select::When;
use crate::cli::values::probability;
use crate::commands::drift::periods::Request;
use crate::commands::each::Per;
use crate::error::{Error, Result};

/// Options that periods take.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Periods")]
pub struct PeriodArgs {
    /// Points of a block that is relabelled as one; auto: as long as points remember the ones before
    #[arg(long, value_name = "N|auto", value_parser = block)]
    block: Option<Block>,
    /// Points with the same value of this metadata key are relabelled as one, e.g. author
    #[arg(long, value_name = "META_KEY", conflicts_with = "block")]
    cluster: Option<String>,
    /// Random relabellings at most, fewer where p is large; 0 for no test [default: 99999]
    #[arg(long, value_name = "N")]
    permutations: Option<usize>,
    /// Probability with which ci_low..ci_high holds the distance of the true means [default: 0.95]
    #[arg(long, value_name = "P", value_parser = probability)]
    level: Option<f64>,
    /// Bring points to length 1 before they are averaged; default: yes where the dataset's metric is cosine
    #[arg(long, value_name = "yes|no", value_parser = yes)]
    unit_length: Option<bool>,
    /// No q_value, which needs the whole run: rows come as they are ready, and --shard works
    #[arg(long)]
    no_q: bool,
}

/// `--block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Auto,
    Points(usize),
}

fn block(text: &str) -> Result<Block, String> {
    match text.parse() {
        _ if text == "auto" => Ok(Block::Auto),
        Ok(n) if n > 0 => Ok(Block::Points(n)),
        _ => Err("expected a number of points of at least 1, or auto".to_string()),
    }
}

fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no".to_string()),
    }
}

impl PeriodArgs {
    /// An option that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.block.is_some(), "--block"),
            (self.cluster.is_some(), "--cluster"),
            (self.permutations.is_some(), "--permutations"),
            (self.level.is_some(), "--level"),
            (self.unit_length.is_some(), "--unit-length"),
            (self.no_q, "--no-q"),
        ];
        given.iter().find_map(|(given, name)| given.then_some(*name))
    }
}

impl EntityArgs {
    /// For the library.
    pub(super) fn periods(&self) -> Result<Request> {
        refuse_options_of_instants(self)?;
        let default = Request::default();
        let options = self.batch.options();
        Ok(Request {
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
