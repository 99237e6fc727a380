//! Between the threads that record and the one that writes.

use std::io;
use std::mem;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::labels::{self, Labels};
use super::output::Rotations;
use super::overflow::Overflow;
use super::stats::JsonlStats;
use crate::event::{Event, EventData};

/// Time the writer lets events gather before it takes them. Meanwhile no caller needs to wake it.
const LINGER: Duration = Duration::from_millis(5);

/// Times in a row that it lingers in vain before it sleeps until it is woken.
const IDLE_ROUNDS: u32 = 20;

/// An entry of the queue.
pub(super) enum Queued {
    /// The slot is this label in this registry from here on.
    Label {
        slot: u32,
        label: Arc<str>,
        registry: Option<u32>,
    },
    Access {
        slot: u32,
        hit: bool,
        bytes: u64,
        timestamp: Option<u64>,
    },
    Other(Box<Event>),
}

const _: () =
    assert!(size_of::<Queued>() <= 32, "the documentation of `JsonlBuilder::capacity` says 32 bytes");

/// The result of one write of the writer.
pub(super) struct Chunk {
    pub(super) events: u64,
    /// Those of the events that are in the log; the others are lost.
    pub(super) written: u64,
    /// Events lost before, for want of room, that the log now tells of.
    pub(super) gap: u64,
    pub(super) bytes: u64,
    pub(super) error: Option<io::Error>,
    pub(super) rotations: Rotations,
}

/// A bounded queue that is emptied whole: the writer swaps it for an empty one, so neither side holds the lock for
/// longer than a few stores.
pub(super) struct Queue {
    capacity: usize,
    overflow: Overflow,
    /// The process whose thread empties the queue.
    process: u32,
    /// Events that a child of that process recorded, and that are lost.
    lost_in_child: AtomicU64,
    state: Mutex<State>,
    /// The writer waits here for events, flushes and the end.
    work: Condvar,
    /// Callers wait here for room, and for what they flush.
    progress: Condvar,
}

