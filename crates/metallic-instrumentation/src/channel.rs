//! Events over a channel.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::event::{Event, EventKind};
use crate::sink::EventSink;

/// Sends every event over a bounded channel, and drops it when the channel is full: it never waits.
#[derive(Debug)]
pub struct ChannelExporter {
    sender: SyncSender<Event>,
    sent: AtomicU64,
    dropped: AtomicU64,
    disconnected: AtomicBool,
}

/// The counts of a [`ChannelExporter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelStats {
    /// Events sent.
    pub sent: u64,
    /// Events lost: the channel was full, or its receiver was dropped.
    pub dropped: u64,
    /// True once an event found that the receiver was dropped.
    pub disconnected: bool,
}

impl ChannelExporter {
    /// Creates an exporter and the receiver of its events, of which the channel holds at most `capacity`.
    ///
    /// With a capacity of 0 an event passes only while the receiver is waiting for it.
    pub fn new(capacity: usize) -> (Self, Receiver<Event>) {
        let (sender, receiver) = sync_channel(capacity);
        let exporter = Self {
            sender,
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            disconnected: AtomicBool::new(false),
        };
        (exporter, receiver)
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> ChannelStats {
        ChannelStats {
            sent: self.sent.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            disconnected: self.disconnected.load(Ordering::Relaxed),
        }
    }
}

impl EventSink for ChannelExporter {
    /// Declines everything once an event found that the receiver was dropped.
    fn enabled(&self, _kind: EventKind) -> bool {
        !self.disconnected.load(Ordering::Relaxed)
    }

    fn record(&self, event: &Event) {
        let count = match self.sender.try_send(event.clone()) {
            Ok(()) => &self.sent,
            Err(TrySendError::Full(_)) => &self.dropped,
            Err(TrySendError::Disconnected(_)) => {
                self.disconnected.store(true, Ordering::Relaxed);
                &self.dropped
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
