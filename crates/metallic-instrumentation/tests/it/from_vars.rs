use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use metallic_instrumentation::{EnvLog, EventKind, EventSink, FromEnvError, from_vars};
use tempfile::tempdir;

use crate::samples::{access, line, lines, one_of_each};

fn sink_of(path: &Path, vars: &[(&str, &str)]) -> Result<Option<Arc<EnvLog>>, FromEnvError> {
    let mut all: HashMap<&str, OsString> = vars.iter().map(|&(name, value)| (name, value.into())).collect();
    all.insert("METALLIC_METRICS_JSONL_PATH", path.into());
    from_vars(|name| all.get(name).cloned())
}

/// The content of the log after these accesses, as long as it held one line with the number 99 before.
fn log_of(vars: &[(&str, &str)], accesses: u64) -> String {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, line(99)).unwrap();
    let sink = sink_of(&path, vars).unwrap().expect("a path asks for a log");
    (0..accesses).for_each(|number| sink.record(&access(number)));
    sink.flush().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let is_event = |line: &&str| !line.starts_with(r#"{"type":"LogOpened""#);
    text.split_inclusive('\n').filter(is_event).collect()
}

#[test]
fn without_a_path_there_is_no_log_whatever_else_is_set() {
    assert!(from_vars(|_| None).unwrap().is_none());
    assert!(from_vars(|_| Some(OsString::new())).unwrap().is_none());
    let bad = from_vars(|name| (name != "METALLIC_METRICS_JSONL_PATH").then(|| "bad".into()));
    assert!(bad.unwrap().is_none());
}

#[test]
fn a_path_alone_asks_for_a_new_log_of_everything() {
    assert_eq!(log_of(&[], 3), lines(0..3));
    assert_eq!(log_of(&[("METALLIC_METRICS_JSONL_APPEND", "")], 3), lines(0..3));
}

#[test]
fn append_keeps_what_the_file_holds() {
    for yes in ["1", "true"] {
        assert_eq!(log_of(&[("METALLIC_METRICS_JSONL_APPEND", yes)], 1), lines([99, 0]));
    }
    for no in ["0", "false"] {
        assert_eq!(log_of(&[("METALLIC_METRICS_JSONL_APPEND", no)], 1), lines([0]));
    }
}

#[test]
fn sample_logs_one_access_in_n() {
    assert_eq!(log_of(&[("METALLIC_METRICS_SAMPLE", "4")], 10), lines([0, 4, 8]));
}

#[test]
fn events_names_the_kinds_that_are_wanted() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let kinds = "CacheEviction, ResourceCreated";
    let sink = sink_of(&path, &[("METALLIC_METRICS_EVENTS", kinds)]).unwrap().unwrap();
    let wanted = EventKind::ALL.iter().copied().filter(|&kind| sink.enabled(kind));
    assert!(wanted.eq([EventKind::CacheEviction, EventKind::ResourceCreated]));
    one_of_each().iter().for_each(|event| sink.record(event));
    sink.flush().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
}

#[test]
fn max_bytes_and_keep_rotate_the_log() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    let max_bytes = line(0).len().to_string();
    let vars = [
        ("METALLIC_METRICS_JSONL_MAX_BYTES", &*max_bytes),
        ("METALLIC_METRICS_JSONL_KEEP", "1"),
        ("METALLIC_METRICS_EVENTS", "ResourceCacheAccess"),
    ];
    let sink = sink_of(&path, &vars).unwrap().unwrap();
    (0..3).for_each(|number| sink.record(&access(number)));
    sink.flush().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), line(2));
    assert_eq!(fs::read_to_string(dir.path().join("log.jsonl.1")).unwrap(), line(1));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_bad_value_is_named_with_what_is_accepted_and_the_log_is_left_alone() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log.jsonl");
    fs::write(&path, line(99)).unwrap();
    for (name, bad, accepted) in [
        ("METALLIC_METRICS_JSONL_APPEND", "yes", "0, 1, true or false"),
        ("METALLIC_METRICS_JSONL_OVERFLOW", "block", "wait or drop"),
        ("METALLIC_METRICS_JSONL_MAX_BYTES", "0", "a number of bytes above 0"),
        ("METALLIC_METRICS_JSONL_MAX_BYTES", "64MB", "a number of bytes above 0"),
        ("METALLIC_METRICS_JSONL_KEEP", "-1", "a number of files"),
        ("METALLIC_METRICS_SAMPLE", "0", "a number above 0"),
        (
            "METALLIC_METRICS_EVENTS",
            "CacheEviction,Nonsense",
            "a list, with commas, of ResourceCacheAccess, ",
        ),
    ] {
        let error = sink_of(&path, &[(name, bad)]).expect_err("a bad value is an error");
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("environment variable {name} is {bad:?}, expected {accepted}")),
            "{message}"
        );
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), line(99));
}

#[test]
fn a_log_that_cannot_be_opened_is_named_with_its_cause() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("missing").join("log.jsonl");
    let error = sink_of(&path, &[]).expect_err("the folder does not exist");
    assert_eq!(error.to_string(), format!("cannot write the event log {}", path.display()));
    let cause = error.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
}

#[test]
fn drop_and_wait_are_both_accepted() {
    for overflow in ["drop", "wait"] {
        assert_eq!(log_of(&[("METALLIC_METRICS_JSONL_OVERFLOW", overflow)], 2), lines(0..2));
    }
}
