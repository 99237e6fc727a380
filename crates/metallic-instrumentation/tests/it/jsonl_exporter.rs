use std::fs;
use std::sync::Arc;

use metallic_instrumentation::{
    CacheEviction, Event, EventSink, JsonlExporter, JsonlReader, ResourceCacheAccess, ResourceCacheSummary,
};
use tempfile::tempdir;

use crate::doubles::{Page, bare, text};
use crate::samples::{access, dropped_line, line, lines, one_of_each};

#[test]
fn the_examples_of_the_specification_come_out_byte_for_byte() {
    let page = Page::default();
    let exporter = JsonlExporter::builder().timestamps(false).to_writer(page.clone()).unwrap();
    exporter.record(&Event::at(
        1,
        ResourceCacheAccess {
            cache_key: "mps_gemm:MpsGemmKey{m:1024,n:1024,k:1024}".into(),
            hit: true,
            bytes: 0,
        },
    ));
    exporter.record(&Event::at(
        2,
        ResourceCacheSummary { cache: "mps_gemm".into(), hits: 450, misses: 50, hit_rate: 90.0, size: 87 },
    ));
    exporter.record(&Event::at(
        3,
        CacheEviction {
            cache: "mps_gemm".into(),
            strategy: "size_limited_lru".into(),
            count: 5,
            reason: "size_limit_exceeded_max_1000".into(),
            size_after: 1000,
        },
    ));
    exporter.flush().unwrap();
    let expected = [
        r#"{"type":"ResourceCacheAccess","data":{"cache_key":"mps_gemm:MpsGemmKey{m:1024,n:1024,k:1024}","hit":true,"bytes":0}}"#,
        r#"{"type":"ResourceCacheSummary","data":{"cache":"mps_gemm","hits":450,"misses":50,"hit_rate":90.0,"size":87}}"#,
        r#"{"type":"CacheEviction","data":{"cache":"mps_gemm","strategy":"size_limited_lru","count":5,"reason":"size_limit_exceeded_max_1000","size_after":1000}}"#,
    ];
    assert_eq!(page.text(), expected.map(|line| format!("{line}\n")).concat());
}

#[test]
fn the_time_of_an_event_stands_behind_its_data() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    exporter.record(&Event { timestamp: Some(17), ..access(1) });
    exporter.record(&access(2));
    exporter.flush().unwrap();
    let timed = line(1).replace("}}\n", "},\"timestamp\":17}\n");
    assert_eq!(page.text(), timed + &line(2));
}

#[test]
fn flush_returns_when_everything_recorded_is_in_the_file() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = bare().create(&path).unwrap();
    for number in 0..100 {
        exporter.record(&access(number));
        exporter.flush().unwrap();
        assert_eq!(text(&path), lines(0..=number));
    }
    let sink: Arc<dyn EventSink> = Arc::new(exporter);
    sink.record(&access(100));
    sink.flush();
    assert_eq!(text(&path), lines(0..=100));
}

#[test]
fn dropping_the_exporter_writes_what_is_queued() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = bare().create(&path).unwrap();
    (0..1000).for_each(|number| exporter.record(&access(number)));
    drop(exporter);
    assert_eq!(text(&path), lines(0..1000));
}

#[test]
fn create_empties_the_file_and_append_goes_on_in_it() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    for (number, expected) in [(0, lines([0])), (1, lines([0, 1]))] {
        let exporter = bare().append(&path).unwrap();
        exporter.record(&access(number));
        drop(exporter);
        assert_eq!(text(&path), expected);
    }
    let exporter = bare().create(&path).unwrap();
    exporter.record(&access(2));
    drop(exporter);
    assert_eq!(text(&path), lines([2]));
}

#[test]
fn appending_after_a_torn_line_leaves_one_bad_line() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, line(0) + r#"{"type":"Resou"#).unwrap();
    let exporter = bare().append(&path).unwrap();
    exporter.record(&access(1));
    drop(exporter);
    assert_eq!(text(&path), line(0) + "{\"type\":\"Resou\n" + &line(1));
    let mut reader = JsonlReader::open(&path).unwrap();
    assert!(reader.by_ref().map(Result::unwrap).eq([access(0), access(1)]));
    assert_eq!((reader.skipped().malformed, reader.skipped().total()), (1, 1));
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("missing").join("log.jsonl");
    assert_eq!(bare().create(&path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(bare().append(&path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn waiting_loses_nothing_and_keeps_the_order_of_each_of_many_threads() {
    const THREADS: u64 = 4;
    const EACH: u64 = 50_000;
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = bare().capacity(256).create(&path).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let exporter = &exporter;
            scope.spawn(move || {
                for number in 0..EACH {
                    let key = format!("thread{thread}:K{{m:{}}}", number % 16);
                    exporter.record(&Event::new(ResourceCacheAccess {
                        cache_key: key.into(),
                        hit: true,
                        bytes: thread * EACH + number,
                    }));
                }
            });
        }
    });
    exporter.flush().unwrap();
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (THREADS * EACH, THREADS * EACH, 0));
    assert_eq!(stats.bytes_written, fs::metadata(&path).unwrap().len());

    let mut next: Vec<u64> = (0..THREADS).map(|thread| thread * EACH).collect();
    for (event, line) in JsonlReader::open(&path).unwrap().zip(1..) {
        let metallic_instrumentation::EventData::ResourceCacheAccess(access) = event.unwrap().data else {
            panic!("line {line} is no access");
        };
        let thread = access.bytes / EACH;
        assert_eq!(access.bytes, next[thread as usize], "line {line} is out of order");
        assert_eq!(&*access.cache_key, format!("thread{thread}:K{{m:{}}}", access.bytes % EACH % 16));
        next[thread as usize] += 1;
    }
    assert!(next.iter().zip(1..).all(|(&next, threads)| next == threads * EACH));
}

