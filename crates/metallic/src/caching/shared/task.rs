//! One creation in the background, from the moment that it is asked for until its outcome is known.

mod waiting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Wake, Waker};

use super::creators::{Creators, Job, Refused};
use super::flight::{Landing, Outcome, take_waker, wake_all};
use super::node::Node;
use crate::caching::drops::{Foreign, drop_first};
use crate::caching::sync::{Condvar, Mutex, MutexGuard};
use crate::error::Error;

/// The work of a task: what it creates, and in which cache.
pub(super) trait Maker<R>: Send + Sync {
    /// Finds or creates the resource. It may wait for a creation of it by another thread, or must not.
    fn make(&self, may_wait: bool) -> Progress<R>;
    /// Returns `true` if the resource is one of a lost device.
    fn is_lost(&self, node: &Node<R>) -> bool;
    fn label(&self) -> Arc<str>;
}

/// How far a creation came.
pub(in crate::caching) enum Progress<R> {
    Ended(Result<Arc<Node<R>>, Error>),
    /// Another thread is creating the resource.
    Blocked(Arc<Landing>),
}

/// A creation that is asked for. The first thread to take it runs it: one of the [`Creators`], or one that waits for it.
pub(super) struct Task<R> {
    maker: Foreign<Box<dyn Maker<R>>>,
    creators: Arc<Creators>,
    /// Its number in the queue.
    number: u64,
    /// No ticket is for it.
    is_for_fallback: bool,
    state: Mutex<State<R>>,
    /// It is in another stage.
    changed: Condvar,
}

struct State<R> {
    stage: Stage<R>,
    /// Those who want the resource. Without any, what was not begun never is.
    wanted: usize,
    /// The creation by another thread that it was found to wait for.
    blocked_by: Option<Arc<Landing>>,
    last_place: u64,
    /// How often those who wait for it while it is queued were told to look again.
    looks: u64,
    /// At most one for each place.
    wakers: Vec<(u64, Waker)>,
}

enum Stage<R> {
    /// A thread will take it.
    Queued,
    /// Another thread creates the resource: at the end of that, this is queued again.
    Attached,
    /// There is no thread to take it but those that ask for its outcome.
    Unserved,
    /// A thread runs it.
    Running(Arc<Landing>),
    Over(Foreign<Settled<R>>),
}

/// The outcome of a task.
pub(super) type Settled<R> = Result<Arc<Node<R>>, Arc<Error>>;

