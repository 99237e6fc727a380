use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metallic_instrumentation::{EventSink, JsonlExporter, JsonlReader, Overflow};

use crate::doubles::{Gated, Page, PanickingWriter, SmallDisk};
use crate::samples::{access, dropped_line, line, lines};

#[test]
fn a_full_queue_drops_and_counts_and_the_log_says_where() {
    let page = Page::default();
    let (writer, gate) = Gated::new(&page);
    let exporter = JsonlExporter::builder().capacity(4).overflow(Overflow::Drop).to_writer(writer).unwrap();
    exporter.record(&access(0));
    gate.wait_for_writer();
    (1..=7).for_each(|number| exporter.record(&access(number)));
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (8, 0, 3));
    gate.open();
    exporter.flush().unwrap();
    exporter.record(&access(8));
    exporter.flush().unwrap();
    assert_eq!(page.text(), lines(0..=4) + &dropped_line(3) + &line(8));
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (9, 6, 3));
    assert_eq!(stats.bytes_written, page.text().len() as u64);
}

#[test]
fn a_caller_that_waits_for_room_loses_nothing() {
    let page = Page::default();
    let (writer, gate) = Gated::new(&page);
    let overflow = Overflow::Wait { timeout: Duration::MAX };
    let exporter = JsonlExporter::builder().capacity(4).overflow(overflow).to_writer(writer).unwrap();
    exporter.record(&access(0));
    gate.wait_for_writer();
    (1..=4).for_each(|number| exporter.record(&access(number)));
    std::thread::scope(|scope| {
        scope.spawn(|| (5..100).for_each(|number| exporter.record(&access(number))));
        gate.open();
    });
    exporter.flush().unwrap();
    assert_eq!(page.text(), lines(0..100));
    assert_eq!(exporter.stats().dropped, 0);
}

#[test]
fn a_dead_disk_holds_its_callers_up_once_and_not_once_an_event() {
    let page = Page::default();
    let (writer, gate) = Gated::new(&page);
    let overflow = Overflow::Wait { timeout: Duration::from_millis(100) };
    let exporter = JsonlExporter::builder().capacity(2).overflow(overflow).to_writer(writer).unwrap();
    exporter.record(&access(0));
    gate.wait_for_writer();
    let start = Instant::now();
    (1..=602).for_each(|number| exporter.record(&access(number)));
    // A wait for each of them would last a minute.
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(exporter.stats().dropped, 600);
    gate.open();
    exporter.flush().unwrap();
    assert_eq!(page.text(), lines(0..=2) + &dropped_line(600));
}

#[test]
fn a_flush_of_a_writer_that_is_held_up_times_out() {
    let page = Page::default();
    let (writer, gate) = Gated::new(&page);
    let exporter =
        JsonlExporter::builder().flush_timeout(Duration::from_millis(1)).to_writer(writer).unwrap();
    exporter.record(&access(0));
    gate.wait_for_writer();
    assert_eq!(exporter.flush().unwrap_err().kind(), ErrorKind::TimedOut);
    gate.open();
}

#[test]
fn dropping_an_exporter_whose_writer_is_held_up_returns() {
    let page = Page::default();
    let (writer, gate) = Gated::new(&page);
    let exporter =
        JsonlExporter::builder().flush_timeout(Duration::from_millis(1)).to_writer(writer).unwrap();
    exporter.record(&access(0));
    gate.wait_for_writer();
    drop(exporter);
    assert_eq!(page.text(), "", "the writer still stands before the gate");
    gate.open();
}

#[test]
fn a_full_disk_loses_events_and_the_next_line_says_how_many() {
    let disk = SmallDisk::default();
    let exporter = JsonlExporter::to_writer(disk.clone()).unwrap();
    (0..3).for_each(|number| exporter.record(&access(number)));
    assert_eq!(exporter.flush().unwrap_err().kind(), ErrorKind::StorageFull);
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (3, 0, 3));
    assert!(stats.write_errors >= 1);
    assert_eq!(stats.last_error.as_deref(), Some("no space left"));

    disk.room.store(usize::MAX, Ordering::SeqCst);
    exporter.flush().expect("a failure is told of once");
    exporter.record(&access(3));
    exporter.flush().unwrap();
    assert_eq!(disk.page.text(), dropped_line(3) + &line(3));
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (4, 1, 3));
}

