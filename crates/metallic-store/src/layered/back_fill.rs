use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::journal::Stopwatch;
use crate::{ArtifactStore, Entry, Journal, SaveError, StoreAction};

/// Writes that wait. An entry more is not written: the next process that misses it tries again.
const QUEUE: usize = 256;

/// Writes to levels on one thread, which is started for the first write. Dropping it waits for what was begun.
pub(super) struct BackFill {
    journal: Arc<Journal>,
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    Write { level: Arc<dyn ArtifactStore>, entry: Entry },
    Flush(Sender<()>),
}

impl BackFill {
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, worker: Mutex::default() }
    }

    /// Writes to a level when there is time, or counts that there is not.
    pub(super) fn write(&self, level: &Arc<dyn ArtifactStore>, entry: &Entry) {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.is_none() {
            *worker = self.journal.absorb("start the back-fill", Worker::start());
        }
        let Some(jobs) = worker.as_ref().and_then(|worker| worker.jobs.as_ref()) else { return };
        let job = Job::Write { level: Arc::clone(level), entry: entry.clone() };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = jobs.try_send(job) {
            level.journal().record(StoreAction::NotWritten { id: entry.key.id(), cause: &SaveError::Busy });
        }
    }

    /// Waits until everything that was queued before is written.
    pub(super) fn flush(&self) {
        let (done, wait) = channel();
        let jobs = {
            let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
            worker.as_ref().and_then(|worker| worker.jobs.clone())
        };
        if jobs.is_some_and(|jobs| jobs.send(Job::Flush(done)).is_ok()) {
            // An error says that the thread is gone, and with it what there was to wait for.
            let _ = wait.recv();
        }
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("metallic-store".to_owned()).spawn(move || run(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A store that panicked on that thread has told so there.
            let _ = thread.join();
        }
    }
}

fn run(queue: &Receiver<Job>) {
    for job in queue {
        match job {
            Job::Write { level, entry } => write(&*level, &entry),
            Job::Flush(done) => drop(done),
        }
    }
}

fn write(level: &dyn ArtifactStore, entry: &Entry) {
    let watch = Stopwatch::start();
    let id = entry.key.id();
    match level.write(entry) {
        Ok(()) => {
            let (bytes, elapsed) = (entry.body.bytes(), watch.elapsed());
            level.journal().record(StoreAction::Written { id, bytes, elapsed });
        }
        // A level that is only read is meant to be.
        Err(SaveError::ReadOnly) => {}
        Err(cause) => level.journal().record(StoreAction::NotWritten { id, cause: &cause }),
    }
}
