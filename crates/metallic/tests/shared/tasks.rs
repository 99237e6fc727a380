//! Tickets that tasks await, polled by hand or by the smallest executor.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use metallic::caching::Ticket;
use metallic::error::Error;

use crate::kernels::Scripted;
use crate::tickets::{Held, note, registry};

/// Wakes a thread that parks.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Counts how often it is woken, and says so.
struct Counting {
    wakes: AtomicU64,
    say: Mutex<Sender<()>>,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        let _ = self.say.lock().unwrap().send(());
    }
}

fn counting() -> (Arc<Counting>, std::sync::mpsc::Receiver<()>) {
    let (say, woken) = channel();
    (Arc::new(Counting { wakes: AtomicU64::new(0), say: Mutex::new(say) }), woken)
}

fn poll<R: Clone + Send + Sync>(ticket: &mut Ticket<R>, waker: &Waker) -> Poll<Result<R, Error>> {
    Pin::new(ticket).poll(&mut Context::from_waker(waker))
}

#[test]
fn tickets_are_what_tasks_may_send_share_and_clone() {
    fn check<T: Send + Sync + Clone + Unpin + Future>(_: &T) {}
    let (registry, _) = registry(1);
    check(&registry.prefetch::<Scripted>(&1));
}

#[test]
fn a_ticket_is_awaited_without_a_runtime() {
    let (registry, script) = registry(1);
    script.on(3, || Err(Error::invalid_params("three")));
    let sum = block_on(async {
        let (one, two) = (registry.prefetch::<Scripted>(&1), registry.prefetch::<Scripted>(&2));
        let error = registry.prefetch::<Scripted>(&3).await.unwrap_err();
        assert!(matches!(error.root(), Error::InvalidParams { .. }), "{error:?}");
        *one.await.unwrap() + *two.await.unwrap()
    });
    assert_eq!(sum, 3);
    assert_eq!(*block_on(registry.prefetch::<Scripted>(&1)).unwrap(), 1, "what is there is ready at once");
}

#[test]
fn all_tasks_that_poll_tickets_of_one_creation_are_woken_once() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let mut tickets = vec![registry.prefetch::<Scripted>(&1)];
    held.begun();
    tickets.extend((0..9).map(|_| tickets[0].clone()).collect::<Vec<_>>());
    let wakers: Vec<_> = tickets.iter().map(|_| counting()).collect();
    for (ticket, (counter, _)) in tickets.iter_mut().zip(&wakers) {
        assert!(poll(ticket, &counter.clone().into()).is_pending());
    }
    held.end();
    for (ticket, (counter, woken)) in tickets.iter_mut().zip(&wakers) {
        woken.recv().unwrap();
        assert!(poll(ticket, &counter.clone().into()).is_ready());
    }
    // The thread that woke them is done with them then.
    registry.shut_down();
    for (counter, _) in &wakers {
        assert_eq!(counter.wakes.load(Ordering::SeqCst), 1);
        assert_eq!(Arc::strong_count(counter), 1, "its waker is kept by no one");
    }
}

#[test]
fn a_ticket_that_changes_tasks_wakes_the_last_that_polled_it() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let mut ticket = registry.prefetch::<Scripted>(&1);
    held.begun();
    let ((first, _), (last, woken)) = (counting(), counting());
    for counter in [&first, &last, &first, &last] {
        assert!(poll(&mut ticket, &counter.clone().into()).is_pending());
    }
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&last)), (1, 2), "one waker for one ticket");
    held.end();
    woken.recv().unwrap();
    assert!(poll(&mut ticket, Waker::noop()).is_ready());
    assert!(poll(&mut ticket, Waker::noop()).is_ready(), "as often as it is polled");
    assert_eq!((first.wakes.load(Ordering::SeqCst), last.wakes.load(Ordering::SeqCst)), (0, 1));
}

