//! Threads that create in the background: a bounded number, started when there is something to create.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::waits::Wait;
use crate::caching::drops::run_each;
use crate::caching::sync::thread::{self, JoinHandle, ThreadId};
use crate::caching::sync::{Condvar, Mutex, MutexGuard, this_thread};

/// How long a thread without work stays: an engine that asks for something with each frame keeps its threads, and what their
/// thread-local variables hold, such as a handle to the registry, is let go of.
const LINGER: Duration = Duration::from_secs(5);

/// Creations for those who have a fallback that are queued at most, until another number is set: more than an engine asks for in
/// some frames, and less than it would mind to see created for nothing.
const MOST_FALLBACKS: usize = 1024;

/// A creation to be done by some thread.
pub(super) trait Job: Send + Sync {
    fn run(self: Arc<Self>);
    /// Whoever asked for it has a fallback, and asks again if need be: it may leave the queue for a newer one.
    fn is_for_fallback(&self) -> bool;
    /// Nothing will run it any more.
    fn shut_down(&self);
}

/// The queue of one registry, and the threads that serve it. Threads keep it, so that it is told when to
/// [`let_go`](Self::let_go).
pub(in crate::caching) struct Creators {
    state: Mutex<State>,
    /// There is something to do for a thread that has nothing to do.
    work: Condvar,
    /// A thread that was awaited has ended.
    ended: Condvar,
}

struct State {
    /// The most threads there are to be.
    limit: usize,
    queue: BTreeMap<Place, Arc<dyn Job>>,
    /// The most of them that there are to be for those who have a fallback.
    most_fallbacks: usize,
    /// The numbers of those, which no one ever waits for.
    fallbacks: BTreeSet<u64>,
    last_number: u64,
    threads: HashMap<ThreadId, JoinHandle<()>>,
    /// Threads whose end someone waits for, and those that end by themselves.
    awaited: Vec<ThreadId>,
    /// Threads that wait for work.
    idle: usize,
    is_stopped: bool,
}

/// A place in the queue: what is waited for goes first, then what was asked for first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    can_wait: bool,
    number: u64,
}

/// Why a job was not taken into the queue.
pub(super) enum Refused {
    /// There is no thread that could run it.
    NoThread,
    Stopped,
}

