//! Full queues.

use std::time::Duration;

/// The fate of an event for which the queue of a [`JsonlExporter`](super::JsonlExporter) has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The caller waits for room. If there is none after `timeout` the event is dropped and counted, and so are those
    /// that follow, without a wait, until the writer moves on: a dead disk holds its callers up once.
    Wait {
        /// The longest wait.
        timeout: Duration,
    },
    /// The event is dropped at once, and counted.
    Drop,
}

impl Default for Overflow {
    /// Waits for up to a second.
    fn default() -> Self {
        Self::Wait { timeout: Duration::from_secs(1) }
    }
}
