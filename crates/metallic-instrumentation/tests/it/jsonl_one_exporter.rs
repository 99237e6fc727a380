use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use metallic_instrumentation::{EnvLog, EventKind, EventSink, JsonlExporter, JsonlReader, from_vars};
use tempfile::tempdir;

use crate::doubles::{bare, text};
use crate::samples::{access, line, lines};

fn log_at(path: &Path, vars: &[(&str, &str)]) -> Arc<EnvLog> {
    let mut all: HashMap<&str, OsString> = vars.iter().map(|&(name, value)| (name, value.into())).collect();
    all.insert("METALLIC_METRICS_JSONL_PATH", path.into());
    from_vars(|name| all.get(name).cloned()).unwrap().unwrap()
}

/// The accesses in the files of this folder, and everything else in them that is not a header.
fn accesses(folder: &Path) -> (usize, usize) {
    let (mut accesses, mut others) = (0, 0);
    for file in fs::read_dir(folder).unwrap() {
        let mut reader = JsonlReader::open(file.unwrap().path()).unwrap();
        for event in reader.by_ref() {
            match event.unwrap().kind() {
                EventKind::ResourceCacheAccess => accesses += 1,
                EventKind::LogOpened => {}
                _ => others += 1,
            }
        }
        others += reader.skipped().total() as usize;
    }
    (accesses, others)
}

#[test]
fn a_log_that_each_of_several_threads_asks_for_has_the_events_of_all() {
    for vars in
        [&[][..], &[("METALLIC_METRICS_JSONL_MAX_BYTES", "4000"), ("METALLIC_METRICS_JSONL_KEEP", "1000")]]
    {
        let dir = tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let log = log_at(&path, vars);
                    (0..1000).for_each(|number| log.record(&access(number)));
                });
            }
        });
        assert_eq!(accesses(dir.path()), (3000, 0), "{vars:?}");
    }
}

#[test]
fn a_log_that_is_asked_for_again_later_goes_on() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, line(99)).unwrap();
    for number in 0..3 {
        log_at(&path, &[]).record(&access(number));
    }
    assert_eq!(accesses(dir.path()), (3, 0));
}

#[test]
fn a_first_call_that_fails_has_not_begun_the_log() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let vars = HashMap::from([("METALLIC_METRICS_JSONL_PATH", OsString::from(&path))]);
    fs::create_dir(&path).unwrap();
    from_vars(|name| vars.get(name).cloned()).unwrap_err();
    fs::remove_dir(&path).unwrap();
    fs::write(&path, line(99)).unwrap();
    log_at(&path, &[]).record(&access(0));
    assert_eq!(accesses(dir.path()), (1, 0));
}

#[test]
fn the_log_of_the_environment_tells_what_became_of_its_events() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let (one, other) = (log_at(&path, &[]), log_at(&path, &[]));
    one.record(&access(1));
    other.record(&access(2));
    one.flush().unwrap();
    assert_eq!((one.stats().recorded, one.stats().written), (2, 2));
    assert_eq!(one.stats(), other.stats());
}

#[test]
fn a_file_has_one_exporter_whatever_it_is_called() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let first = bare().create(&path).unwrap();
    first.record(&access(0));
    first.flush().unwrap();
    let others = [
        JsonlExporter::create(&path).unwrap(),
        JsonlExporter::append(dir.path().join(".").join("log.jsonl")).unwrap(),
    ];
    for (number, exporter) in (1..).zip(&others) {
        exporter.record(&access(number));
    }
    drop(others);
    first.flush().unwrap();
    assert_eq!(text(&path), lines(0..3));
    assert_eq!(first.stats().recorded, 3);
    drop(first);

    let exporter = bare().create(&path).unwrap();
    exporter.record(&access(7));
    drop(exporter);
    assert_eq!(text(&path), line(7), "the exporter is gone, so this one is new");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_log_is_the_log() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let first = bare().create(&path).unwrap();
    std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
    let second = bare().create(dir.path().join("link")).unwrap();
    first.record(&access(0));
    second.record(&access(1));
    first.flush().unwrap();
    assert_eq!(text(&path), lines(0..2));
}

#[test]
fn a_failure_to_open_does_not_stop_a_later_one() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::create_dir(&path).unwrap();
    bare().create(&path).unwrap_err();
    fs::remove_dir(&path).unwrap();
    bare().create(&path).unwrap();
}

/// Waits for what another thread sends, and fails the test if it never comes.
#[cfg(unix)]
fn received<T>(receiver: &std::sync::mpsc::Receiver<T>) -> T {
    receiver.recv_timeout(std::time::Duration::from_secs(30)).expect("the other thread hangs")
}

#[cfg(unix)]
#[test]
fn a_pipe_is_opened_once_so_that_its_reader_sees_no_end_before_the_events() {
    use std::sync::mpsc::channel;
    use std::thread;

    let dir = tempdir().unwrap();
    for round in 0..200 {
        let path = dir.path().join(format!("pipe{round}"));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (read, was_read) = channel();
        let (written, was_written) = channel();
        thread::spawn({
            let path = path.clone();
            move || read.send(fs::read_to_string(path).unwrap())
        });
        thread::spawn(move || {
            let exporter = bare().create(path).unwrap();
            exporter.record(&access(1));
            drop(exporter);
            written.send(())
        });
        assert_eq!(received(&was_read), line(1), "in round {round}");
        received(&was_written);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_reads_yet_does_not_hold_up_other_logs() {
    use std::sync::mpsc::channel;
    use std::thread;

    let dir = tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (opened, was_opened) = channel();
    thread::spawn({
        let pipe = pipe.clone();
        move || opened.send(bare().create(pipe).is_ok())
    });
    bare().create(dir.path().join("log.jsonl")).unwrap();
    assert!(was_opened.try_recv().is_err(), "a pipe opens when both ends are");
    fs::File::open(pipe).unwrap();
    assert!(received(&was_opened));
}
