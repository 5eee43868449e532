//! The options of `cvx delete`.

use super::select::SelectArgs;
use crate::commands::delete::Request;
use crate::error::Result;

/// Delete the selected points
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "The points are gone for every later reader at once; readers that are under way, and
--read-at, still see the version they opened.

The bytes stay in files until these are rewritten, and copies of them in the index, in baselines, states and
saved changes; the name stays in the dictionary; and a file that was ingested is read again when it is given
again. `cvx erase` removes all of that and keeps the entity out.

Examples:
  cvx delete --entity 42 --yes
  cvx delete --where \"lang = 'xx'\" --to 2019-12-31 --dry-run"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// All points; without it a selection is needed
    #[arg(long)]
    all: bool,
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Result<Request> {
        Ok(Request { selection: self.select.selection()?, all: self.all })
    }
}
