//! An exporter at work: its queue and its thread.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::open_logs;
use super::queue::Queue;

/// The state that all handles of one exporter share; dropped with the last of them.
pub(super) struct Running {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    flush_timeout: Duration,
    /// The file it writes to, as [`open_logs`] knows it.
    log: Option<PathBuf>,
}

impl Running {
    pub(super) fn new(
        queue: Arc<Queue>,
        writer: JoinHandle<()>,
        flush_timeout: Duration,
        log: Option<PathBuf>,
    ) -> Self {
        Self { queue, writer: Some(writer), flush_timeout, log }
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Does what [`Queue::drain`] does, within the flush timeout.
    pub(super) fn drain(&self) -> io::Result<()> {
        self.queue.drain(self.flush_timeout)
    }
}

impl Drop for Running {
    /// Writes what is queued, for as long as the flush timeout allows; a writer held up for longer is left to itself.
    fn drop(&mut self) {
        if self.queue.close(self.flush_timeout) {
            if let Some(writer) = self.writer.take() {
                // A panic of the writer has been counted, and shown by the panic hook.
                let _ = writer.join();
            }
        }
        // In a child process the entry is that of an exporter which took the place of this one, or of none.
        if let Some(log) = self.log.as_ref().filter(|_| !self.queue.is_forked()) {
            open_logs::closed(log);
        }
    }
}
