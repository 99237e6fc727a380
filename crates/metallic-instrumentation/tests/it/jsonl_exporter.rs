use std::fs;
use std::path::Path;
use std::sync::Arc;

use metallic_instrumentation::{
    CacheEviction, Event, EventSink, JsonlExporter, JsonlReader, ResourceCacheAccess, ResourceCacheSummary,
};
use tempfile::tempdir;

use crate::doubles::Page;
use crate::samples::{access, line, lines, one_of_each};

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

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
    let exporter = JsonlExporter::create(&path).unwrap();
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
    let exporter = JsonlExporter::create(&path).unwrap();
    (0..1000).for_each(|number| exporter.record(&access(number)));
    drop(exporter);
    assert_eq!(text(&path), lines(0..1000));
}

#[test]
fn create_empties_the_file_and_append_goes_on_in_it() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    for (number, expected) in [(0, lines([0])), (1, lines([0, 1]))] {
        let exporter = JsonlExporter::append(&path).unwrap();
        exporter.record(&access(number));
        drop(exporter);
        assert_eq!(text(&path), expected);
    }
    let exporter = JsonlExporter::create(&path).unwrap();
    exporter.record(&access(2));
    drop(exporter);
    assert_eq!(text(&path), lines([2]));
}

#[test]
fn appending_after_a_torn_line_leaves_one_bad_line() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, line(0) + r#"{"type":"Resou"#).unwrap();
    let exporter = JsonlExporter::append(&path).unwrap();
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
    assert_eq!(JsonlExporter::create(&path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(JsonlExporter::append(&path).unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn waiting_loses_nothing_and_keeps_the_order_of_each_of_many_threads() {
    const THREADS: u64 = 4;
    const EACH: u64 = 50_000;
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = JsonlExporter::builder().capacity(256).create(&path).unwrap();
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
fn a_full_file_is_rotated_and_the_oldest_go() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = JsonlExporter::builder().rotate(2 * line(0).len() as u64, 2).create(&path).unwrap();
    (0..7).for_each(|number| exporter.record(&access(number)));
    exporter.flush().unwrap();
    assert_eq!(text(&path), lines([6]));
    assert_eq!(text(dir.path().join("log.jsonl.1")), lines([4, 5]));
    assert_eq!(text(dir.path().join("log.jsonl.2")), lines([2, 3]));
    assert!(!dir.path().join("log.jsonl.3").exists());
    let stats = exporter.stats();
    assert_eq!((stats.written, stats.rotations, stats.rotation_errors), (7, 3, 0));
}

#[test]
fn a_rotation_that_keeps_nothing_starts_the_file_anew() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = JsonlExporter::builder().rotate(2 * line(0).len() as u64, 0).create(&path).unwrap();
    (0..5).for_each(|number| exporter.record(&access(number)));
    drop(exporter);
    assert_eq!(text(&path), lines([4]));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_line_longer_than_a_file_may_be_gets_a_file_to_itself() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = JsonlExporter::builder().rotate(1, 9).create(&path).unwrap();
    (0..3).for_each(|number| exporter.record(&access(number)));
    drop(exporter);
    assert_eq!(text(&path), line(2));
    assert_eq!(text(dir.path().join("log.jsonl.1")), line(1));
    assert_eq!(text(dir.path().join("log.jsonl.2")), line(0));
}

#[test]
fn what_a_file_already_holds_counts_for_its_rotation() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, lines([0, 1])).unwrap();
    let exporter = JsonlExporter::builder().rotate(2 * line(0).len() as u64, 1).append(&path).unwrap();
    exporter.record(&access(2));
    drop(exporter);
    assert_eq!(text(&path), line(2));
    assert_eq!(text(dir.path().join("log.jsonl.1")), lines([0, 1]));
}

#[test]
fn a_rotation_that_fails_is_counted_and_loses_nothing() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    // A file cannot take the place of a directory.
    fs::create_dir_all(dir.path().join("log.jsonl.1").join("in the way")).unwrap();
    let exporter = JsonlExporter::builder().rotate(2 * line(0).len() as u64, 1).create(&path).unwrap();
    for number in 0..7 {
        exporter.record(&access(number));
        exporter.flush().unwrap();
    }
    assert_eq!(text(&path), lines(0..7));
    let stats = exporter.stats();
    assert_eq!((stats.written, stats.dropped, stats.rotations, stats.rotation_errors), (7, 0, 0, 5));
    assert!(stats.last_error.is_some());
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
