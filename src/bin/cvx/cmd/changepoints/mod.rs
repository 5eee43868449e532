//! `cvx changepoints`: when the level of a trajectory jumped, looking back (PELT) or online
//! (BOCPD).

mod args;
mod found;
mod online;
mod pelt;
mod saved;

pub use args::{Args, arl, warmup};

use crate::context::Context;
use cvx::error::Result;

/// Runs the command.
pub fn run(context: &Context, args: Args) -> Result<()> {
    args.check()?;
    match (&args.saved, args.is_online()) {
        (Some(name), _) if name.is_empty() => saved::list(context),
        (Some(name), _) => saved::print(context, &args, name),
        (None, true) => online::run(context, &args),
        (None, false) => pelt::run(context, &args),
    }
}
