//! Closures of tasks that hold values whose `Drop` panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread::{self, JoinHandle};

use metallic::caching::{SharedCache, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::{EventKind, Recorder};

use super::{Bomb, ends};

type Numbers = SharedCache<u32, u32>;

struct Says(Mutex<Sender<()>>);

impl Wake for Says {
    fn wake(self: Arc<Self>) {
        let _ = self.0.lock().unwrap().send(());
    }
}

fn numbers() -> (SharedRegistry, Numbers) {
    let registry = SharedRegistry::new();
    registry.set_creator_threads(1);
    let numbers = registry.cache("numbers").unwrap();
    (registry, numbers)
}

/// A creation of 1 on another thread, which has begun, and ends as it is told to.
fn held(numbers: &Numbers) -> (JoinHandle<Result<u32, Error>>, Sender<bool>) {
    let ((say, begun), (end, ended)) = (channel(), channel::<bool>());
    let numbers = numbers.clone();
    let make = move || {
        say.send(()).unwrap();
        assert!(ended.recv().unwrap(), "as it was told to");
        7
    };
    let creation = thread::spawn(move || numbers.get_or_make(&1, make));
    begun.recv().unwrap();
    (creation, end)
}

/// Returns when the one creator thread has done what it was asked for before.
fn has_come_to(numbers: &Numbers) {
    let (say, said) = channel();
    let make = move || {
        say.send(()).unwrap();
        Ok(0)
    };
    numbers.prefetch_with(0, make).detach();
    said.recv().unwrap();
}

fn wakes() -> (Waker, Receiver<()>) {
    let (say, said) = channel();
    (Arc::new(Says(Mutex::new(say))).into(), said)
}

#[test]
fn a_creation_ends_for_all_though_what_waits_for_it_panics_when_it_is_dropped() {
    for (is_detached, succeeds) in [(false, true), (false, false), (true, true), (true, false)] {
        ends(move || {
            let (registry, numbers) = numbers();
            let events = Arc::new(Recorder::default());
            registry.set_sink(Some(events.clone()));
            let (creation, end) = held(&numbers);
            let bomb = Bomb;
            let first = numbers.prefetch_with(1, move || {
                let _ = &bomb;
                Ok(8)
            });
            let mut second = pin!(numbers.prefetch_with(1, || Ok(9)));
            has_come_to(&numbers);
            let (waker, woken) = wakes();
            assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            if is_detached {
                first.detach();
                registry.shut_down();
            } else {
                catch_unwind(AssertUnwindSafe(|| drop(first))).unwrap_err();
            }
            end.send(succeeds).unwrap();
            assert_eq!(creation.join().is_ok(), succeeds);
            woken.recv().unwrap();
            assert!(second.is_ready());
            let events = events.events();
            let created =
                events.iter().filter(|event| event.data.kind() == EventKind::ResourceCreated).count();
            // Of 0, the one that was held, and another one if there is still someone who wants it.
            assert_eq!(created, 2 + usize::from(!succeeds && !is_detached));
        });
    }
}

#[test]
fn what_a_dropped_ticket_was_to_be_made_of_is_dropped_with_it_though_another_creation_is_under_way() {
    ends(|| {
        let (_registry, numbers) = numbers();
        let (creation, end) = held(&numbers);
        let (captured, inside) = (Arc::new(()), Arc::new(()));
        let captured_inside = captured.clone();
        let ticket = numbers.prefetch_with(1, move || {
            let _ = (&captured_inside, &inside);
            Ok(8)
        });
        has_come_to(&numbers);
        assert_eq!(Arc::strong_count(&captured), 2);
        drop(ticket);
        assert_eq!(Arc::strong_count(&captured), 1);
        end.send(true).unwrap();
        assert_eq!(creation.join().unwrap().unwrap(), 7);
    });
}

/// Says when it is dropped, and panics.
struct Alarm(Sender<()>);

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = self.0.send(());
        panic!("as it was told to");
    }
}

#[test]
fn a_registry_shuts_down_though_several_of_what_is_queued_panic_when_they_are_dropped() {
    for is_dropped in [false, true] {
        ends(move || {
            let (registry, numbers) = numbers();
            let ((say, begun), (end, ended)) = (channel(), channel());
            let is_done = Arc::new(AtomicBool::new(false));
            let done = is_done.clone();
            let (ended, last) = (Mutex::new(ended), 3);
            let make = move || {
                say.send(()).unwrap();
                (0..last).for_each(|_| ended.lock().unwrap().recv().unwrap());
                done.store(true, Ordering::SeqCst);
                Ok(0)
            };
            numbers.prefetch_with(0, make).detach();
            begun.recv().unwrap();
            for number in 1..=last {
                let alarm = Alarm(end.clone());
                let make = move || {
                    let _ = &alarm;
                    Ok(number)
                };
                numbers.prefetch_with(number, make).detach();
            }
            let stopped = catch_unwind(AssertUnwindSafe(|| {
                if is_dropped {
                    drop(numbers);
                    drop(registry);
                } else {
                    registry.shut_down();
                    drop(registry);
                }
            }));
            stopped.unwrap_err();
            assert!(is_dropped || is_done.load(Ordering::SeqCst), "it waits for its threads all the same");
        });
    }
}
