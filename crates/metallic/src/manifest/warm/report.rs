//! How a warm-up went.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use metallic_instrumentation::{EventKind, WarmUpFinished};

use crate::caching::SlotContext;

/// How far a warm-up has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmProgress {
    /// Keys that had their turn.
    pub done: usize,
    /// All keys that can be warmed up.
    pub of: usize,
}

impl WarmProgress {
    /// Returns `true` if all keys had their turn.
    pub fn is_over(&self) -> bool {
        self.done >= self.of
    }
}

/// The result of a warm-up. Nothing in it is fatal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmReport {
    /// Keys whose resources were created.
    pub created: u64,
    /// Keys whose resources were loaded from a store.
    pub loaded: u64,
    /// Keys whose resources were there.
    pub present: u64,
    /// Keys whose creation failed, with the errors.
    pub failed: Vec<(Arc<str>, String)>,
    /// Records that were passed over, by the reason: an unknown cache, another schema, a key that cannot be read or that this
    /// device refuses.
    pub skipped: BTreeMap<Cow<'static, str>, u64>,
    /// Keys that were not tried, by the reason: the deadline, the memory, a cache without room.
    pub left_out: BTreeMap<&'static str, u64>,
    /// The time that the creations took, added up over all threads.
    pub creating: Duration,
    /// The time from begin to end.
    pub duration: Duration,
}

impl WarmReport {
    pub(super) fn skip(&mut self, reason: impl Into<Cow<'static, str>>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    pub(super) fn leave_out(&mut self, reason: &'static str, keys: usize) {
        if keys > 0 {
            *self.left_out.entry(reason).or_default() += keys as u64;
        }
    }

    /// Sends the event.
    pub(super) fn tell(&self, context: &SlotContext) {
        context.report(EventKind::WarmUpFinished, context.now(), || WarmUpFinished {
            created: self.created,
            loaded: self.loaded,
            present: self.present,
            failed: self.failed.len() as u64,
            skipped: self.skipped.values().sum(),
            left_out: self.left_out.values().sum(),
            duration_ns: super::saturating_ns(self.duration),
        });
    }
}

impl fmt::Display for WarmReport {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} created, ", self.created)?;
        if self.loaded > 0 {
            write!(f, "{} loaded, ", self.loaded)?;
        }
        write!(f, "{} present, {} failed", self.present, self.failed.len())?;
        for (reason, count) in &self.skipped {
            write!(f, "; {count} skipped: {reason}")?;
        }
        for (reason, count) in &self.left_out {
            write!(f, "; {count} left out: {reason}")?;
        }
        Ok(())
    }
}
