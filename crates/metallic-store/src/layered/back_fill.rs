use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::guard::caught;
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
    process: u32,
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
        let Some(jobs) = self.jobs(true) else { return };
        let job = Job::Write { level: Arc::clone(level), entry: entry.clone() };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = jobs.try_send(job) {
            not_written(&**level, entry, &SaveError::Busy);
        }
    }

    /// Waits until everything that was queued before is written. An observer that asks for this on the thread that writes does not
    /// wait for itself.
    pub(super) fn flush(&self) {
        let Some(jobs) = self.jobs(false) else { return };
        let (done, wait) = channel();
        if jobs.send(Job::Flush(done)).is_ok() {
            // An error says that the thread is gone, and with it what there was to wait for.
            let _ = wait.recv();
        }
    }

    /// The way to the thread, which is started if it is to be. No lock is held afterwards: observers may use the store.
    fn jobs(&self, start: bool) -> Option<SyncSender<Job>> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.as_ref().is_some_and(Worker::is_of_another_process) {
            *worker = None;
        }
        let mut started = Ok(());
        if worker.is_none() && start {
            match Worker::start() {
                Ok(thread) => *worker = Some(thread),
                Err(error) => started = Err(error),
            }
        }
        let jobs = worker
            .as_ref()
            .filter(|worker| start || !worker.is_current())
            .and_then(|worker| worker.jobs.clone());
        drop(worker);
        self.journal.absorb("start the back-fill", started);
        jobs
    }
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let thread =
            std::thread::Builder::new().name("metallic-store".to_owned()).spawn(move || run(&queue))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), process: std::process::id() })
    }

    /// Returns `true` in a process that was forked from the one with the thread: there is none here.
    fn is_of_another_process(&self) -> bool {
        self.process != std::process::id()
    }

    /// Returns `true` on the thread itself.
    fn is_current(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        // Neither the thread of another process nor this one ends while it is waited for.
        if self.is_of_another_process() || self.is_current() {
            return;
        }
        if let Some(thread) = self.thread.take() {
            // It catches what stores panic with.
            let _ = thread.join();
        }
    }
}

fn run(queue: &Receiver<Job>) {
    for job in queue {
        match job {
            // A panic costs one write, and not those after it.
            Job::Write { level, entry } => {
                caught(move || write(&*level, &entry));
            }
            Job::Flush(done) => drop(done),
        }
    }
}

fn write(level: &dyn ArtifactStore, entry: &Entry) {
    let watch = Stopwatch::start();
    let id = entry.key.id();
    match caught(|| level.write(entry)).unwrap_or(Err(SaveError::Panicked)) {
        Ok(()) => {
            let (bytes, elapsed) = (entry.body.bytes(), watch.elapsed());
            level.journal().record(StoreAction::Written { id, bytes, elapsed });
        }
        // A level that is only read is meant to be.
        Err(SaveError::ReadOnly) => {}
        Err(cause) => not_written(level, entry, &cause),
    }
}

fn not_written(level: &dyn ArtifactStore, entry: &Entry, cause: &SaveError) {
    let id = entry.key.id();
    level.journal().record(StoreAction::NotWritten { id, cause, in_background: true });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have() {
        let back_fill = BackFill::new(Arc::new(Journal::new("layered", None)));
        // The other end of the queue is there and no one reads it, as after a fork.
        let (jobs, _queue) = sync_channel(1);
        let parent = Worker { jobs: Some(jobs), thread: None, process: std::process::id() ^ 1 };
        *back_fill.worker.lock().unwrap() = Some(parent);
        back_fill.flush();
        assert!(back_fill.worker.lock().unwrap().is_none());
    }
}
