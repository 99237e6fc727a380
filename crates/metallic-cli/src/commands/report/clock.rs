//! The moments of a log, whose clock may go back.

use metallic_instrumentation::{Event, EventData};
use rustc_hash::FxHashMap;

use crate::input::RegistryId;

/// Less than this, in nanoseconds, is no step of the clock: threads report out of order, and creations when they are over.
const LEAST_STEP: u64 = 10_000_000_000;
/// A clock that goes back more often is not one clock: nothing more is made of it.
const MOST_STEPS: u64 = 8;

/// The times of a log's events. Behind a step back, time goes on from where it was.
///
/// Each registry has a time of its own: processes and threads may use different clocks.
#[derive(Debug, Default)]
pub(super) struct LogClock {
    /// `true` if the log has times; known from its first event.
    pub(super) timed: Option<bool>,
    /// Steps back, of any registry.
    pub(super) steps: u64,
    /// The longest of them, in nanoseconds.
    pub(super) longest_step: u64,
    latest: u64,
    registries: FxHashMap<RegistryId, Hands>,
}

#[derive(Debug, Default)]
struct Hands {
    latest: u64,
    /// The sum of the steps back, by which the times that are read are too early.
    behind: u64,
}

impl LogClock {
    /// The time of an event, or its number in a log without times.
    pub(super) fn time_of(&mut self, event: &Event, registry: RegistryId, number: u64) -> u64 {
        let timed = *self.timed.get_or_insert(event.timestamp.is_some());
        self.latest = match event.timestamp {
            _ if !timed => number,
            None => self.latest,
            Some(read) => {
                let hands = self.registries.entry(registry).or_default();
                let reported = reported_at(event, read);
                let end = |behind: u64| reported.map(|at| at.saturating_add(behind));
                let back = end(hands.behind).map_or(0, |end| hands.latest.saturating_sub(end));
                if back >= LEAST_STEP {
                    self.steps += 1;
                    self.longest_step = self.longest_step.max(back);
                    if self.steps <= MOST_STEPS {
                        hands.behind = hands.behind.saturating_add(back);
                    }
                }
                hands.latest = hands.latest.max(end(hands.behind).unwrap_or(0));
                read.saturating_add(hands.behind)
            }
        };
        self.latest
    }

    /// The time of the event before.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }
}

/// When an event with the time `read` was reported, if it says so: it may have the time at which something long began.
fn reported_at(event: &Event, read: u64) -> Option<u64> {
    match &event.data {
        EventData::SpanEnded(span) => Some(read.saturating_add(span.duration_ns)),
        EventData::ResourceCacheAccess(access) => access.hit.then_some(read),
        EventData::ResourceCacheSummary(_) => None,
        _ => Some(read),
    }
}