impl<R: Send + Sync + 'static> Task<R> {
    /// A creation that one wants, and no one waits for.
    pub(super) fn begin(maker: Box<dyn Maker<R>>, creators: Arc<Creators>) -> Arc<Self> {
        Self::begin_in_queue(maker, creators, false)
    }

    /// A creation that no one waits for or has a ticket for, since there is a fallback.
    pub(super) fn begin_for_fallback(maker: Box<dyn Maker<R>>, creators: Arc<Creators>) -> Arc<Self> {
        Self::begin_in_queue(maker, creators, true)
    }

    fn begin_in_queue(maker: Box<dyn Maker<R>>, creators: Arc<Creators>, is_for_fallback: bool) -> Arc<Self> {
        let number = creators.next_number();
        let task = Arc::new(Self { is_for_fallback, ..Self::at(Stage::Queued, maker, creators, number) });
        task.serve(true);
        task
    }

    /// A creation that there is no need for.
    pub(super) fn over(maker: Box<dyn Maker<R>>, creators: Arc<Creators>, settled: Settled<R>) -> Arc<Self> {
        Arc::new(Self::at(Stage::Over(Foreign::new(settled)), maker, creators, 0))
    }

    fn at(stage: Stage<R>, maker: Box<dyn Maker<R>>, creators: Arc<Creators>, number: u64) -> Self {
        let state = State { stage, wanted: 1, blocked_by: None, last_place: 0, looks: 0, wakers: Vec::new() };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let maker = Foreign::new(maker);
        Self { maker, creators, number, is_for_fallback: false, state, changed }
    }

    /// Hands the task to the creators.
    fn serve(self: &Arc<Self>, can_wait: bool) {
        let refused = match self.creators.enqueue(self.number, can_wait, self.clone()) {
            Ok(()) => return,
            Err(refused) => refused,
        };
        if let Refused::Stopped = refused {
            return self.shut_down();
        }
        let mut state = self.lock();
        if let Stage::Queued = state.stage {
            state.stage = Stage::Unserved;
        }
        // They are asked once more for the outcome, and run it.
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        self.changed.notify_all();
        wake_all(wakers);
    }

    /// Takes a place for one more who wants the resource.
    pub(super) fn want(&self) -> u64 {
        let mut state = self.lock();
        state.wanted += 1;
        state.last_place += 1;
        state.last_place
    }

    /// Gives a place back. If it was the last, and the creation was not begun, it never is.
    pub(super) fn unwant(&self, place: u64) {
        let mut state = self.lock();
        let waker = take_waker(&mut state.wakers, place);
        state.wanted -= 1;
        let is_unwanted = state.wanted == 0;
        let is_queued = is_unwanted && matches!(state.stage, Stage::Queued);
        let blocked_by = if is_unwanted { state.blocked_by.take() } else { None };
        drop(state);
        // In place of a thread that would find that no one wants it: it makes room in the queue.
        let removed = if is_queued { self.creators.remove(self.number) } else { None };
        // Nor has the end of another's creation to wake it, however long that takes.
        let linked = blocked_by.and_then(|other| other.forget_waker(self.number));
        drop((waker, removed, linked));
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.lock().stage, Stage::Over(_))
    }

    /// Returns `true` if no thread will run it but one that asks for its outcome: also if another's creation is waited for, and
    /// there is no thread to take it up if that fails.
    pub(super) fn is_unserved(&self) -> bool {
        match self.lock().stage {
            Stage::Unserved => true,
            // What is queued is about to be refused then.
            Stage::Queued | Stage::Attached => self.creators.most_threads() == 0,
            _ => false,
        }
    }

    /// Returns the outcome, if it is known.
    pub(super) fn outcome(&self) -> Option<Settled<R>> {
        match &self.lock().stage {
            Stage::Over(settled) => Some(Settled::clone(settled)),
            _ => None,
        }
    }

    /// Makes of an outcome what is handed out now: no resource of a device that was lost since.
    pub(super) fn hand_out(&self, settled: Settled<R>) -> Result<Arc<Node<R>>, Error> {
        match settled {
            Ok(node) if self.maker.is_lost(&node) => {
                Err(Error::creation(self.maker.label(), Error::DeviceLost))
            }
            Ok(node) => Ok(node),
            Err(error) => Err(Error::Shared(error)),
        }
    }

    /// Creates here what no other thread will create, without waiting for one, and returns what came of it. `None` if the task is
    /// another thread's, or was begun before.
    pub(super) fn create_unserved(self: &Arc<Self>) -> Option<Settled<R>> {
        let landing = self.take_unserved()?;
        self.run(&landing, false);
        self.outcome()
    }

    /// Returns the outcome, or has `waker` woken when there is one. What no other thread will create is created here.
    pub(super) fn poll(self: &Arc<Self>, place: u64, waker: &Waker) -> Poll<Settled<R>> {
        // Before the lock, and dropped after it: it is not ours.
        let waker = waker.clone();
        let mut state = self.lock();
        if let Stage::Over(settled) = &state.stage {
            let settled = Settled::clone(settled);
            drop(state);
            return Poll::Ready(drop_first(waker, settled));
        }
        let before = take_waker(&mut state.wakers, place);
        state.wakers.push((place, waker));
        drop(state);
        drop(before);
        self.creators.raise(self.number);
        self.create_unserved().or_else(|| self.outcome()).map_or(Poll::Pending, Poll::Ready)
    }

    /// Begins it on this thread, unless it is begun or over.
    fn take(&self) -> Option<Arc<Landing>> {
        self.begin_if(|state| matches!(state.stage, Stage::Queued | Stage::Attached | Stage::Unserved))
    }

    fn take_unserved(&self) -> Option<Arc<Landing>> {
        self.begin_if(|state| matches!(state.stage, Stage::Unserved))
    }

    /// Begins it on this thread, if `may` says so. Those who waited for it to be begun look for a circle now.
    fn begin_if(&self, may: impl FnOnce(&State<R>) -> bool) -> Option<Arc<Landing>> {
        let mut state = self.lock();
        if !may(&state) {
            return None;
        }
        let landing = Landing::here();
        state.stage = Stage::Running(landing.clone());
        drop(state);
        self.changed.notify_all();
        Some(landing)
    }

    /// Creates, and ends `landing`, which is that of this thread. Unless it `may_wait`, it leaves the task to the creators when
    /// another thread is creating the resource.
    fn run(self: &Arc<Self>, landing: &Landing, may_wait: bool) {
        let blocked_by = self.lock().blocked_by.take();
        let progress = match blocked_by.and_then(|other| other.failure()) {
            Some(error) => {
                Ok(Progress::Ended(Err(Error::creation(self.maker.label(), Error::Shared(error)))))
            }
            None => catch_unwind(AssertUnwindSafe(|| self.maker.make(may_wait))),
        };
        let mut blocked_by = None;
        match progress {
            Ok(Progress::Ended(made)) => self.settle(made.map_err(Arc::new), |_| true),
            Ok(Progress::Blocked(other)) => {
                let mut state = self.lock();
                state.stage = Stage::Attached;
                state.blocked_by = Some(other.clone());
                blocked_by = Some(other);
            }
            Err(payload) => {
                let panicked = Error::Panicked { message: message_of(&*payload) };
                // Its `Drop` may panic, too.
                std::mem::forget(payload);
                self.settle(Err(Arc::new(Error::creation(self.maker.label(), panicked))), |_| true);
            }
        }
        self.changed.notify_all();
        landing.end(Outcome::LookAgain);
        if let Some(other) = blocked_by {
            if let Some(waker) = other.wake_at_end(self.number, Waker::from(self.clone())) {
                waker.wake();
            } else if self.lock().wanted == 0 {
                // Since it was found to be blocked.
                drop(other.forget_waker(self.number));
            }
        }
    }

    /// Ends it, if `may` says so of its stage.
    fn settle(&self, settled: Settled<R>, may: impl FnOnce(&Stage<R>) -> bool) {
        let mut state = self.lock();
        if !may(&state.stage) {
            return;
        }
        let wakers = std::mem::take(&mut state.wakers);
        let before = std::mem::replace(&mut state.stage, Stage::Over(Foreign::new(settled)));
        drop(state);
        drop(before);
        self.changed.notify_all();
        wake_all(wakers);
    }

    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Send + Sync + 'static> Job for Task<R> {
    fn run(self: Arc<Self>) {
        let is_due = |state: &State<R>| matches!(state.stage, Stage::Queued) && state.wanted > 0;
        if let Some(landing) = self.begin_if(is_due) {
            Task::run(&self, &landing, false);
        }
    }

    fn is_for_fallback(&self) -> bool {
        self.is_for_fallback
    }

    fn shut_down(&self) {
        let shut_down = Arc::new(Error::creation(self.maker.label(), Error::ShutDown));
        self.settle(Err(shut_down), |stage| !matches!(stage, Stage::Running(_) | Stage::Over(_)));
    }
}

/// The creation that a task had to wait for is over.
impl<R: Send + Sync + 'static> Wake for Task<R> {
    fn wake(self: Arc<Self>) {
        let mut state = self.lock();
        let is_due = matches!(state.stage, Stage::Attached) && state.wanted > 0;
        if is_due {
            state.stage = Stage::Queued;
        }
        let can_wait = state.wakers.is_empty();
        drop(state);
        if is_due {
            // Those who waited for the other creation wait for a thread to take this one now, or are that thread.
            self.changed.notify_all();
            self.serve(can_wait);
        }
    }
}

/// The payload of a panic, if it is text.
fn message_of(payload: &(dyn std::any::Any + Send)) -> Box<str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("not with a text").into()
}
