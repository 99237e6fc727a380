//! Events and sinks made for tests; writers that block, fail or panic.
#![cfg_attr(not(feature = "jsonl"), allow(dead_code))]

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use metallic_instrumentation::{
    CacheCleared, CacheEviction, CachePolicyChanged, CreationOutcome, EntryRemoved, Event, EventData,
    EventKind, EventSink, EventsDropped, KvCacheRefused, KvCacheResized, KvCacheTruncated, RemovalCause,
    ResourceCacheAccess, ResourceCacheSummary, ResourceCreated,
};

/// An access without a time; its number stands in its bytes.
pub(crate) fn access(number: u64) -> Event {
    Event::new(ResourceCacheAccess { cache_key: "gemm:GemmKey{m:64}".into(), hit: true, bytes: number })
}

pub(crate) fn line(number: u64) -> String {
    format!(
        r#"{{"type":"ResourceCacheAccess","data":{{"cache_key":"gemm:GemmKey{{m:64}}","hit":true,"bytes":{number}}}}}"#
    ) + "\n"
}

pub(crate) fn dropped_line(count: u64) -> String {
    format!(r#"{{"type":"EventsDropped","data":{{"count":{count}}}}}"#) + "\n"
}

pub(crate) fn lines(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(line).collect()
}

/// One event of every kind.
pub(crate) fn one_of_each() -> Vec<Event> {
    let data: [EventData; 11] = [
        ResourceCacheAccess { cache_key: "a:K{m:1}".into(), hit: false, bytes: 7 }.into(),
        ResourceCacheSummary { cache: "a".into(), hits: 3, misses: 1, hit_rate: 75.0, size: 1 }.into(),
        CacheEviction {
            cache: "a".into(),
            strategy: "size_limited_lru".into(),
            count: 2,
            reason: "size_limit_exceeded_max_4".into(),
            size_after: 3,
        }
        .into(),
        ResourceCreated {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            duration_ns: 1_500_000_000,
            outcome: CreationOutcome::Failed,
            error: Some("no such \"device\"".to_owned()),
            bytes: 0,
        }
        .into(),
        EntryRemoved {
            cache: "a".into(),
            cache_key: "a:K{m:1}".into(),
            cause: RemovalCause::IdleTimeout,
            age_ns: 5,
            idle_ns: 4,
            reuse_count: 3,
            creation_ns: 2,
            bytes: 1,
        }
        .into(),
        CacheCleared { cache: "a".into(), count: 3, size_after: 0 }.into(),
        CachePolicyChanged {
            cache: "a".into(),
            strategy: "lru".into(),
            max_entries: Some(4),
            max_idle_ns: None,
            min_entries: 0,
        }
        .into(),
        EventsDropped { count: 9 }.into(),
        KvCacheResized {
            cache: "kv".into(),
            layers: 2,
            len: 16,
            capacity: 32,
            bytes: 4096,
            peak_bytes: 6144,
            duration_ns: 8,
        }
        .into(),
        KvCacheTruncated { cache: "kv".into(), from: 16, to: 3 }.into(),
        KvCacheRefused {
            cache: "kv".into(),
            positions: 64,
            capacity: 32,
            needed_bytes: 8192,
            limit_bytes: 5000,
            error: "the KV cache is full".to_owned(),
        }
        .into(),
    ];
    let events: Vec<Event> = data.into_iter().zip(100..).map(|(data, time)| Event::at(time, data)).collect();
    assert!(events.iter().map(Event::kind).eq(EventKind::ALL.iter().copied()), "one_of_each lacks a kind");
    events
}

/// Panics at every call.
pub(crate) struct Panicking;

impl EventSink for Panicking {
    fn enabled(&self, kind: EventKind) -> bool {
        assert!(kind != EventKind::EventsDropped, "asked for a kind it cannot bear");
        true
    }

    fn record(&self, _event: &Event) {
        panic!("a sink that panics");
    }

    fn flush(&self) {
        panic!("a sink that panics");
    }
}

/// What was written, shared with the test.
#[derive(Clone, Default)]
pub(crate) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that stops at every write until the test lets it go on.
pub(crate) struct Gated {
    arrived: Sender<()>,
    pass: Receiver<()>,
    page: Page,
}

/// The test's end of a [`Gated`] writer.
pub(crate) struct Gate {
    arrived: Receiver<()>,
    pass: Sender<()>,
}

impl Gated {
    pub(crate) fn new(page: &Page) -> (Self, Gate) {
        let (arrived, arrivals) = channel();
        let (passes, pass) = channel();
        (Self { arrived, pass, page: page.clone() }, Gate { arrived: arrivals, pass: passes })
    }
}

impl Gate {
    /// Returns when the writer stands before the gate.
    pub(crate) fn wait_for_writer(&self) {
        self.arrived.recv().unwrap();
    }

    /// Lets every write pass from now on.
    pub(crate) fn open(self) {
        drop(self.pass);
    }
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Either end is gone once the gate is open.
        let _ = self.arrived.send(());
        let _ = self.pass.recv();
        self.page.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk with room for so many bytes.
#[derive(Clone, Default)]
pub(crate) struct SmallDisk {
    pub(crate) page: Page,
    pub(crate) room: Arc<AtomicUsize>,
}

impl Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.room.load(Ordering::SeqCst).min(bytes.len());
        if room == 0 {
            return Err(io::Error::new(ErrorKind::StorageFull, "no space left"));
        }
        self.room.fetch_sub(room, Ordering::SeqCst);
        self.page.write(&bytes[..room])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that panics.
pub(crate) struct PanickingWriter;

impl Write for PanickingWriter {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        panic!("a writer that panics");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
