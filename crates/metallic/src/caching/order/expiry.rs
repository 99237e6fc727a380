//! Which entries were idle for too long.

use super::{EntryId, Order, Uses};
use crate::caching::clock::{TimeSource, saturating_ns};
use crate::caching::policy::EvictionPolicy;

impl Order {
    /// The entry that was idle for too long, if one was and may be evicted. The least recently used entry decides: if it is
    /// not idle, no other is.
    pub(in super::super) fn next_expired(
        &mut self,
        policy: &EvictionPolicy,
        time: &TimeSource,
        now: u64,
        uses: &mut impl FnMut(EntryId) -> Option<Uses>,
    ) -> Option<EntryId> {
        let max_idle = saturating_ns(policy.max_idle_duration()?);
        let id = self.watched(policy, uses)?;
        (time.ns_between(self.last_used(id), now) > max_idle).then_some(id)
    }

    /// The stamp up to which [`next_expired`](Self::next_expired) is sure to find nothing, as long as no entry is removed:
    /// uses of entries only make it later, and insertions add none that is idle.
    pub(in super::super) fn nothing_expires_before(
        &mut self,
        policy: &EvictionPolicy,
        time: &TimeSource,
        uses: &mut impl FnMut(EntryId) -> Option<Uses>,
    ) -> u64 {
        match (policy.max_idle_duration(), self.watched(policy, uses)) {
            (Some(max_idle), Some(id)) => time.shortly_before(self.last_used(id), saturating_ns(max_idle)),
            _ => u64::MAX,
        }
    }

    fn watched(
        &mut self,
        policy: &EvictionPolicy,
        uses: &mut impl FnMut(EntryId) -> Option<Uses>,
    ) -> Option<EntryId> {
        if self.len() <= policy.min_entries() {
            return None;
        }
        self.least_recent(uses)
    }
}