#[test]
fn more_keys_than_the_exporter_remembers_come_out_right() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    let keys: Vec<Arc<str>> = (0..10_000).map(|key| format!("gemm:K{{m:{key}}}").into()).collect();
    // Forwards and backwards, so that many are met again after their place was given away, and many before.
    let order: Vec<usize> = (0..10_000).chain((0..10_000).rev()).collect();
    for &key in &order {
        exporter.record(&Event::new(ResourceCacheAccess {
            cache_key: keys[key].clone(),
            hit: true,
            bytes: 0,
        }));
    }
    exporter.flush().unwrap();
    let page = page.text();
    let written = page.lines().map(|line| line.split('"').nth(9).unwrap());
    assert!(written.eq(order.iter().map(|&key| &*keys[key])));
}

#[test]
fn a_key_at_the_address_of_one_that_was_freed_is_not_taken_for_it() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    for key in 0..20_000 {
        // Freed at the end of the loop, but for what the exporter holds.
        let cache_key = format!("gemm:K{{m:{key:05}}}").into();
        exporter.record(&Event::new(ResourceCacheAccess { cache_key, hit: true, bytes: 0 }));
    }
    exporter.flush().unwrap();
    let page = page.text();
    let written = page.lines().map(|line| line.split('"').nth(9).unwrap().to_owned());
    assert!(written.eq((0..20_000).map(|key| format!("gemm:K{{m:{key:05}}}"))));
}

#[test]
fn events_of_every_kind_are_written_in_the_form_serde_gives_them() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    one_of_each().iter().for_each(|event| exporter.record(event));
    exporter.flush().unwrap();
    let expected =
        one_of_each().iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect::<String>();
    assert_eq!(page.text(), expected);
}

#[test]
fn a_registry_stands_behind_the_time_of_an_event() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    let label: Arc<str> = "gemm:K".into();
    let access = |bytes| ResourceCacheAccess { cache_key: label.clone(), hit: true, bytes };
    // One label in two registries, and in none.
    exporter.record(&Event::at(5, access(1)).in_registry(0));
    exporter.record(&Event::new(access(2)).in_registry(7));
    exporter.record(&Event::new(access(3)));
    exporter.flush().unwrap();
    let line = |number: u64, rest: &str| {
        format!(
            r#"{{"type":"ResourceCacheAccess","data":{{"cache_key":"gemm:K","hit":true,"bytes":{number}}}{rest}}}"#
        ) + "\n"
    };
    let expected =
        [line(1, r#","timestamp":5,"registry":0"#), line(2, r#","registry":7"#), line(3, "")].concat();
    assert_eq!(page.text(), expected);
}

#[test]
fn a_long_key_is_not_kept_once_it_is_written() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    let label: Arc<str> = format!("gemm:{}", "x".repeat(5000)).into();
    for _ in 0..2 {
        let access = ResourceCacheAccess { cache_key: label.clone(), hit: true, bytes: 0 };
        exporter.record(&Event::new(access));
    }
    exporter.flush().unwrap();
    assert_eq!(page.text().matches(&*label).count(), 2);
    // The writer forgets a batch before it takes the next.
    exporter.record(&access(1));
    exporter.flush().unwrap();
    assert_eq!(Arc::strong_count(&label), 1);
}

#[test]
fn an_event_that_no_reader_would_take_is_counted_as_lost_and_told_of() {
    let page = Page::default();
    let exporter = JsonlExporter::to_writer(page.clone()).unwrap();
    let of_line = |len: usize| {
        let rest = line(0).len() - 1 - "gemm:GemmKey{m:64}".len();
        let cache_key = "x".repeat(len - rest).into();
        Event::new(ResourceCacheAccess { cache_key, hit: true, bytes: 0 })
    };
    exporter.record(&access(0));
    exporter.record(&of_line(JsonlReader::<&[u8]>::MAX_LINE));
    exporter.record(&of_line(JsonlReader::<&[u8]>::MAX_LINE + 1));
    exporter.record(&access(1));
    exporter.flush().unwrap();
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (4, 3, 1));
    let page = page.text();
    assert!(page.ends_with(&(dropped_line(1) + &line(1))), "{:?}", &page[page.len() - 300..]);
    let mut reader = JsonlReader::new(page.as_bytes());
    assert_eq!(reader.by_ref().count(), 4);
    assert_eq!(reader.skipped().total(), 0);
}
