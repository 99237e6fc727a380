use std::fs;
use std::path::Path;

use metallic_instrumentation::{EventData, EventKind, EventSink, JsonlExporter, JsonlReader, LogOpened};
use tempfile::tempdir;

use crate::doubles::{bare, text};
use crate::samples::{access, line, lines};

#[test]
fn a_full_file_is_rotated_and_the_oldest_go() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = bare().rotate(2 * line(0).len() as u64, 2).create(&path).unwrap();
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
    let exporter = bare().rotate(2 * line(0).len() as u64, 0).create(&path).unwrap();
    (0..5).for_each(|number| exporter.record(&access(number)));
    drop(exporter);
    assert_eq!(text(&path), lines([4]));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_line_longer_than_a_file_may_be_gets_a_file_to_itself() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = bare().rotate(1, 9).create(&path).unwrap();
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
    let exporter = bare().rotate(2 * line(0).len() as u64, 1).append(&path).unwrap();
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
    let exporter = bare().rotate(2 * line(0).len() as u64, 1).create(&path).unwrap();
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
fn a_rotation_costs_what_there_is_and_not_what_may_be() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    // As many renames as are allowed would take longer than this test's reader lives.
    let exporter = bare().rotate(line(0).len() as u64, usize::MAX).create(&path).unwrap();
    (0..20).for_each(|number| exporter.record(&access(number)));
    exporter.flush().unwrap();
    assert_eq!((exporter.stats().written, exporter.stats().rotations), (20, 19));
    assert_eq!(text(dir.path().join("log.jsonl.19")), line(0));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 20);
}

#[test]
fn a_gap_in_the_numbers_is_filled_before_anything_is_overwritten() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let old = |age: u32| dir.path().join(format!("log.jsonl.{age}"));
    fs::write(old(1), line(11)).unwrap();
    fs::write(old(3), line(13)).unwrap();
    let exporter = bare().rotate(line(0).len() as u64, 3).create(&path).unwrap();
    (0..2).for_each(|number| exporter.record(&access(number)));
    drop(exporter);
    assert_eq!([1, 2, 3].map(|age| text(old(age))), [line(0), line(11), line(13)]);
}

#[test]
fn a_rotation_neither_moves_nor_overwrites_nor_empties_what_is_not_a_log() {
    for (keep, foreign) in [
        (1, "log.jsonl.1"),
        (3, "log.jsonl.1"),
        (3, "log.jsonl.3"),
        (0, "log.jsonl.new"),
        (3, "log.jsonl.new"),
    ] {
        let dir = tempdir().unwrap();
        let (path, foreign) = (dir.path().join("log.jsonl"), dir.path().join(foreign));
        let older = |age: u64| dir.path().join(format!("log.jsonl.{age}"));
        for age in 1..=keep {
            fs::write(older(age), line(10 + age)).unwrap();
        }
        fs::write(&foreign, "notes").unwrap();
        let kept: Vec<_> = (1..=keep).map(|age| text(older(age))).collect();
        let exporter = bare().rotate(line(0).len() as u64, keep as usize).create(&path).unwrap();
        for number in 0..4 {
            exporter.record(&access(number));
            exporter.flush().unwrap();
        }
        assert_eq!((text(&foreign), text(&path)), ("notes".to_owned(), lines(0..4)));
        assert_eq!((1..=keep).map(|age| text(older(age))).collect::<Vec<_>>(), kept);
        let stats = exporter.stats();
        assert_eq!((stats.written, stats.dropped, stats.rotations, stats.rotation_errors), (4, 0, 0, 3));
        let cause =
            format!("{} is there and not a log: rotation would move or overwrite it", foreign.display());
        assert_eq!(stats.last_error, Some(cause));
        // Once it is out of the way, the log is rotated, whatever is left in its place.
        fs::remove_file(&foreign).unwrap();
        exporter.record(&access(4));
        drop(exporter);
        assert_eq!(text(&path), line(4));
    }
}

