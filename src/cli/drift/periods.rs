//! The options of drift between two periods.

use crate::cli::values::probability;

/// Options that periods take.
#[derive(clap::Args, Debug, Clone, Default)]
#[command(next_help_heading = "Periods")]
pub struct PeriodArgs {
    /// Points of a block that is relabelled as one; auto: as long as points remember the ones before
    #[arg(long, value_name = "N|auto", value_parser = block)]
    pub(super) block: Option<Block>,
    /// Points with the same value of this metadata key are relabelled as one, e.g. author
    #[arg(long, value_name = "META_KEY", conflicts_with = "block")]
    pub(super) cluster: Option<String>,
    /// Random relabellings at most, fewer where p is large; 0 for no test [default: 99999]
    #[arg(long, value_name = "N")]
    pub(super) permutations: Option<usize>,
    /// Probability with which ci_low..ci_high holds the distance of the true means [default: 0.95]
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(super) level: Option<f64>,
    /// Bring points to length 1 before they are averaged; default: yes where the dataset's metric is cosine
    #[arg(long, value_name = "yes|no", value_parser = yes)]
    pub(super) unit_length: Option<bool>,
    /// No q_value, which needs the whole run: rows come as they are ready, and --shard works
    #[arg(long)]
    pub(super) no_q: bool,
}

/// `--block`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
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
