//! A child of a process with an exporter, made by `fork`: nothing in it waits for the thread that stayed behind.
#![cfg(all(unix, feature = "jsonl"))]
#![allow(clippy::unwrap_used, reason = "tests throughout; clippy knows only those in functions marked so")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use metallic_instrumentation::{
    Event, EventData, EventSink, EventsDropped, JsonlExporter, JsonlReader, Overflow,
};

fn event(count: u64) -> Event {
    Event::new(EventsDropped { count })
}

/// Runs `action` in a child process, and returns its exit status once it has ended, or `None` if it hangs.
fn in_child(action: impl FnOnce() -> bool) -> Option<i32> {
    // SAFETY: the child only runs `action`, which uses what the exporter offers after a fork, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let status = i32::from(!action());
        // SAFETY: ends the child without the exit handlers of the test program, which are its parent's.
        unsafe { libc::_exit(status) };
    }
    assert!(child > 0, "a child could be made");
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for the write, and `child` is a child of this process that was not waited for.
        if unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } == child {
            return Some(status);
        }
        if Instant::now() > deadline {
            // SAFETY: as above.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &mut status, 0);
            }
            return None;
        }
        thread::yield_now();
    }
}

#[test]
fn a_child_loses_its_events_counts_them_and_waits_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = JsonlExporter::builder().capacity(100).header(false).create(&path).unwrap();
    (0..10).for_each(|number| exporter.record(&event(number)));
    exporter.flush().unwrap();
    let status = in_child(|| {
        (100..1100).for_each(|number| exporter.record(&event(number)));
        let flushed = exporter.flush();
        EventSink::flush(&exporter);
        let stats = exporter.stats();
        flushed.is_err() && (stats.recorded, stats.written, stats.dropped) == (1010, 10, 1000)
    });
    assert_eq!(status, Some(0));
    // A log that the child opens itself is its own, and leaves alone what the parent wrote.
    let status = in_child(|| {
        let own = JsonlExporter::builder().header(false).create(&path).unwrap();
        own.record(&event(7));
        own.flush().is_ok() && own.stats().written == 1
    });
    assert_eq!(status, Some(0));
    drop(exporter);
    let read = JsonlReader::open(&path).unwrap().map(|event| event.unwrap().data);
    let counts: Vec<u64> = read
        .map(|data| match data {
            EventData::EventsDropped(dropped) => dropped.count,
            data => panic!("{data:?}"),
        })
        .collect();
    assert_eq!(counts, (0..10).chain([7]).collect::<Vec<_>>());
}

#[test]
fn a_child_does_not_wait_for_a_lock_that_a_thread_of_the_parent_held() {
    let exporter = JsonlExporter::builder().overflow(Overflow::Drop).to_writer(std::io::sink()).unwrap();
    let done = AtomicBool::new(false);
    let hung = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    (0..1000).for_each(|number| exporter.record(&event(number)));
                }
            });
        }
        let hung = (0..60).filter(|_| {
            in_child(|| {
                exporter.record(&event(1));
                exporter.stats().recorded > 0
            })
            .is_none()
        });
        let hung = hung.count();
        done.store(true, Ordering::Relaxed);
        hung
    });
    assert_eq!(hung, 0);
}