/// Set in the child process that runs the test below, with few descriptors.
#[cfg(unix)]
const CHILD: &str = "METALLIC_TEST_FEW_DESCRIPTORS";

#[cfg(unix)]
#[test]
fn a_process_short_of_descriptors_keeps_its_old_logs() {
    if std::env::var_os(CHILD).is_none() {
        let name = "jsonl_rotation::a_process_short_of_descriptors_keeps_its_old_logs";
        let status = std::process::Command::new("sh")
            .args(["-c", r#"ulimit -n 64 && exec "$0" --exact "$1""#])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(CHILD, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let exporter = bare().rotate(2 * line(0).len() as u64, 4).create(&path).unwrap();
    let record = |number| {
        exporter.record(&access(number));
        exporter.flush().unwrap();
    };
    (0..10).for_each(record);
    let folder = || {
        let files = ["log.jsonl.4", "log.jsonl.3", "log.jsonl.2", "log.jsonl.1", "log.jsonl"];
        files.iter().filter_map(|name| fs::read_to_string(dir.path().join(name)).ok()).collect::<String>()
    };
    let open = || fs::File::open("/dev/null");
    let mut descriptors: Vec<fs::File> = std::iter::from_fn(|| open().ok()).collect();
    (10..15).for_each(record);
    assert_eq!(exporter.stats().rotation_errors, 5);
    descriptors.clear();
    assert_eq!(folder(), lines(0..15));
    // And then it goes on.
    record(15);
    assert_eq!(exporter.stats().rotations, 5);
    assert_eq!(folder(), lines(2..16));
}

/// The first event of a file, which is its header, and how many lines follow.
fn header(path: &Path) -> (LogOpened, usize) {
    let mut events = JsonlReader::open(path).unwrap().map(Result::unwrap);
    let first = events.next().unwrap();
    assert_eq!((first.timestamp, first.registry), (None, None));
    let EventData::LogOpened(opened) = first.data else { panic!("no header but {first:?}") };
    (opened, events.count())
}

#[test]
fn every_file_begins_with_a_header() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let builder = JsonlExporter::builder().program("server", "1.2.3").devices(["cpu", "gpu"]);
    // Room for a header, which is some 200 bytes, and two lines.
    let exporter = builder.rotate(450, 9).create(&path).unwrap();
    (0..5).for_each(|number| exporter.record(&access(number)));
    exporter.flush().unwrap();
    let stats = exporter.stats();
    assert_eq!((stats.recorded, stats.written, stats.dropped), (5, 5, 0), "headers are no events");
    let files = ["log.jsonl.2", "log.jsonl.1", "log.jsonl"].map(|name| dir.path().join(name));
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(stats.bytes_written, bytes);
    let mut lines = 0;
    for (rotations, file) in (0..).zip(&files) {
        assert!(fs::metadata(file).unwrap().len() <= 450);
        let (opened, following) = header(file);
        assert_eq!((&*opened.program, opened.version.as_deref()), ("server", Some("1.2.3")));
        assert_eq!(opened.devices, ["cpu", "gpu"]);
        assert_eq!((opened.process_id, opened.rotations), (std::process::id(), rotations));
        assert!(opened.opened_unix_ns > 1_700_000_000_000_000_000);
        lines += following;
    }
    assert_eq!(lines, 5);
}

#[test]
fn a_header_stands_where_a_process_goes_on_in_a_file_and_names_the_executable() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, line(0)).unwrap();
    let exporter = JsonlExporter::append(&path).unwrap();
    exporter.record(&access(1));
    drop(exporter);
    let kinds: Vec<_> = JsonlReader::open(&path).unwrap().map(|event| event.unwrap().kind()).collect();
    assert_eq!(kinds, [EventKind::ResourceCacheAccess, EventKind::LogOpened, EventKind::ResourceCacheAccess]);
    let exporter = JsonlExporter::create(&path).unwrap();
    exporter.record(&access(1));
    drop(exporter);
    let executable = std::env::current_exe().unwrap();
    assert_eq!(header(&path).0.program, executable.file_stem().unwrap().to_str().unwrap());
}
