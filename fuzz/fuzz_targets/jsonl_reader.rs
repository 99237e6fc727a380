//! Any bytes are a log: each line is an event or was passed over, and an event written again reads back the same.
#![no_main]

use std::io::BufReader;

use libfuzzer_sys::fuzz_target;
use metallic_instrumentation::{Event, JsonlReader};

fuzz_target!(|bytes: &[u8]| {
    // A buffer so small that lines and characters are cut.
    let mut reader = JsonlReader::new(BufReader::with_capacity(7, bytes));
    let events: Vec<Event> = reader.by_ref().map(|event| event.expect("memory can be read")).collect();

    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count() as u64;
    assert_eq!(reader.lines(), lines);
    assert_eq!(events.len() as u64 + reader.skipped().total(), lines);
    assert!(reader.skipped().torn <= 1);
    assert!(reader.next().is_none());

    let mut log = Vec::new();
    for event in &events {
        serde_json::to_writer(&mut log, event).expect("every event has a JSON form");
        log.push(b'\n');
    }
    let mut reader = JsonlReader::new(&log[..]);
    let again: Vec<Event> = reader.by_ref().map(|event| event.expect("memory can be read")).collect();
    assert_eq!(reader.skipped().total(), 0, "{:?}", reader.skipped());
    // Compared by their debug form: a hit rate that is not a number equals nothing, itself included.
    assert_eq!(format!("{again:?}"), format!("{events:?}"));
});
