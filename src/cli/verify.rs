//! The options of `cvx verify`.

use crate::commands::verify::{Depth, Request};
use clap::ValueEnum;

/// Check the dataset's files; exit 4 for what a command mends, 13 for damage and files that cannot be read
#[derive(clap::Args, Debug)]
#[command(
    visible_alias = "fsck",
    after_long_help = "Examples:
  cvx verify -d news
  cvx verify --level full --fail-fast -f table
  cvx verify --read-at 41 --level full

Without --read-at the files that only older kept versions need are looked at too."
)]
pub struct Args {
    /// How much to look at
    #[arg(long, value_enum, default_value_t = Depths::Quick)]
    level: Depths,
    /// Stop at the first damage
    #[arg(long)]
    fail_fast: bool,
    /// Stored points asked of the index and of a scan; without it 1000 with --level deep
    #[arg(long, value_name = "N")]
    recall_sample: Option<usize>,
}

/// `--level`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Depths {
    /// Manifests, lengths, headers
    Quick,
    /// Every byte against its checksum, the order of keys, the dictionary
    Full,
    /// Also every vector and every metadata text
    Deep,
}

impl Args {
    /// For the library.
    pub fn request(&self) -> Request {
        Request {
            level: match self.level {
                Depths::Quick => Depth::Quick,
                Depths::Full => Depth::Full,
                Depths::Deep => Depth::Deep,
            },
            fail_fast: self.fail_fast,
            recall_sample: self.recall_sample,
        }
    }
}
