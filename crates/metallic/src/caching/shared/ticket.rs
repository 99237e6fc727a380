//! A resource to come.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::creators::Creators;
use super::node::Node;
use super::task::{Maker, Progress, Task};
use crate::caching::drops::{Foreign, run_each};
use crate::error::Error;

/// A resource that is created in the background.
///
/// It can be waited for by threads, and awaited by tasks of any executor: it is a [`Future`], needs no runtime, and never blocks
/// the one that polls it while another thread creates. A clone is one more ticket for the same creation, and every one of them is
/// woken.
///
/// A ticket that is waited for or polled goes before those that are not. When the last ticket of a creation is dropped before the
/// creation began, there is none; [`detach`](Self::detach) has it done all the same. What has begun is created and inserted,
/// whoever drops what.
///
/// Where the registry has no creator threads (see
/// [`set_creator_threads`](super::super::SharedRegistry::set_creator_threads)), as on wasm32, whoever waits for a ticket or polls
/// it creates.
///
/// Inside of a creation, use [`Creation::get_or_create`](super::super::Creation::get_or_create) or [`wait`](Self::wait), which
/// notice a circle. An executor that blocks the thread of a creation until a ticket is ready may wait for ever.
#[must_use = "what no one wants is not created"]
pub struct Ticket<R: Send + Sync + 'static> {
    /// The last that knows of a creation drops what it holds, which is not ours.
    task: Foreign<Arc<Task<R>>>,
    /// Its place among the tickets of the task.
    place: u64,
}

impl<R: Send + Sync + 'static> Ticket<R> {
    /// The first of a task.
    pub(super) fn new(task: Arc<Task<R>>) -> Self {
        Self { task: Foreign::new(task), place: 0 }
    }

    /// One whose creation cannot be tried.
    pub(in crate::caching) fn failed(error: Error) -> Self {
        Self::new(Task::over(Box::new(Nothing), Creators::none(), Err(Arc::new(error))))
    }

    /// Returns `true` if [`wait`](Self::wait) would return at once: the resource is there, or its creation failed.
    pub fn is_ready(&self) -> bool {
        self.task.is_over()
    }

    /// Has the resource created even if no ticket is left: at once, if there is no other thread to do it. Where the registry has
    /// no creator threads and another thread is creating the resource, this waits for it.
    pub fn detach(self) {
        if self.task.is_unserved() {
            drop(self.task.wait());
        }
        self.keep_wanted();
    }

    /// Lets the creator threads have it, if there are any, though no ticket is left.
    pub(super) fn keep_wanted(self) {
        // In place of this one, which gives its own back.
        self.task.want();
    }

    /// The resource, created here if no other thread will create it; `None` for now otherwise.
    pub(super) fn created_here(&self) -> Option<Arc<Node<R>>> {
        self.task.create_unserved().and_then(|settled| self.task.hand_out(settled).ok())
    }

    pub(super) fn wait_for_node(&self) -> Result<Arc<Node<R>>, Error> {
        self.task.hand_out(self.task.wait()?)
    }
}

impl<R: Clone + Send + Sync + 'static> Ticket<R> {
    /// Returns a clone of the resource, or the error of its creation; `None` if it is not known yet.
    pub fn try_get(&self) -> Option<Result<R, Error>> {
        self.task.outcome().map(|settled| resource(self.task.hand_out(settled)))
    }

    /// Blocks until the creation is over, and returns a clone of the resource. A creation that no thread has begun is made by this
    /// one.
    ///
    /// # Errors
    /// As [`SharedRegistry::get_or_create`](super::super::SharedRegistry::get_or_create), as an [`Error::Shared`], since all
    /// tickets share it. Within an [`Error::Creation`]: [`Error::Panicked`] if the creation did, on whichever thread;
    /// [`Error::ShutDown`] if the registry was shut down or dropped before it began; [`Error::DeviceLost`] if the device was lost
    /// since. [`Error::RecursiveCreation`] if the creation waits for this thread.
    pub fn wait(&self) -> Result<R, Error> {
        resource(self.wait_for_node())
    }

    /// [`wait`](Self::wait) for at most `timeout`, unless there is no other thread to create: inside of a creation, also if all
    /// creator threads wait for that, and of one in the background, if all others wait for anything.
    ///
    /// # Errors
    /// As [`wait`](Self::wait); [`Error::TimedOut`]. The ticket is as good as before then.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<R, Error> {
        resource(self.task.wait_timeout(timeout).and_then(|settled| self.task.hand_out(settled)))
    }
}

/// The task of a ticket that failed before there was a cache.
struct Nothing;

impl<R> Maker<R> for Nothing {
    fn make(&self, _: bool) -> Progress<R> {
        Progress::Ended(Err(Error::ShutDown))
    }

    fn is_lost(&self, _: &Node<R>) -> bool {
        false
    }

    fn label(&self) -> Arc<str> {
        "".into()
    }
}

fn resource<R: Clone>(node: Result<Arc<Node<R>>, Error>) -> Result<R, Error> {
    node.map(Node::cloned)
}

impl<R: Clone + Send + Sync + 'static> Future for Ticket<R> {
    type Output = Result<R, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let settled = std::task::ready!(self.task.poll(self.place, cx.waker()));
        Poll::Ready(resource(self.task.hand_out(settled)))
    }
}

impl<R: Send + Sync + 'static> Clone for Ticket<R> {
    fn clone(&self) -> Self {
        Self { task: Foreign::new(Arc::clone(&self.task)), place: self.task.want() }
    }
}

impl<R: Send + Sync + 'static> Drop for Ticket<R> {
    fn drop(&mut self) {
        run_each([&self.task], |task| task.unwant(self.place));
    }
}

impl<R: Send + Sync + 'static> fmt::Debug for Ticket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_ready", &self.is_ready()).finish_non_exhaustive()
    }
}