#[test]
fn a_ticket_dropped_while_pending_takes_its_waker_along_and_is_not_created_if_none_is_left() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let first = registry.prefetch::<Scripted>(&1);
    held.begun();
    let (counter, _) = counting();
    let mut ticket = registry.prefetch::<Scripted>(&2);
    assert!(poll(&mut ticket, &counter.clone().into()).is_pending());
    assert_eq!(Arc::strong_count(&counter), 2);
    drop(ticket);
    assert_eq!(Arc::strong_count(&counter), 1);
    held.end();
    block_on(first).unwrap();
    block_on(registry.prefetch::<Scripted>(&3)).unwrap();
    assert_eq!(script.creations(), 2);
}

#[test]
fn what_a_task_awaits_goes_first() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let first = registry.prefetch::<Scripted>(&1);
    held.begun();
    let notes = note(&script, 2..5);
    let mut tickets: Vec<_> = (2..5).map(|key| registry.prefetch::<Scripted>(&key)).collect();
    assert!(poll(&mut tickets[1], Waker::noop()).is_pending());
    held.end();
    while !(first.is_ready() && tickets.iter().all(Ticket::is_ready)) {
        thread::yield_now();
    }
    let order: Vec<_> = notes.lock().unwrap().iter().map(|(key, _)| *key).collect();
    assert_eq!(order, [3, 2, 4]);
}

/// Panics when it is woken.
struct Grumpy;

impl Wake for Grumpy {
    fn wake(self: Arc<Self>) {
        panic!("as it was told to");
    }
}

#[test]
fn a_waker_that_panics_costs_no_other_task_its_wake() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let mut grumpy = registry.prefetch::<Scripted>(&1);
    held.begun();
    let mut other = grumpy.clone();
    let (counter, woken) = counting();
    assert!(poll(&mut grumpy, &Arc::new(Grumpy).into()).is_pending());
    assert!(poll(&mut other, &counter.into()).is_pending());
    held.end();
    woken.recv().unwrap();
    assert!(poll(&mut grumpy, Waker::noop()).is_ready());
}

/// Asks its own ticket when it is woken, and lets go of it.
struct Nosy(Mutex<Option<Ticket<Arc<u32>>>>, Sender<bool>);

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        let mut ticket = self.0.lock().unwrap().take().unwrap();
        self.1.send(ticket.clone().is_ready() && poll(&mut ticket, Waker::noop()).is_ready()).unwrap();
    }
}

#[test]
fn a_waker_may_use_the_ticket_that_it_is_woken_for() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let mut ticket = registry.prefetch::<Scripted>(&1);
    held.begun();
    let (say, said) = channel();
    let nosy = Arc::new(Nosy(Mutex::new(Some(ticket.clone())), say));
    assert!(poll(&mut ticket, &nosy.into()).is_pending());
    held.end();
    assert!(said.recv().unwrap());
}

#[test]
fn without_creator_threads_the_task_that_polls_creates() {
    let (registry, script) = registry(0);
    let notes = note(&script, [1]);
    assert_eq!(*block_on(registry.prefetch::<Scripted>(&1)).unwrap(), 1);
    assert_eq!(*notes.lock().unwrap(), [(1, thread::current().id())]);
    // What another thread creates is waited for all the same.
    let held = Held::on(&script, 2);
    thread::scope(|scope| {
        scope.spawn(|| registry.get_or_create::<Scripted>(&2, None).unwrap());
        held.begun();
        let mut ticket = registry.prefetch::<Scripted>(&2);
        assert!(poll(&mut ticket, Waker::noop()).is_pending());
        held.end();
        assert_eq!(*block_on(ticket).unwrap(), 2);
    });
    assert_eq!(script.creations(), 2);
}

#[test]
fn a_creation_that_panics_wakes_those_who_await_it() {
    let (registry, script) = registry(1);
    script.on(1, || panic!("as it was told to"));
    let error = block_on(registry.prefetch::<Scripted>(&1)).unwrap_err();
    assert!(matches!(error.root(), Error::Panicked { .. }), "{error:?}");
}
