//! An exporter to a writer that fails anywhere, driven by bytes: for the property test and for the fuzz target.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metallic_instrumentation::{
    CacheCleared, Event, EventData, EventSink, JsonlExporter, JsonlReader, Overflow, ResourceCacheAccess,
};

/// Fails, stops short or is interrupted as its script says, byte for byte; works when that is over.
struct Faulty {
    script: Arc<Mutex<VecDeque<u8>>>,
    page: Arc<Mutex<Vec<u8>>>,
}

impl Faulty {
    fn next(&self) -> Option<u8> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let ends = || bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at);
        let Some(next) = self.next() else {
            self.page.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
            return Ok(bytes.len());
        };
        let chosen = usize::from(next / 8);
        let len = match next % 8 {
            0 => return Err(io::Error::other("no")),
            1 => return Err(ErrorKind::Interrupted.into()),
            2 => 0,
            // Right before the end of a line, and right behind it.
            3 => ends().nth(chosen % ends().count().max(1)).unwrap_or(1).max(1),
            4 => ends().nth(chosen % ends().count().max(1)).map_or(1, |at| at + 1),
            5 => 1 + chosen * 7 % bytes.len(),
            _ => bytes.len(),
        };
        self.page.lock().unwrap_or_else(PoisonError::into_inner).extend(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.next().is_some_and(|next| next % 4 == 0) { Err(io::Error::other("flush")) } else { Ok(()) }
    }
}

/// The event with this number, of a kind that the byte chooses.
fn event(number: u64, byte: u8) -> Event {
    let chosen = byte / 8 % 4;
    let access = |key: String| ResourceCacheAccess { cache_key: key.into(), hit: chosen < 2, bytes: number };
    let data: EventData = match byte % 8 {
        6 => CacheCleared { cache: "c".into(), count: number, size_after: 0 }.into(),
        7 => access(format!("c:{chosen}{}", "é".repeat(1000))).into(),
        _ => access(format!("c:Key{{\"é\n\u{1}\":{chosen}}}")).into(),
    };
    Event {
        timestamp: (chosen != 0).then_some(number),
        registry: (chosen == 3).then_some(7),
        ..Event::new(data)
    }
}

fn number(event: &Event) -> Option<u64> {
    match &event.data {
        EventData::ResourceCacheAccess(access) => Some(access.bytes),
        EventData::CacheCleared(cleared) => Some(cleared.count),
        _ => None,
    }
}

/// Records and flushes as the bytes say, and holds the log and the counts against what was recorded.
pub(crate) fn run(bytes: &[u8]) {
    let [options, faults, rest @ ..] = bytes else { return };
    let (faults, operations) = rest.split_at(rest.len().min(usize::from(*faults)));
    let script = Arc::new(Mutex::new(VecDeque::from(faults.to_vec())));
    let page = Arc::new(Mutex::new(Vec::new()));
    let overflow =
        if options % 2 == 0 { Overflow::Drop } else { Overflow::Wait { timeout: Duration::from_secs(60) } };
    let exporter = JsonlExporter::builder()
        .capacity(usize::from(options / 2 % 16))
        .overflow(overflow)
        .to_writer(Faulty { script: script.clone(), page: page.clone() })
        .expect("a thread can be started");
    let mut recorded = 0;
    for &operation in operations {
        if operation % 8 == 0 {
            // What failed is counted, which is what is looked at here.
            let _ = exporter.flush();
            let stats = exporter.stats();
            assert_eq!((stats.recorded, stats.written + stats.dropped), (recorded, recorded), "{stats:?}");
        } else {
            exporter.record(&event(recorded, operation));
            recorded += 1;
        }
    }
    let _ = exporter.flush();
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written + stats.dropped), (recorded, recorded), "{stats:?}");
    // The writer is asked to tell of the last losses when the exporter is dropped, and can if its script was over.
    let was_over = script.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
    drop(exporter);

    let page = page.lock().unwrap_or_else(PoisonError::into_inner);
    let events: Vec<Event> =
        JsonlReader::new(&page[..]).map(|event| event.expect("memory is read")).collect();
    let (mut seen, mut told) = (0, 0);
    for event in &events {
        match (&event.data, number(event)) {
            (_, Some(number)) => {
                // In order, and no loss is told of before it happened, nor twice.
                assert!(number >= seen + told, "event {number} after {seen} events and {told} told missing");
                seen += 1;
            }
            (EventData::EventsDropped(dropped), _) => told += dropped.count,
            (data, _) => panic!("{data:?} was not recorded"),
        }
    }
    let mut last = None;
    for number in events.iter().filter_map(number) {
        assert!(last < Some(number), "event {number} after {last:?}");
        last = Some(number);
    }
    assert_eq!(seen, stats.written, "{stats:?}");
    assert!(told <= stats.dropped, "{told} of {stats:?}");
    if was_over {
        assert_eq!(told, stats.dropped, "{stats:?}");
    }
}
