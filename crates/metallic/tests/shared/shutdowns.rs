//! The end of creator threads.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use metallic::caching::SharedRegistry;
use metallic::error::Error;

use crate::kernels::{Script, Scripted};
use crate::tickets::{Held, registry};

/// Says when its thread ends.
struct Farewell(Sender<&'static str>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.0.send("thread");
    }
}

thread_local! {
    static FAREWELL: RefCell<Option<Farewell>> = const { RefCell::new(None) };
    static KEPT: RefCell<Option<SharedRegistry<Script>>> = const { RefCell::new(None) };
}

/// Has the creation of `key` announce the end of its thread.
fn announce_end(script: &Script, key: u32, say: Sender<&'static str>) {
    let say = Mutex::new(say);
    script.on(key, move || {
        FAREWELL.set(Some(Farewell(say.lock().unwrap().clone())));
        Ok(())
    });
}

#[test]
fn shutting_down_waits_for_what_is_under_way_and_cancels_what_is_queued() {
    let (registry, script) = registry(2);
    let (say, said) = channel();
    announce_end(&script, 1, say.clone());
    registry.prefetch::<Scripted>(&1).wait_timeout(std::time::Duration::MAX).unwrap();
    let held = [Held::on(&script, 2), Held::on(&script, 3)];
    let running = [2, 3].map(|key| registry.prefetch::<Scripted>(&key));
    let queued = registry.prefetch::<Scripted>(&4);
    for held in &held {
        held.begun();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            registry.shut_down();
            say.send("shut down").unwrap();
        });
        // Before any creation has ended.
        let error = loop {
            match queued.try_get() {
                Some(settled) => break settled.unwrap_err(),
                None => thread::yield_now(),
            }
        };
        assert!(matches!(error.root(), Error::ShutDown), "{error:?}");
        assert!(said.try_recv().is_err());
        held.into_iter().for_each(Held::end);
    });
    assert_eq!([said.recv().unwrap(), said.recv().unwrap()], ["thread", "shut down"]);
    assert!(running.iter().all(|ticket| ticket.wait().is_ok()), "awaited after the end");
    assert!(queued.wait().is_err());
    let late = registry.prefetch::<Scripted>(&5);
    assert!(matches!(late.wait().unwrap_err().root(), Error::ShutDown));
    assert_eq!(*registry.get_or_create::<Scripted>(&5, None).unwrap(), 5, "here");
    assert!(registry.prefetch::<Scripted>(&5).wait().is_ok(), "what is there is there");
    registry.shut_down();
}

#[test]
fn the_last_handle_ends_the_threads_that_have_nothing_to_do() {
    let (registry, script) = registry(2);
    let (say, said) = channel();
    for key in 1..3 {
        announce_end(&script, key, say.clone());
    }
    let tickets = [1, 2].map(|key| registry.prefetch::<Scripted>(&key));
    tickets.iter().for_each(|ticket| drop(ticket.wait_timeout(std::time::Duration::MAX).unwrap()));
    drop((registry, say));
    assert_eq!(said.recv(), Ok("thread"));
    assert!(tickets.iter().all(|ticket| ticket.wait().is_ok()));
}

#[test]
fn a_creator_that_has_the_last_handle_ends_without_waiting_for_itself() {
    let (registry, script) = registry(1);
    let (say, said) = channel();
    let (registries, to_drop) = channel::<SharedRegistry<Script>>();
    let (say, to_drop) = (Mutex::new(say), Mutex::new(to_drop));
    script.on(1, move || {
        FAREWELL.set(Some(Farewell(say.lock().unwrap().clone())));
        drop(to_drop.lock().unwrap().recv().unwrap());
        Ok(())
    });
    let (ticket, queued) = (registry.prefetch::<Scripted>(&1), registry.prefetch::<Scripted>(&2));
    registries.send(registry).unwrap();
    // No `wait`, which might take it.
    assert_eq!(said.recv(), Ok("thread"));
    assert_eq!(*ticket.wait().unwrap(), 1);
    let error = queued.wait().unwrap_err();
    assert!(matches!(error.root(), Error::ShutDown), "{error:?}");
}

