//! The options of `cvx erase`.

use super::compact::span;
use super::select::SelectArgs;
use super::values::duration;
use crate::commands::erase::EraseRequest;
use crate::error::Result;
use crate::time::Duration;

/// Remove points, or whole entities with their names, from every file, and keep them out
#[derive(clap::Args, Debug)]
#[command(
    after_long_help = "Removes what is selected from the log, hot segments, warm files, cold blocks and kept originals
(in other stores too), the index, the dictionary, baselines, detector states, saved changes and cached
pieces. Calibrations are dropped and made again when needed; parts of the index that held the points are
dropped, and the next `cvx index build` covers the rest again. Trained models stay: they hold no points,
but were trained on them.

With --entity or --entities-from alone, entities leave as a whole, name included. With --where, --from and
the like, the selected points leave. A tombstone (a hash) is kept of each: `cvx ingest` leaves such rows out
and says so, until --allow-erased takes them back.

Older versions of the dataset go too. A reader that still holds one is waited for (--wait). What is left
then is listed in `left`, and the exit code is 3; the same command again completes it.

Not reached: copies, exports and backups that were made outside the dataset, the input files, and texts
of metadata that a saved command has in its --where (`cvx results list`).

Examples:
  cvx erase --entity 42 --yes
  cvx erase --entities-from requests.txt --yes --wait 10m
  cvx erase --where \"lang = 'xx'\" --to 2019-12-31 --dry-run"
)]
pub struct Args {
    #[command(flatten)]
    select: SelectArgs,
    /// How long to wait for readers that hold older versions
    #[arg(long, value_name = "DUR", default_value = "1m", value_parser = duration)]
    wait: Duration,
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Result<EraseRequest> {
        Ok(EraseRequest { selection: self.select.selection()?, wait: span(&self.wait) })
    }
}
