//! The end of all waits of one call together.

use std::time::Duration;

use crate::caching::clock::{Clock, SystemClock};

/// The end of all waits of one call together, which begins with the first.
pub(super) enum Deadline {
    /// Nothing was waited for yet.
    Within(Option<Duration>),
    /// In the time of the system's clock.
    At(Duration),
}

impl Deadline {
    /// The time that is left for a wait; `None` if it has no end.
    pub(super) fn remaining(&mut self) -> Option<Duration> {
        if let Self::Within(timeout) = self {
            *self = Self::At(SystemClock.now().saturating_add((*timeout)?));
        }
        match self {
            Self::Within(_) => None,
            Self::At(end) => Some(end.saturating_sub(SystemClock.now())),
        }
    }
}
