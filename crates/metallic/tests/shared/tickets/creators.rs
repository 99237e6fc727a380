//! The threads that create in the background.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use metallic::error::Error;

use super::{Held, note, registry};
use crate::kernels::Scripted;

#[test]
fn without_creator_threads_whoever_asks_creates() {
    let (registry, script) = registry(0);
    let notes = note(&script, 1..5);
    let ticket = registry.prefetch::<Scripted>(&1);
    assert!(ticket.try_get().is_none());
    assert_eq!(script.creations(), 0);
    ticket.wait().unwrap();
    registry.prefetch::<Scripted>(&2).wait_timeout(Duration::ZERO).unwrap();
    registry.prefetch::<Scripted>(&3).detach();
    drop(registry.prefetch::<Scripted>(&4));
    let here = thread::current().id();
    assert_eq!(*notes.lock().unwrap(), [(1, here), (2, here), (3, here)]);
}

#[test]
fn what_is_queued_is_created_though_the_number_of_threads_falls_to_none() {
    let (registry, script) = registry(2);
    let (one, two) = (Held::on(&script, 1), Held::on(&script, 2));
    let tickets: Vec<_> = (1..5).map(|key| registry.prefetch::<Scripted>(&key)).collect();
    one.begun();
    two.begun();
    registry.set_creator_threads(0);
    assert_eq!(registry.creator_threads(), 0);
    one.end();
    two.end();
    while !tickets.iter().all(metallic::caching::Ticket::is_ready) {
        thread::yield_now();
    }
}

#[test]
fn creations_run_at_once_up_to_the_number_of_threads() {
    let (registry, script) = registry(1);
    let meeting = Arc::new(std::sync::Barrier::new(3));
    for key in 1..4 {
        let meeting = meeting.clone();
        script.on(key, move || {
            meeting.wait();
            Ok(())
        });
    }
    let tickets: Vec<_> = (1..4).map(|key| registry.prefetch::<Scripted>(&key)).collect();
    registry.set_creator_threads(3);
    assert!(tickets.iter().all(|ticket| ticket.wait_timeout(Duration::MAX).is_ok()));
}

#[test]
fn creations_that_wait_for_what_is_queued_behind_them_do_not_wait_for_each_other() {
    for threads in [1, 2] {
        let (registry, _) = registry(threads);
        let numbers = registry.cache::<usize, usize>("numbers").unwrap();
        let (meeting, (say, said)) = (Arc::new(std::sync::Barrier::new(threads)), channel());
        for key in 0..threads {
            let (meeting, say, inner) = (meeting.clone(), say.clone(), numbers.clone());
            let make = move || {
                let ticket = inner.prefetch_with(10 + key, move || Ok(key));
                meeting.wait();
                say.send(ticket.wait_timeout(Duration::MAX).unwrap()).unwrap();
                Ok(key)
            };
            numbers.prefetch_with(key, make).detach();
        }
        let mut made: Vec<_> = said.iter().take(threads).collect();
        made.sort_unstable();
        assert!(made.into_iter().eq(0..threads));
    }
}

#[test]
fn a_circle_that_closes_while_a_ticket_is_in_the_queue_is_an_error() {
    for _ in 0..100 {
        let (registry, script) = registry(1);
        let held = Held::on(&script, 1);
        let busy = registry.prefetch::<Scripted>(&1);
        held.begun();
        let (outside, inside) = (registry.clone(), registry.clone());
        let (waiting, waits) = channel();
        script.on(2, move || {
            let ticket = outside.prefetch::<Scripted>(&3);
            waiting.send(()).unwrap();
            ticket.wait_timeout(Duration::MAX).map(drop)
        });
        script.on(3, move || inside.get_or_create::<Scripted>(&2, None).map(drop));
        let ending = thread::spawn(move || {
            waits.recv().unwrap();
            thread::yield_now();
            held.end();
        });
        let error = registry.get_or_create::<Scripted>(&2, None).unwrap_err();
        assert!(matches!(error.root(), Error::RecursiveCreation { .. }), "{error:?}");
        ending.join().unwrap();
        busy.wait().unwrap();
        // The script has the registry.
        registry.device_lost(None);
    }
}

