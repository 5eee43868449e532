//! SIGINT and SIGTERM: the first asks a command to stop at the next row or batch, the second
//! stops it at once.

use cvx::error::{Code, Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

static ASKED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Takes the two signals over.
pub fn install() -> Result<()> {
    let armed = Arc::new(AtomicBool::new(false));
    for (signal, code) in [(SIGINT, Code::Interrupted), (SIGTERM, Code::Terminated)] {
        let go = || {
            // In this order: the flag that the first signal sets is what the second one finds.
            signal_hook::flag::register_conditional_shutdown(signal, i32::from(code.exit()), armed.clone())?;
            signal_hook::flag::register(signal, armed.clone())?;
            signal_hook::flag::register_usize(signal, ASKED.clone(), signal as usize)
        };
        go().map_err(|e| Error::internal(format!("cannot handle signal {signal}: {e}")))?;
    }
    Ok(())
}

/// An error once a signal has come. Commands call it between rows and between batches.
pub fn check() -> Result<()> {
    match ASKED.load(Ordering::Relaxed) as i32 {
        SIGINT => Err(Error::new(Code::Interrupted, "interrupted")),
        SIGTERM => Err(Error::new(Code::Terminated, "terminated")),
        _ => Ok(()),
    }
}