#[test]
fn a_creator_may_shut_the_registry_down() {
    let (registry, script) = registry(2);
    let inside = registry.clone();
    script.on(1, move || {
        inside.shut_down();
        Ok(())
    });
    let ticket = registry.prefetch::<Scripted>(&1);
    while !ticket.is_ready() {
        thread::yield_now();
    }
    assert_eq!(*ticket.wait().unwrap(), 1);
    assert!(matches!(registry.prefetch::<Scripted>(&2).wait().unwrap_err().root(), Error::ShutDown));
    registry.device_lost(None);
}

#[test]
fn a_handle_in_a_thread_local_variable_of_a_creator_is_let_go_of_when_it_ends() {
    let (registry, script) = registry(1);
    let (say, said) = channel();
    let (kept, say) = (Mutex::new(Some(registry.clone())), Mutex::new(say));
    script.on(1, move || {
        FAREWELL.set(Some(Farewell(say.lock().unwrap().clone())));
        KEPT.set(kept.lock().unwrap().take());
        Ok(())
    });
    assert!(registry.prefetch::<Scripted>(&1).wait_timeout(std::time::Duration::MAX).is_ok());
    // Without this, after some seconds without work.
    registry.set_creator_threads(0);
    drop(registry);
    assert_eq!(said.recv(), Ok("thread"));
}

#[test]
fn what_is_queued_keeps_no_registry_alive() {
    let (registry, script) = registry(1);
    let held = Held::on(&script, 1);
    let caches = registry.cache::<u32, Arc<u32>>("numbers").unwrap();
    let running = registry.prefetch::<Scripted>(&1);
    held.begun();
    let queued = [caches.prefetch_with(1, || Ok(Arc::new(1))), caches.prefetch_with(2, || Ok(Arc::new(2)))];
    let kernel = registry.prefetch::<Scripted>(&2);
    drop(registry);
    // The creator has a handle for as long as it creates: now it is the last.
    held.end();
    assert!(running.wait().is_ok());
    for error in queued.map(|ticket| ticket.wait()).into_iter().chain([kernel.wait()]).filter_map(Result::err)
    {
        assert!(matches!(error.root(), Error::ShutDown), "{error:?}");
    }
    let late = caches.prefetch_with(3, || Ok(Arc::new(3))).wait().unwrap_err();
    assert!(matches!(late.root(), Error::ShutDown), "{late:?}");
    assert_eq!(*caches.get_or_make(&4, || Arc::new(4)).unwrap(), 4);
}

#[test]
fn each_of_several_that_shut_a_registry_down_waits_for_the_end_of_its_threads() {
    let (registry, script) = registry(2);
    let (say, said) = channel();
    let ends: Vec<_> = (1..3)
        .map(|key| {
            let ((begin, begun), (end, ended)) = (channel(), channel::<()>());
            let (say, begin, ended) = (Mutex::new(say.clone()), Mutex::new(begin), Mutex::new(ended));
            script.on(key, move || {
                begin.lock().unwrap().send(()).unwrap();
                let _ = ended.lock().unwrap().recv();
                FAREWELL.set(Some(Farewell(say.lock().unwrap().clone())));
                Ok(())
            });
            registry.prefetch::<Scripted>(&key).detach();
            begun.recv().unwrap();
            end
        })
        .collect();
    let queued = registry.prefetch::<Scripted>(&3);
    thread::scope(|scope| {
        for _ in 0..3 {
            let (registry, say) = (&registry, say.clone());
            scope.spawn(move || {
                registry.shut_down();
                say.send("shut down").unwrap();
            });
        }
        while !queued.is_ready() {
            thread::yield_now();
        }
        // The others have had time to come as far as the first, if not all of them have.
        (0..1000).for_each(|_| thread::yield_now());
        drop(ends);
    });
    drop(say);
    let order: Vec<_> = std::iter::from_fn(|| said.try_recv().ok()).collect();
    assert_eq!(order, ["thread", "thread", "shut down", "shut down", "shut down"]);
}
