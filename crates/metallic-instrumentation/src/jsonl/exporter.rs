//! The exporter, and how it is set up.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::log_file::Rotation;
use super::output::Output;
use super::queue::Queue;
use super::stats::JsonlStats;
use super::writer;
use crate::event::Event;
use crate::sink::EventSink;

/// Writes every event as one line of JSON, on a thread of its own.
///
/// `record` puts the event into a bounded queue, which costs the caller some tens of nanoseconds; what happens when the
/// queue is full is an [`Overflow`]. Events reach the file within some milliseconds, at once on [`flush`](Self::flush),
/// and the last of them when the exporter is dropped. A process that ends without dropping it (by `exit`, or with the
/// exporter in a static) loses what is still queued.
///
/// An event that cannot be written, because the disk is full for instance, is lost; the caller does not notice. The
/// next line that can be written is an [`EventsDropped`](crate::EventsDropped) with the count of events that are
/// missing at this point, and [`stats`](Self::stats) tells of all that happened.
pub struct JsonlExporter {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    flush_timeout: Duration,
}

/// What [`JsonlExporter`] does with an event for which its queue has no room.
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

/// Options of a [`JsonlExporter`].
///
/// ```no_run
/// use metallic_instrumentation::{JsonlExporter, Overflow};
///
/// let exporter = JsonlExporter::builder()
///     .overflow(Overflow::Drop)
///     .rotate(64 << 20, 4)
///     .append("events.jsonl")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonlBuilder {
    capacity: usize,
    overflow: Overflow,
    timestamps: bool,
    rotation: Option<Rotation>,
    flush_timeout: Duration,
}

impl Default for JsonlBuilder {
    fn default() -> Self {
        Self {
            capacity: 32 << 10,
            overflow: Overflow::default(),
            timestamps: true,
            rotation: None,
            flush_timeout: Duration::from_secs(10),
        }
    }
}

impl JsonlBuilder {
    /// How many events the queue holds, at least 1; 32768 unless set. Each takes 32 bytes, twice.
    pub fn capacity(self, events: usize) -> Self {
        Self { capacity: events.max(1), ..self }
    }

    /// What happens to an event when the queue is full; [`Overflow::Wait`] for up to a second unless set.
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// Whether the time of an event, where it has one, is written; it is unless set.
    pub fn timestamps(self, timestamps: bool) -> Self {
        Self { timestamps, ..self }
    }

    /// Moves on to a new file before one grows beyond `max_bytes`, and keeps `keep` old ones beside it; no rotation
    /// unless set.
    ///
    /// `log.jsonl` becomes `log.jsonl.1`, that becomes `log.jsonl.2`, and so on; the oldest is overwritten. Lines stay
    /// whole: one that is longer than `max_bytes` gets a file to itself. A rotation that fails is counted, and the log
    /// goes on in the file it was in. Only plain files are rotated, and only by one exporter: a second one to the same
    /// path would go on writing to the file that was renamed.
    pub fn rotate(self, max_bytes: u64, keep: usize) -> Self {
        Self { rotation: Some(Rotation { max_bytes, keep }), ..self }
    }

    /// How long a flush, and the drop of the exporter, wait for a write that does not end; 10 seconds unless set.
    pub fn flush_timeout(self, timeout: Duration) -> Self {
        Self { flush_timeout: timeout, ..self }
    }

    /// An exporter to this file, which is created or emptied.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn create(self, path: impl AsRef<Path>) -> io::Result<JsonlExporter> {
        let output = Output::file(path.as_ref(), false, self.rotation)?;
        self.start(output)
    }

    /// An exporter to this file, which is created if need be; what it holds stays, and a last line without an end
    /// remains one line.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn append(self, path: impl AsRef<Path>) -> io::Result<JsonlExporter> {
        let output = Output::file(path.as_ref(), true, self.rotation)?;
        self.start(output)
    }

    /// An exporter to a pipe, a socket or anything else that takes bytes and waits until it can; it is flushed after
    /// every batch of lines.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn to_writer(self, writer: impl Write + Send + 'static) -> io::Result<JsonlExporter> {
        self.start(Output::stream(Box::new(writer)))
    }

    fn start(self, output: Output) -> io::Result<JsonlExporter> {
        let queue = Arc::new(Queue::new(self.capacity, self.overflow));
        let run = {
            let queue = Arc::clone(&queue);
            move || writer::run(queue, output, self.timestamps)
        };
        let writer = thread::Builder::new().name("metallic-jsonl".to_owned()).spawn(run)?;
        Ok(JsonlExporter { queue, writer: Some(writer), flush_timeout: self.flush_timeout })
    }
}

impl JsonlExporter {
    /// The options, to change some of them before the exporter is made.
    pub fn builder() -> JsonlBuilder {
        JsonlBuilder::default()
    }

    /// [`JsonlBuilder::create`] with default options.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::builder().create(path)
    }

    /// [`JsonlBuilder::append`] with default options.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn append(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::builder().append(path)
    }

    /// [`JsonlBuilder::to_writer`] with default options.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn to_writer(writer: impl Write + Send + 'static) -> io::Result<Self> {
        Self::builder().to_writer(writer)
    }

    /// Returns when every event recorded before is in the file, that is, with the operating system.
    ///
    /// # Errors
    ///
    /// The first failure of a write since the last flush; what it lost stays lost. `TimedOut` if the writer is held up
    /// for longer than the flush timeout. Events dropped because the queue was full are not an error but a count in
    /// the [`stats`](Self::stats).
    pub fn flush(&self) -> io::Result<()> {
        self.queue.drain(self.flush_timeout)?;
        self.queue.take_failure().map_or(Ok(()), Err)
    }

    /// The counts so far.
    pub fn stats(&self) -> JsonlStats {
        self.queue.stats()
    }
}

impl EventSink for JsonlExporter {
    fn record(&self, event: &Event) {
        self.queue.push(event);
    }

    /// Waits as [`JsonlExporter::flush`] does, which is left to tell of failures.
    fn flush(&self) {
        // It fails if the writer is held up or gone: this face has no way to say so, the statistics do.
        let _ = self.queue.drain(self.flush_timeout);
    }
}

impl fmt::Debug for JsonlExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonlExporter").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Drop for JsonlExporter {
    /// Writes what is queued, for as long as the flush timeout allows; a writer held up for longer is left to itself.
    fn drop(&mut self) {
        if self.queue.close(self.flush_timeout)
            && let Some(writer) = self.writer.take()
        {
            // A panic of the writer has been counted, and shown by the panic hook.
            let _ = writer.join();
        }
    }
}