#[test]
fn a_line_torn_by_a_full_disk_does_not_spoil_the_next() {
    let disk = SmallDisk::default();
    disk.room.store(line(0).len() + 10, Ordering::SeqCst);
    let exporter = JsonlExporter::to_writer(disk.clone()).unwrap();
    (0..3).for_each(|number| exporter.record(&access(number)));
    assert_eq!(exporter.flush().unwrap_err().kind(), ErrorKind::StorageFull);
    let stats = exporter.stats();
    assert_eq!((stats.written, stats.dropped, stats.bytes_written), (1, 2, line(0).len() as u64));

    disk.room.store(usize::MAX, Ordering::SeqCst);
    exporter.record(&access(3));
    exporter.flush().unwrap();
    assert_eq!(disk.page.text(), line(0) + &line(1)[..10] + "\n" + &dropped_line(2) + &line(3));
    let page = disk.page.text();
    let mut reader = JsonlReader::new(page.as_bytes());
    assert_eq!(reader.by_ref().count(), 3);
    assert_eq!(reader.skipped().total(), 1);
}

#[test]
fn a_line_that_lacks_only_its_end_is_written() {
    let disk = SmallDisk::default();
    disk.room.store(2 * line(0).len() - 1, Ordering::SeqCst);
    let exporter = JsonlExporter::to_writer(disk.clone()).unwrap();
    (0..2).for_each(|number| exporter.record(&access(number)));
    assert_eq!(exporter.flush().unwrap_err().kind(), ErrorKind::StorageFull);
    assert_eq!((exporter.stats().written, exporter.stats().dropped), (2, 0));

    disk.room.store(usize::MAX, Ordering::SeqCst);
    exporter.record(&access(2));
    exporter.flush().unwrap();
    assert_eq!(disk.page.text(), lines(0..3));
    assert_eq!(exporter.stats().bytes_written, disk.page.text().len() as u64);
}

#[test]
fn an_announcement_that_lacks_only_its_end_is_not_repeated() {
    let disk = SmallDisk::default();
    let exporter = JsonlExporter::to_writer(disk.clone()).unwrap();
    exporter.record(&access(0));
    exporter.flush().unwrap_err();
    disk.room.store(dropped_line(1).len() - 1, Ordering::SeqCst);
    exporter.record(&access(1));
    exporter.flush().unwrap_err();
    disk.room.store(usize::MAX, Ordering::SeqCst);
    exporter.record(&access(2));
    exporter.flush().unwrap();
    assert_eq!(disk.page.text(), dropped_line(1) + &dropped_line(1) + &line(2));
}

#[test]
fn an_announcement_that_gets_through_alone_is_not_repeated() {
    let disk = SmallDisk::default();
    let exporter = JsonlExporter::to_writer(disk.clone()).unwrap();
    exporter.record(&access(0));
    exporter.flush().unwrap_err();
    disk.room.store(dropped_line(1).len(), Ordering::SeqCst);
    exporter.record(&access(1));
    exporter.flush().unwrap_err();
    disk.room.store(usize::MAX, Ordering::SeqCst);
    exporter.record(&access(2));
    exporter.flush().unwrap();
    assert_eq!(disk.page.text(), dropped_line(1) + &dropped_line(1) + &line(2));
    let stats = exporter.stats();
    assert_eq!((stats.written, stats.dropped), (1, 2));
}

#[test]
fn the_last_losses_are_written_when_the_exporter_is_dropped() {
    let disk = SmallDisk::default();
    let exporter = JsonlExporter::to_writer(disk.clone()).unwrap();
    exporter.record(&access(0));
    exporter.flush().unwrap_err();
    disk.room.store(usize::MAX, Ordering::SeqCst);
    drop(exporter);
    assert_eq!(disk.page.text(), dropped_line(1));
}

#[test]
fn a_caller_is_not_held_up_by_a_disk_that_stays_full() {
    let exporter = JsonlExporter::builder()
        .capacity(8)
        .overflow(Overflow::Wait { timeout: Duration::MAX })
        .to_writer(SmallDisk::default())
        .unwrap();
    (0..10_000).for_each(|number| exporter.record(&access(number)));
    exporter.flush().unwrap_err();
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (10_000, 0, 10_000));
}

#[cfg(target_os = "linux")]
#[test]
fn the_device_that_is_always_full_is_reported_like_a_full_disk() {
    let exporter = JsonlExporter::builder().rotate(1, 1).create("/dev/full").unwrap();
    exporter.record(&access(0));
    assert_eq!(exporter.flush().unwrap_err().kind(), ErrorKind::StorageFull);
    let stats = exporter.stats();
    assert_eq!((stats.dropped, stats.rotations, stats.rotation_errors), (1, 0, 0), "a device is not rotated");
}

#[test]
fn a_writer_that_panics_loses_events_and_hangs_nobody() {
    let exporter = JsonlExporter::builder()
        .capacity(2)
        .overflow(Overflow::Wait { timeout: Duration::MAX })
        .flush_timeout(Duration::MAX)
        .to_writer(PanickingWriter)
        .unwrap();
    (0..100).for_each(|number| exporter.record(&access(number)));
    exporter.flush().unwrap_err();
    exporter.record(&access(100));
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (101, 0, 101));
    assert_eq!(stats.last_error.as_deref(), Some("the writer thread panicked"));
}
