//! The thread that writes.

use std::mem;
use std::sync::Arc;

use super::line::{Lines, MAX_LINE};
use super::output::Output;
use super::queue::{Chunk, Queue, Queued};
use crate::event::{Event, EventsDropped};

/// Bytes gathered for one write: large enough that the call does not count, small enough to stay in the cache.
const CHUNK: usize = 128 << 10;

/// Writes what comes out of `queue` until it is closed.
pub(super) fn run(queue: Arc<Queue>, output: Output, timestamps: bool) {
    let _ending = Ending(&queue);
    let mut writer = Writer {
        queue: &queue,
        output,
        lines: Lines::new(timestamps),
        buffer: Vec::with_capacity(2 * CHUNK),
        events: 0,
        refused: 0,
        gap: 0,
        missing: 0,
        announced: 0,
        latest: None,
    };
    let mut batch = queue.batch();
    while let Some(gap) = queue.take(&mut batch) {
        for queued in batch.drain(..) {
            writer.render(queued);
        }
        writer.write();
        if gap > 0 {
            writer.missing += gap;
            writer.gap = gap;
            writer.announce();
            writer.write();
        }
    }
    writer.announce();
    writer.write();
}

/// Tells the queue that the thread has ended, whichever way.
struct Ending<'a>(&'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.writer_ends();
    }
}

struct Writer<'a> {
    queue: &'a Queue,
    output: Output,
    lines: Lines,
    buffer: Vec<u8>,
    /// Events in `buffer`.
    events: u64,
    /// Events that are not in `buffer`, because no reader would take their lines.
    refused: u64,
    /// Events lost for want of room that `buffer` tells of.
    gap: u64,
    /// Events lost, in any way, since the log last told of any, and how many of them `buffer` tells of in its first line.
    missing: u64,
    announced: u64,
    /// The time of the latest event.
    latest: Option<u64>,
}

impl Writer<'_> {
    fn render(&mut self, queued: Queued) {
        if self.buffer.is_empty() {
            self.announce();
        }
        let start = self.buffer.len();
        match queued {
            Queued::Label { slot, label, registry } => return self.lines.label(slot, &label, registry),
            Queued::Access { slot, hit, bytes, timestamp } => {
                self.latest = timestamp;
                self.lines.access(&mut self.buffer, slot, hit, bytes, timestamp);
            }
            Queued::Other(event) => {
                self.latest = event.timestamp;
                self.lines.event(&mut self.buffer, *event);
            }
        }
        if self.buffer.len() - start > MAX_LINE + 1 {
            self.buffer.truncate(start);
            self.refused += 1;
            // So that the next line tells of it.
            return self.write();
        }
        self.events += 1;
        if self.buffer.len() >= CHUNK {
            self.write();
        }
    }

    /// Begins the buffer, which is empty, with the count of events that are missing before it, if any are.
    fn announce(&mut self) {
        if self.missing > 0 {
            let dropped = EventsDropped { count: self.missing };
            self.lines.event(&mut self.buffer, Event { timestamp: self.latest, ..Event::new(dropped) });
            self.announced = self.missing;
        }
    }

    /// Writes the buffer and empties it. What could not be written is missing from then on.
    fn write(&mut self) {
        if self.buffer.is_empty() && self.refused == 0 {
            return;
        }
        let (whole, error) = match self.output.write(&self.buffer) {
            Ok(()) => (self.buffer.len(), None),
            Err(partial) => (partial.whole, Some(partial.error)),
        };
        let mut written = self.events;
        if whole < self.buffer.len() {
            // A string has its line breaks escaped, so a line break ends a line.
            written = self.buffer[..whole].iter().filter(|&&byte| byte == b'\n').count() as u64;
            written -= u64::from(self.announced > 0 && whole > 0);
        }
        if whole > 0 {
            self.missing -= self.announced;
        }
        self.missing += self.events - written + self.refused;
        self.queue.complete(Chunk {
            events: self.events + self.refused,
            written,
            gap: mem::take(&mut self.gap),
            bytes: whole as u64,
            error,
            rotations: self.output.take_rotations(),
        });
        self.announced = 0;
        self.events = 0;
        self.refused = 0;
        self.buffer.clear();
    }
}
