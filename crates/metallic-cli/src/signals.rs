//! The signals that ask the process to end.

use std::io;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(unix)]
use std::sync::{Arc, OnceLock};

/// Set by the signal handlers. A process has one of each, as it has one handler of a signal.
#[cfg(unix)]
#[derive(Default)]
struct Received {
    any: Arc<AtomicBool>,
    number: Arc<AtomicUsize>,
}

#[cfg(unix)]
static RECEIVED: OnceLock<Received> = OnceLock::new();

/// The effect of a second signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Second {
    /// It ends the process at once, with the code that shells give a process that a signal ended.
    Kills,
    /// The same as the first.
    Asks,
}

/// From now on, signals that ask the process to end no longer end it: [`received`] tells of them.
///
/// # Errors
/// The system refuses a handler.
#[cfg(unix)]
pub(crate) fn listen(second: Second) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag;

    let mut is_new = false;
    let received = RECEIVED.get_or_init(|| {
        is_new = true;
        Received::default()
    });
    if !is_new {
        return Ok(());
    }
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag not set yet.
        if second == Second::Kills {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&received.any))?;
        }
        flag::register_usize(signal, Arc::clone(&received.number), signal as usize)?;
        flag::register(signal, Arc::clone(&received.any))?;
    }
    Ok(())
}

/// Elsewhere they end the process, as if nothing listened.
#[cfg(not(unix))]
pub(crate) fn listen(_second: Second) -> io::Result<()> {
    Ok(())
}

/// The number of the last signal that asked the process to end, since [`listen`] was called.
#[cfg(unix)]
pub(crate) fn received() -> Option<u8> {
    let number = RECEIVED.get()?.number.load(Ordering::Relaxed);
    u8::try_from(number).ok().filter(|number| *number > 0)
}

/// There is none.
#[cfg(not(unix))]
pub(crate) fn received() -> Option<u8> {
    None
}