impl Creators {
    /// As many threads as half of the processors, and at least one: the other half is for those who use what is there.
    pub(in crate::caching) fn new() -> Arc<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_limit((processors / 2).max(1))
    }

    /// No threads: the caller creates.
    pub(in crate::caching) fn none() -> Arc<Self> {
        Self::with_limit(0)
    }

    fn with_limit(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                limit,
                queue: BTreeMap::new(),
                most_fallbacks: MOST_FALLBACKS,
                fallbacks: BTreeSet::new(),
                last_number: 0,
                threads: HashMap::new(),
                awaited: Vec::new(),
                idle: 0,
                is_stopped: false,
            }),
            work: Condvar::new(),
            ended: Condvar::new(),
        })
    }

    pub(in crate::caching) fn most_threads(&self) -> usize {
        self.lock().limit
    }

    /// Threads beyond a new limit end after what they are creating; the last one after what is queued.
    pub(in crate::caching) fn set_limit(self: &Arc<Self>, limit: usize) {
        let mut state = self.lock();
        state.limit = limit;
        while state.queue.len() > state.idle && self.start_thread(&mut state) {}
        drop(state);
        self.work.notify_all();
    }

    pub(in crate::caching) fn most_fallbacks(&self) -> usize {
        self.lock().most_fallbacks
    }

    /// Sets the number of fallbacks that may be queued. Those beyond a lower limit leave at the next addition.
    pub(in crate::caching) fn set_most_fallbacks(&self, limit: usize) {
        self.lock().most_fallbacks = limit.max(1);
    }

    /// A number for a job, larger than all before.
    pub(super) fn next_number(&self) -> u64 {
        let mut state = self.lock();
        state.last_number += 1;
        state.last_number
    }

    /// Queues a job under its number. If that is one too many for those who have a fallback, the first of these leave.
    pub(super) fn enqueue(
        self: &Arc<Self>,
        number: u64,
        can_wait: bool,
        job: Arc<dyn Job>,
    ) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.is_stopped {
            return Err(Refused::Stopped);
        }
        if state.idle <= state.queue.len() {
            self.start_thread(&mut state);
        }
        if state.threads.is_empty() {
            return Err(Refused::NoThread);
        }
        let mut leaving = Vec::new();
        if job.is_for_fallback() {
            while state.fallbacks.len() >= state.most_fallbacks {
                leaving.extend(state.fallbacks.first().copied().and_then(|first| state.take(first)));
            }
            state.fallbacks.insert(number);
        }
        state.queue.insert(Place { can_wait, number }, job);
        drop(state);
        self.work.notify_one();
        // What it was to be made of is not ours.
        run_each(leaving, drop);
        Ok(())
    }

    /// Moves a job that is queued before those that no one waits for.
    pub(super) fn raise(&self, number: u64) {
        let mut state = self.lock();
        if let Some(job) = state.queue.remove(&Place { can_wait: true, number }) {
            state.queue.insert(Place { can_wait: false, number }, job);
        }
    }

    /// Takes a job out of the queue, if it is there, for the caller to drop.
    pub(super) fn remove(&self, number: u64) -> Option<Arc<dyn Job>> {
        self.lock().take(number)
    }

    /// Returns `true` if this is one of the threads, and all others wait, or another, and all of the threads wait for it: then no
    /// other takes what is queued.
    pub(super) fn rest_on_this_thread(&self) -> bool {
        let here = this_thread();
        let state = self.lock();
        let (threads, others) = (state.threads.keys(), state.threads.keys().filter(|id| **id != here));
        if state.threads.contains_key(&here) {
            Wait::includes_all(others)
        } else {
            !state.threads.is_empty() && Wait::all_lead_to(here, threads)
        }
    }

    /// Empties the queue, takes nothing more, and has each thread end when it is done with what it is creating.
    fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        state.fallbacks.clear();
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.work.notify_all();
        run_each(queue.into_values(), |job| {
            job.shut_down();
            drop(job);
        });
    }

    /// [`stop`](Self::stop), without anyone to wait for the threads.
    pub(in crate::caching) fn let_go(&self) {
        self.stop();
        let threads = std::mem::take(&mut self.lock().threads);
        drop(threads);
    }

    /// [`stop`](Self::stop), and waits for the end of all threads, together with whoever else does. One of them that calls this,
    /// in a creation, waits for none.
    pub(in crate::caching) fn shut_down(&self) {
        let steps: [fn(&Self); 2] = [Self::stop, Self::join_all];
        run_each(steps, |step| step(self));
    }

    fn join_all(&self) {
        let here = this_thread();
        let mut state = self.lock();
        if state.threads.contains_key(&here) || state.awaited.contains(&here) {
            return;
        }
        while let Some(id) = state.threads.keys().next().copied() {
            let thread = state.threads.remove(&id);
            state.awaited.push(id);
            drop(state);
            // What a thread-local variable's drop panics with is no concern of this thread.
            drop(thread.map(JoinHandle::join));
            state = self.lock();
            state.awaited.retain(|other| *other != id);
            self.ended.notify_all();
        }
        let is_awaited = |state: &mut State| !state.awaited.is_empty();
        drop(self.ended.wait_while(state, is_awaited).unwrap_or_else(PoisonError::into_inner));
    }

    /// Starts a thread unless there are enough, and returns `true` if it did. Where the system has no thread to give, as on
    /// wasm32, there is one less.
    fn start_thread(self: &Arc<Self>, state: &mut State) -> bool {
        if state.threads.len() >= state.limit {
            return false;
        }
        let creators = self.clone();
        // Its first step takes the lock, which is held until its handle is here.
        let thread = thread::Builder::new().name("metallic creator".into()).spawn(move || creators.work());
        let Ok(thread) = thread else { return false };
        state.threads.insert(thread.thread().id(), thread);
        true
    }

    fn work(&self) {
        let here = this_thread();
        while let Some(job) = self.next_job(here) {
            // Panics of creations stay within a job; this is one of a value that was dropped with it.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| job.run())) {
                std::mem::forget(payload);
            }
        }
    }

    /// Waits for something to do; `None` if this thread, which is `here`, is to end.
    fn next_job(&self, here: ThreadId) -> Option<Arc<dyn Job>> {
        let mut state = self.lock();
        let mut has_lingered = false;
        loop {
            // The last one stays for what was queued.
            let is_surplus = state.threads.len() > state.limit.max(1);
            if state.is_stopped || is_surplus {
                break;
            }
            if let Some((place, job)) = state.queue.pop_first() {
                state.fallbacks.remove(&place.number);
                return Some(job);
            }
            if state.limit == 0 || has_lingered {
                break;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            has_lingered = waited.1.timed_out();
        }
        // After a stop it is left for those who wait for the end of this thread.
        let handle = if state.is_stopped { None } else { state.threads.remove(&here) };
        let is_surplus = handle.is_some();
        if is_surplus {
            // Until it has let go of whom it tells. A stop that comes meanwhile waits for that, too.
            state.awaited.push(here);
        }
        drop(state);
        drop(handle);
        // All that are left may wait.
        Wait::tell_others(here);
        if is_surplus {
            self.lock().awaited.retain(|other| *other != here);
            self.ended.notify_all();
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes a job out of the queue, if it is there.
    fn take(&mut self, number: u64) -> Option<Arc<dyn Job>> {
        self.fallbacks.remove(&number);
        let removed = self.queue.remove(&Place { can_wait: true, number });
        removed.or_else(|| self.queue.remove(&Place { can_wait: false, number }))
    }
}
