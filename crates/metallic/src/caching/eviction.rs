//! Who leaves next. Pure decisions: nothing is changed here.

use std::fmt;
use std::time::Duration;

use super::clock::{TimeSource, saturating_ns};
use super::order::{EntryId, EntryOrder};
use super::policy::{EvictionPolicy, EvictionStrategy};

/// Why a policy made entries leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvictionReason {
    /// The cache was at its limit of this many entries.
    SizeLimit(usize),
    /// They were not used for longer than this.
    IdleTimeout(Duration),
}

impl fmt::Display for EvictionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SizeLimit(max) => write!(f, "size_limit_exceeded_max_{max}"),
            Self::IdleTimeout(max_idle) => write!(f, "idle_timeout_exceeded_{}ms", max_idle.as_millis()),
        }
    }
}

/// The entry that leaves next to make room, if there is one and the policy's lists are kept.
#[inline]
pub(super) fn next_victim(policy: &EvictionPolicy, order: &EntryOrder) -> Option<EntryId> {
    match policy.strategy() {
        EvictionStrategy::Fifo => order.oldest(),
        _ => order.least_recent(),
    }
}

/// The entry that was idle for too long, if one was and may leave. The least recently used entry decides: if it is not
/// idle, no other is.
pub(super) fn next_expired(
    policy: &EvictionPolicy,
    order: &EntryOrder,
    time: &TimeSource,
    now: u64,
) -> Option<EntryId> {
    let max_idle = saturating_ns(policy.max_idle_duration()?);
    let id = order.least_recent().filter(|_| order.len() > policy.min_entries())?;
    (time.ns_between(order.last_used(id), now) > max_idle).then_some(id)
}

/// The stamp up to which [`next_expired`] is sure to find nothing, as long as no entry is removed: uses of entries only
/// make it later, and insertions add none that is idle.
pub(super) fn nothing_expires_before(policy: &EvictionPolicy, order: &EntryOrder, time: &TimeSource) -> u64 {
    let watched = order.least_recent().filter(|_| order.len() > policy.min_entries());
    match (policy.max_idle_duration(), watched) {
        (Some(max_idle), Some(id)) => time.shortly_before(order.last_used(id), saturating_ns(max_idle)),
        _ => u64::MAX,
    }
}