#[test]
fn a_thread_that_has_rested_is_not_counted_as_free_when_it_creates_again() {
    // More often than the first thread could always still be awake.
    for _ in 0..if cfg!(miri) { 2 } else { 50 } {
        let (registry, script) = registry(2);
        registry.prefetch::<Scripted>(&0).wait_timeout(Duration::MAX).unwrap();
        let barrier = Arc::new(std::sync::Barrier::new(2));
        for key in 1..3 {
            let barrier = barrier.clone();
            script.on(key, move || {
                barrier.wait();
                Ok(())
            });
        }
        let tickets = [1, 2].map(|key| registry.prefetch::<Scripted>(&key));
        for ticket in tickets {
            // The other one is begun by another thread, or never.
            ticket.wait_timeout(Duration::from_secs(30)).unwrap();
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "deadlines in real time pass before anything has happened")]
fn threads_beyond_a_lower_number_end_at_once() {
    struct Told(std::sync::mpsc::Sender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    thread_local! {
        static TOLD: std::cell::RefCell<Option<Told>> = const { std::cell::RefCell::new(None) };
    }
    let (registry, script) = registry(2);
    let (end, ended) = channel();
    let meeting = Arc::new(std::sync::Barrier::new(2));
    for key in 1..3 {
        let (meeting, end) = (meeting.clone(), std::sync::Mutex::new(end.clone()));
        script.on(key, move || {
            TOLD.set(Some(Told(end.lock().unwrap().clone())));
            meeting.wait();
            Ok(())
        });
    }
    let tickets = [1, 2].map(|key| registry.prefetch::<Scripted>(&key));
    tickets.iter().for_each(|ticket| drop(ticket.wait_timeout(Duration::MAX).unwrap()));
    for threads in [1, 0] {
        registry.set_creator_threads(threads);
        assert_eq!(registry.creator_threads(), threads);
        // One that waits for work ends by itself after five seconds.
        ended.recv_timeout(Duration::from_secs(3)).unwrap();
    }
}

#[test]
fn a_wait_takes_nothing_out_of_the_queue_of_threads_that_may_still_come() {
    let (registry, _) = registry(2);
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    // One thread is busy: it has waited before, and does no more.
    let ((begin, begun), (end, ended)) = (channel(), channel::<()>());
    let inner = numbers.clone();
    let busy = numbers.prefetch_with(1, move || {
        let _ = inner.prefetch_with(2, || Ok(2)).wait_timeout(Duration::ZERO);
        begin.send(()).unwrap();
        let _ = ended.recv();
        Ok(1)
    });
    begun.recv().unwrap();
    // The other one waits for what is queued, which the first may still take.
    let (say, said) = channel();
    let inner = numbers.clone();
    let waits = numbers.prefetch_with(3, move || {
        say.send(inner.prefetch_with(4, || Ok(4)).wait_timeout(Duration::from_millis(20))).unwrap();
        Ok(3)
    });
    let late = said.recv().unwrap();
    assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
    drop(end);
    assert_eq!((busy.wait().unwrap(), waits.wait().unwrap()), (1, 3));
}

#[test]
fn a_thread_that_creates_nothing_takes_nothing_out_of_the_queue_though_all_creators_wait() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let numbers = registry.cache::<u32, u32>("numbers").unwrap();
    thread::scope(|scope| {
        let other = scope.spawn(|| registry.get_or_create::<Scripted>(&1, None).unwrap());
        held.begun();
        // The only creator waits for the other thread's creation.
        let (begin, begun) = channel();
        let inner = registry.clone();
        let waits = numbers.prefetch_with(1, move || {
            begin.send(()).unwrap();
            inner.get_or_create::<Scripted>(&1, None).map(|made| *made)
        });
        begun.recv().unwrap();
        let queued = numbers.prefetch_with(2, || Ok(2));
        let late = queued.wait_timeout(Duration::from_millis(50));
        assert!(matches!(late, Err(Error::TimedOut { .. })), "{late:?}");
        held.end();
        other.join().unwrap();
        assert_eq!((waits.wait().unwrap(), queued.wait().unwrap()), (1, 2));
    });
}
