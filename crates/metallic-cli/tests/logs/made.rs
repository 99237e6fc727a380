//! Makes logs for tests.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metallic::caching::{CacheableKernel, ManualClock};
use metallic::error::MetalError;
use metallic_instrumentation::{Event, EventSink, LogOpened};

/// Makes nothing, in as many microseconds as its key is large, and one.
pub(crate) struct Work;

impl CacheableKernel<ManualClock> for Work {
    type Key = u64;
    type CachedResource = u64;
    type Params = u64;
    const CACHE_NAME: &'static str = "work";

    fn create_cache_key(params: &u64) -> u64 {
        *params
    }

    fn create_cached_resource(key: &u64, clock: Option<&ManualClock>) -> Result<u64, MetalError> {
        clock.expect("the registry has a device").advance(Duration::from_micros(1 + key));
        Ok(*key)
    }
}

/// A sink that numbers the registry whose events it passes on.
pub(crate) struct Numbered<S> {
    pub(crate) number: u32,
    pub(crate) sink: Arc<S>,
}

impl<S: EventSink> EventSink for Numbered<S> {
    fn record(&self, event: &Event) {
        self.sink.record(&event.clone().in_registry(self.number));
    }
}

/// Numbers that are always the same for one seed.
pub(crate) fn dice(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// The header of a process.
pub(crate) fn open_log(process_id: u32, opened_unix_ns: u64) -> Event {
    Event::new(LogOpened {
        program: "engine".to_owned(),
        version: None,
        library: "0.1.0".into(),
        process_id,
        opened_unix_ns,
        rotations: 0,
        devices: Vec::new(),
    })
}

/// Writes a log.
pub(crate) fn write(path: &Path, events: &[Event]) {
    let line = |event| serde_json::to_string(event).expect("an event has a JSON form") + "\n";
    std::fs::write(path, events.iter().map(line).collect::<String>()).expect("the folder is there");
}
