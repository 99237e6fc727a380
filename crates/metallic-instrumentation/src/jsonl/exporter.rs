//! The exporter.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::running::Running;
use super::stats::JsonlStats;
use crate::event::Event;
use crate::sink::EventSink;

mod builder;

pub use builder::JsonlBuilder;

/// Writes every event as one line of JSON, on its own thread.
///
/// `record` puts the event into a bounded queue, which costs the caller some tens of nanoseconds; what happens when the
/// queue is full is an [`Overflow`](super::Overflow). Events reach the file within some milliseconds, at once on
/// [`flush`](Self::flush), and the last of them when the exporter is dropped. A process that ends without dropping it (by
/// `exit`, or with the exporter in a static) loses what is still queued.
///
/// A file has one exporter in a process: opened again, it yields another handle of the same exporter, with the same
/// queue and the same counts.
///
/// An event that cannot be written, because the disk is full for instance, is lost; the caller does not notice. Nor is one
/// whose line would be longer than a reader takes ([`JsonlReader::MAX_LINE`](super::JsonlReader::MAX_LINE)). The next line
/// that can be written is an [`EventsDropped`](crate::EventsDropped) with the count of events that are missing at this
/// point, and [`stats`](Self::stats) tells of all that happened.
///
/// A child made by `fork` without `exec` has no writer thread: its events are lost and counted there, and neither
/// `record` nor `flush` waits for what cannot happen. What was queued at the fork is the parent's to write.
pub struct JsonlExporter {
    running: Arc<Running>,
}

impl JsonlExporter {
    fn new(running: Arc<Running>) -> Self {
        Self { running }
    }

    /// Returns the default options, to change some of them before the exporter starts.
    pub fn builder() -> JsonlBuilder {
        JsonlBuilder::default()
    }

    /// Does what [`JsonlBuilder::create`] does, with default options.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::builder().create(path)
    }

    /// Does what [`JsonlBuilder::append`] does, with default options.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn append(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::builder().append(path)
    }

    /// Does what [`JsonlBuilder::to_writer`] does, with default options.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn to_writer(writer: impl Write + Send + 'static) -> io::Result<Self> {
        Self::builder().to_writer(writer)
    }

    /// Blocks until every event recorded so far is with the operating system.
    ///
    /// # Errors
    ///
    /// The first failure of a write since the last flush; what it lost stays lost. `TimedOut` if the writer is held up
    /// for longer than the flush timeout. Events dropped because the queue was full are not an error but a count in
    /// the [`stats`](Self::stats).
    pub fn flush(&self) -> io::Result<()> {
        self.running.drain()?;
        self.running.queue().take_failure().map_or(Ok(()), Err)
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> JsonlStats {
        self.running.queue().stats()
    }
}

impl EventSink for JsonlExporter {
    fn record(&self, event: &Event) {
        self.running.queue().push(event);
    }

    /// Blocks as [`JsonlExporter::flush`] does; the next call of that returns the failures.
    fn flush(&self) {
        // It fails if the writer is held up or has ended: this method cannot say so, the statistics do.
        let _ = self.running.drain();
    }
}

impl fmt::Debug for JsonlExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlExporter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
