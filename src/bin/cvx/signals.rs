//! SIGINT and SIGTERM: the first asks a command to stop at the next row or batch and ends the program
//! when it has not within two seconds, because it waits for a pipe, a lock or a disk; the second ends it
//! at once. What is durable stays so: an ended command leaves what a crash would. SIGXFSZ only makes
//! the write fail that passed the limit, so that an error says so.

use cvx::error::{Code, Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static ASKED: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// How long a command may take to stop by itself.
const GRACE: Duration = Duration::from_secs(2);

/// Takes the signals over.
pub fn install() -> Result<()> {
    // A handler, unlike ignoring it, does not reach programs that this one starts.
    let limit = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    limit.map_err(|e| Error::internal(format!("cannot handle signal {SIGXFSZ}: {e}")))?;
    end_after_grace();
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

/// Ends the program some time after the first signal. Without a thread for it the second signal does.
fn end_after_grace() {
    let Ok((mut woken, wakes)) = UnixStream::pair() else { return };
    for signal in [SIGINT, SIGTERM] {
        let Ok(wakes) = wakes.try_clone() else { return };
        if signal_hook::low_level::pipe::register(signal, wakes).is_err() {
            return;
        }
    }
    let wait = move || {
        let mut byte = [0];
        if woken.read_exact(&mut byte).is_ok() {
            std::thread::sleep(GRACE);
            let signal = ASKED.load(Ordering::Relaxed) as i32;
            let code = if signal == SIGINT { Code::Interrupted } else { Code::Terminated };
            let text = format!("error: {}: the command did not stop by itself within 2 s\n", word(code));
            let _ = std::io::stderr().write_all(text.as_bytes());
            signal_hook::low_level::exit(i32::from(code.exit()));
        }
    };
    let _ = std::thread::Builder::new().name("signals".to_owned()).stack_size(64 << 10).spawn(wait);
}

fn word(code: Code) -> &'static str {
    if code == Code::Interrupted { "interrupted" } else { "terminated" }
}

/// An error once a signal has come. Commands call it between rows and between batches.
pub fn check() -> Result<()> {
    match ASKED.load(Ordering::Relaxed) as i32 {
        SIGINT => Err(Error::new(Code::Interrupted, word(Code::Interrupted))),
        SIGTERM => Err(Error::new(Code::Terminated, word(Code::Terminated))),
        _ => Ok(()),
    }
}
