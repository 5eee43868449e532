//! The options of `cvx info`.

use super::select::SelectArgs;
use crate::commands::Selection;
use crate::error::{Error, Result};

/// Show what the dataset holds: one record, or a row an entity, file, tier or model
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "stats",
    after_long_help = "Without a switch only the manifest is read, whatever the size of the dataset.

Examples:
  cvx info -d news
  cvx info --entities --min-points 100 -f csv
  cvx info --models"
)]
pub struct Args {
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    select: SelectArgs,
}

/// What is shown.
#[derive(clap::Args, Debug)]
#[group(multiple = false)]
pub struct What {
    /// A row an entity, with its count, times, models and longest gap; the selection applies
    #[arg(long)]
    pub entities: bool,
    /// A row a live file
    #[arg(long)]
    pub partitions: bool,
    /// A row a tier
    #[arg(long)]
    pub tiers: bool,
    /// A row a model and source
    #[arg(long)]
    pub models: bool,
}

impl Args {
    /// For the library: which entities.
    pub fn selection(&self) -> Result<Selection> {
        let selection = self.select.selection()?;
        if !self.what.entities && !selection.is_all() {
            return Err(Error::usage("a selection applies to --entities only")
                .fix("add --entities, or leave the selection out"));
        }
        Ok(selection)
    }
}