struct State {
    queued: Vec<Queued>,
    labels: Labels,
    /// Events in `queued`.
    len: usize,
    /// Of the events recorded, how many the log has or tells to be missing, and how many a flush waits for.
    done: u64,
    wanted: u64,
    /// Events lost for want of room since the writer last took the queue.
    gap: u64,
    stats: JsonlStats,
    /// The first failure of a write that no flush has told of.
    failure: Option<io::Error>,
    /// The writer sleeps until it is woken.
    asleep: bool,
    /// A caller waited in vain for room, and the writer has not moved since: no one waits again before it does.
    stalled: bool,
    closed: bool,
    writer_gone: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize, overflow: Overflow) -> Self {
        let state = State {
            queued: Self::room(capacity),
            labels: Labels::new(),
            len: 0,
            done: 0,
            wanted: 0,
            gap: 0,
            stats: JsonlStats::default(),
            failure: None,
            asleep: false,
            stalled: false,
            closed: false,
            writer_gone: false,
        };
        Self {
            capacity,
            overflow,
            process: process::id(),
            lost_in_child: AtomicU64::new(0),
            state: Mutex::new(state),
            work: Condvar::new(),
            progress: Condvar::new(),
        }
    }

    /// Room for a full queue, so that it does not grow under the lock, within reason.
    fn room(capacity: usize) -> Vec<Queued> {
        Vec::with_capacity(capacity.min(1 << 16))
    }

    /// An empty batch for [`Queue::take`].
    pub(super) fn batch(&self) -> Vec<Queued> {
        Self::room(self.capacity)
    }

    /// Tells a child of the process that writes, which has the queue's memory and not its thread. Makes a system call.
    pub(super) fn is_forked(&self) -> bool {
        process::id() != self.process
    }

    /// Queues the event, or counts it as lost.
    pub(super) fn push(&self, event: &Event) {
        let mut state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // The thread that holds it may not exist on this side of a fork.
            Err(TryLockError::WouldBlock) if self.is_forked() => return self.lose_in_child(),
            Err(TryLockError::WouldBlock) => self.lock(),
        };
        if state.len >= self.capacity || state.writer_gone {
            if self.is_forked() {
                return self.lose_in_child();
            }
            state = self.wait_for_room(state);
            if state.len >= self.capacity || state.writer_gone {
                state.stats.recorded += 1;
                state.stats.dropped += 1;
                state.gap += 1;
                return;
            }
        }
        state.push(event);
        if state.asleep || state.len == self.busy() {
            state.asleep = false;
            drop(state);
            self.work.notify_one();
        }
    }

    fn lose_in_child(&self) {
        self.lost_in_child.fetch_add(1, Ordering::Relaxed);
    }

    fn wait_for_room<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let Overflow::Wait { timeout } = self.overflow else { return state };
        let full = |state: &mut State| state.len >= self.capacity && !state.writer_gone && !state.stalled;
        let (mut state, waited) =
            self.progress.wait_timeout_while(state, timeout, full).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            state.stalled = true;
        }
        state
    }

    /// Moves what is queued into `batch`, which is empty, as soon as it is worth while. Returns the count of events that
    /// were lost after those for want of room, or `None` at the end.
    pub(super) fn take(&self, batch: &mut Vec<Queued>) -> Option<u64> {
        let mut state = self.lock();
        let mut idle_rounds = 0;
        while !state.is_urgent(self.busy()) {
            if idle_rounds < IDLE_ROUNDS {
                state = self.work.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner).0;
                if state.len > 0 {
                    break;
                }
                idle_rounds += 1;
            } else {
                state.asleep = true;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.asleep = false;
                idle_rounds = 0;
            }
        }
        if state.closed && state.len == 0 {
            return None;
        }
        mem::swap(&mut state.queued, batch);
        state.len = 0;
        state.stalled = false;
        let gap = mem::take(&mut state.gap);
        drop(state);
        self.progress.notify_all();
        Some(gap)
    }

    /// Counts a write.
    pub(super) fn complete(&self, chunk: Chunk) {
        let mut state = self.lock();
        state.done += chunk.events + chunk.gap;
        let stats = &mut state.stats;
        stats.written += chunk.written;
        stats.dropped += chunk.events - chunk.written;
        stats.bytes_written += chunk.bytes + chunk.rotations.header_bytes;
        stats.rotations += chunk.rotations.done;
        stats.rotation_errors += chunk.rotations.failed;
        stats.write_errors += u64::from(chunk.error.is_some());
        if let Some(error) = chunk.error.as_ref().or(chunk.rotations.error.as_ref()) {
            stats.last_error = Some(error.to_string());
        }
        if state.failure.is_none() {
            state.failure = chunk.error;
        }
        drop(state);
        self.progress.notify_all();
    }

    /// Waits until the log has, or tells to be missing, everything recorded before.
    pub(super) fn drain(&self, timeout: Duration) -> io::Result<()> {
        if self.is_forked() {
            return Err(io::Error::other("the event log is written by the parent of this process"));
        }
        let mut state = self.lock();
        let target = state.stats.recorded;
        state.wanted = target;
        self.work.notify_one();
        let behind = |state: &mut State| state.done < target && !state.writer_gone;
        let (state, _) =
            self.progress.wait_timeout_while(state, timeout, behind).unwrap_or_else(PoisonError::into_inner);
        if state.writer_gone {
            return Err(io::Error::other("the writer thread of the event log has ended"));
        }
        if state.done < target {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the event log is still being written"));
        }
        Ok(())
    }

    /// The first failure of a write since the last call.
    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failure.take()
    }

    /// Asks the writer to finish. Returns whether it has, within `timeout`.
    pub(super) fn close(&self, timeout: Duration) -> bool {
        if self.is_forked() {
            return false;
        }
        let mut state = self.lock();
        state.closed = true;
        self.work.notify_one();
        let running = |state: &mut State| !state.writer_gone;
        let (state, _) =
            self.progress.wait_timeout_while(state, timeout, running).unwrap_or_else(PoisonError::into_inner);
        state.writer_gone
    }

    /// Tells that the writer has ended, as asked or by a panic: what is still queued is lost, and no one waits any more.
    pub(super) fn writer_ends(&self) {
        let mut state = self.lock();
        state.stats.dropped = state.stats.recorded - state.stats.written;
        state.queued = Vec::new();
        state.len = 0;
        state.writer_gone = true;
        if std::thread::panicking() {
            state.stats.last_error = Some("the writer thread panicked".to_owned());
        }
        drop(state);
        self.progress.notify_all();
    }

    pub(super) fn stats(&self) -> JsonlStats {
        if self.is_forked() {
            return self.stats_in_child();
        }
        self.lock().stats.clone()
    }

    /// The counts of the parent up to the fork, if it was not at work in that moment, and what is lost since.
    fn stats_in_child(&self) -> JsonlStats {
        let mut stats = match self.state.try_lock() {
            Ok(state) => state.stats.clone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().stats.clone(),
            Err(TryLockError::WouldBlock) => JsonlStats::default(),
        };
        stats.recorded += self.lost_in_child.load(Ordering::Relaxed);
        stats.dropped = stats.recorded - stats.written;
        stats.last_error = Some("the event log is written by the parent of this process".to_owned());
        stats
    }

    /// At this length the writer need not wait for more.
    fn busy(&self) -> usize {
        self.capacity.div_ceil(2)
    }

    /// No code that could panic runs under the lock, so poison would mean nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, event: &Event) {
        self.stats.recorded += 1;
        self.len += 1;
        let access = match &event.data {
            EventData::ResourceCacheAccess(access) if access.cache_key.len() <= labels::LONGEST => access,
            _ => return self.queued.push(Queued::Other(Box::new(event.clone()))),
        };
        let (slot, is_new) = self.labels.slot_of(&access.cache_key, event.registry);
        if is_new {
            let label = Arc::clone(&access.cache_key);
            self.queued.push(Queued::Label { slot, label, registry: event.registry });
        }
        self.queued.push(Queued::Access {
            slot,
            hit: access.hit,
            bytes: access.bytes,
            timestamp: event.timestamp,
        });
    }

    fn is_urgent(&self, busy: usize) -> bool {
        self.len >= busy || self.done < self.wanted || self.closed
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::event::EventsDropped;

    #[test]
    fn an_event_wakes_a_writer_that_fell_asleep() {
        let queue = Queue::new(8, Overflow::Drop);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut batch = queue.batch();
                (queue.take(&mut batch), batch.len())
            });
            while !queue.lock().asleep {
                thread::yield_now();
            }
            queue.push(&Event::new(EventsDropped { count: 1 }));
            assert_eq!(writer.join().unwrap(), (Some(0), 1));
        });
    }
}
