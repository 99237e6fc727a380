//! The options of an exporter.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::JsonlExporter;
use crate::jsonl::beginning;
use crate::jsonl::header::Header;
use crate::jsonl::log_file::{LogFile, Rotation};
use crate::jsonl::open_logs;
use crate::jsonl::output::Output;
use crate::jsonl::overflow::Overflow;
use crate::jsonl::queue::Queue;
use crate::jsonl::running::Running;
use crate::jsonl::writer;

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
    header: Option<Header>,
    rotation: Option<Rotation>,
    flush_timeout: Duration,
}

impl Default for JsonlBuilder {
    fn default() -> Self {
        Self {
            capacity: 32 << 10,
            overflow: Overflow::default(),
            timestamps: true,
            header: Some(Header::default()),
            rotation: None,
            flush_timeout: Duration::from_secs(10),
        }
    }
}

impl JsonlBuilder {
    /// Sets how many events the queue holds, at least 1; 32768 unless set. Each takes 32 bytes, twice.
    pub fn capacity(self, events: usize) -> Self {
        Self { capacity: events.max(1), ..self }
    }

    /// Sets what happens to an event when the queue is full; [`Overflow::Wait`] for up to a second unless set.
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// Sets whether the times of events are written; they are unless set.
    pub fn timestamps(self, timestamps: bool) -> Self {
        Self { timestamps, ..self }
    }

    /// Sets whether a file begins with a [`LogOpened`](crate::LogOpened) line; it does unless set. A writer that is not
    /// a file never gets one.
    pub fn header(self, header: bool) -> Self {
        Self { header: header.then(|| self.header.unwrap_or_default()), ..self }
    }

    /// Names the program and its version in the header; the file name of the executable, and no version, unless set.
    pub fn program(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        let header = self.header.get_or_insert_default();
        header.program = name.into();
        header.version = Some(version.into());
        self
    }

    /// Names the devices that the program uses in the header; none unless set.
    pub fn devices(mut self, devices: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.header.get_or_insert_default().devices = devices.into_iter().map(Into::into).collect();
        self
    }

    /// Moves on to a new file before one grows beyond `max_bytes`, and keeps `keep` old ones next to it; no rotation
    /// unless set.
    ///
    /// `log.jsonl` becomes `log.jsonl.1`, that becomes `log.jsonl.2`, and so on, as far as there are such files; only if
    /// there are `keep` of them is the oldest overwritten. Lines stay whole: one that is longer than `max_bytes` gets a
    /// file to itself. What is [not a log](crate::is_log) and lies where an older one would, or is called `log.jsonl.new`, is
    /// left as it is, and fails the rotation. A rotation that fails is counted, and the log goes on in the file it was in.
    /// Only plain files are rotated, and not while another process writes to them: it would go on in the file that was
    /// renamed.
    pub fn rotate(self, max_bytes: u64, keep: usize) -> Self {
        Self { rotation: Some(Rotation { max_bytes, keep }), ..self }
    }

    /// Sets how long a flush, and the drop of the exporter, wait for a write that does not end; 10 seconds unless set.
    pub fn flush_timeout(self, timeout: Duration) -> Self {
        Self { flush_timeout: timeout, ..self }
    }

    /// Starts an exporter to this file, which is created or emptied.
    ///
    /// While this process has an exporter to the file, the result is another handle of that one: nothing is emptied, and
    /// the options of the first are in force.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn create(self, path: impl AsRef<Path>) -> io::Result<JsonlExporter> {
        self.open(path.as_ref(), |_| Ok(false))
    }

    /// Starts an exporter to this file, which is created if need be; what it holds stays, and a last line without an end
    /// remains one line.
    ///
    /// While this process has an exporter to the file, the result is another handle of that one, with its options.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or no thread can be started.
    pub fn append(self, path: impl AsRef<Path>) -> io::Result<JsonlExporter> {
        self.open(path.as_ref(), |_| Ok(true))
    }

    /// Does what [`append`](Self::append) does if `append`, else what [`create`](Self::create) does at the first call for
    /// this file in the process, and what [`append`](Self::append) does at the others. A file that is not a log is an error
    /// with [`NotALog`](beginning::NotALog) in it, and with [`ForeignFile`](super::super::log_file::ForeignFile) where an older
    /// log would be.
    pub(crate) fn only_log(self, path: &Path, append: bool) -> io::Result<JsonlExporter> {
        let (log, rotation) = (open_logs::identity(path)?, self.rotation);
        let exporter = self.open(path, |log| {
            beginning::refuse_foreign(log)?;
            if let Some(rotation) = rotation.filter(|_| !log.exists() || log.is_file()) {
                LogFile::refuse_foreign(log, rotation)?;
            }
            Ok(append || open_logs::is_begun(log))
        })?;
        if !append {
            // Before the exporter can be dropped, and so before another can be started.
            open_logs::begun(log);
        }
        Ok(exporter)
    }

    /// Starts an exporter to a pipe, a socket or anything else that takes bytes and waits until it can; it is flushed
    /// after every batch of lines.
    ///
    /// # Errors
    ///
    /// No thread can be started.
    pub fn to_writer(self, writer: impl Write + Send + 'static) -> io::Result<JsonlExporter> {
        self.start(Output::stream(Box::new(writer)), None).map(JsonlExporter::new)
    }

    /// `append` is asked when the file is about to be opened.
    fn open(self, path: &Path, append: impl FnOnce(&Path) -> io::Result<bool>) -> io::Result<JsonlExporter> {
        let log = open_logs::identity(path)?;
        let start = |others_write: bool| {
            let append = append(&log)? || others_write;
            let output = Output::file(path, append, self.header.clone(), self.rotation)?;
            self.start(output, Some(log.clone()))
        };
        open_logs::join_or_start(&log, start).map(JsonlExporter::new)
    }

    fn start(&self, output: Output, log: Option<PathBuf>) -> io::Result<Arc<Running>> {
        let queue = Arc::new(Queue::new(self.capacity, self.overflow));
        let run = {
            let (queue, timestamps) = (Arc::clone(&queue), self.timestamps);
            move || writer::run(queue, output, timestamps)
        };
        let writer = thread::Builder::new().name("metallic-jsonl".to_owned()).spawn(run)?;
        Ok(Arc::new(Running::new(queue, writer, self.flush_timeout, log)))
    }
}
