//! Files that the log of the environment may take the place of, and others.

use std::collections::HashMap;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use metallic_instrumentation::{EnvLog, EventSink, FromEnvError, JsonlExporter, from_vars, is_log};
use tempfile::tempdir;

use crate::samples::{access, line};

const HEADER: &str = r#"{"type":"LogOpened","data":{"version":1,"#;

/// How the file is opened: emptied, or appended to.
const WAYS: [&str; 2] = ["0", "1"];

fn opened(path: &Path, append: &str) -> Result<Arc<EnvLog>, FromEnvError> {
    opened_with(path, &[("METALLIC_METRICS_JSONL_APPEND", append)])
}

fn opened_with(path: &Path, vars: &[(&str, &str)]) -> Result<Arc<EnvLog>, FromEnvError> {
    let mut all: HashMap<&str, OsString> = vars.iter().map(|&(name, value)| (name, value.into())).collect();
    all.insert("METALLIC_METRICS_JSONL_PATH", path.into());
    from_vars(|name| all.get(name).cloned()).map(|log| log.expect("a path asks for a log"))
}

#[test]
fn a_file_of_another_kind_is_refused_and_left_as_it_is() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let event = line(0);
    let late = format!("notes\n{event}");
    let contents: &[&[u8]] = &[
        b"notes\n",
        b"notes",
        b"\n\nnotes\n",
        b"\x1f\x8b\x08\0\0\0\0\0",
        b"\x28\xb5\x2f\xfd\x24",
        b"\0\xff",
        b"{\n  \"name\": \"a package\"\n}\n",
        b"{\"name\":\"a package\"}\n",
        b"{\"type\":\"module\"}\n",
        b"{\"type\":\"Reso\",\"data\":{}}\n",
        b"{\"type\":\"LogOpenedBy\",\"data\":{}}\n",
        b"[{\"type\":\"LogOpened\"}]\n",
        &[b'{'; 1 << 21],
        late.as_bytes(),
    ];
    for content in contents {
        fs::write(&path, content).unwrap();
        let shown = String::from_utf8_lossy(&content[..content.len().min(40)]);
        assert!(!is_log(&path).unwrap(), "{shown:?}");
        for append in WAYS {
            let error = opened(&path, append).expect_err("it is not a log");
            assert!(matches!(&error, FromEnvError::NotALog { path: named } if *named == path), "{error:?}");
            let message = error.to_string();
            let cause = format!("METALLIC_METRICS_JSONL_PATH is {path:?}, which is there and not a log");
            assert!(message.contains(&cause) && message.lines().count() == 1, "{message}");
            assert!(error.source().is_none());
            assert!(fs::read(&path).unwrap() == *content, "{shown:?}");
        }
    }
}

#[test]
fn a_log_is_accepted_also_if_it_was_cut_in_its_first_line() {
    let dir = tempdir().unwrap();
    let event = line(0);
    // From nothing at all to all but the end of the line.
    let cut = (0..event.len()).map(|end| event[..end].to_owned());
    let others = [
        event.clone(),
        format!("{HEADER}\"program\":\"one of a newer vers"),
        format!("\u{feff}{event}"),
        format!("\n\r\n{event}"),
        "\n".to_owned(),
        // What is cut keeps its line, and the next exporter goes on in another.
        format!("{{\"ty\n{event}"),
        format!("{HEADER}\n{event}"),
        // As another program may have written it.
        r#" { "data": {"count": 3}, "type": "EventsDropped" }"#.to_owned() + "\n",
    ];
    for (number, content) in cut.chain(others).enumerate() {
        for append in WAYS {
            // A process empties a file once only.
            let path = dir.path().join(format!("{number}-{append}.jsonl"));
            fs::write(&path, &content).unwrap();
            assert!(is_log(&path).unwrap(), "{content:?}");
            let log = opened(&path, append).unwrap_or_else(|error| panic!("{content:?}: {error}"));
            log.record(&access(7));
            log.flush().unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let kept = if append == "1" { &*content } else { "" };
            let added = text.strip_prefix(kept).unwrap_or_else(|| panic!("{content:?} is gone: {text}"));
            assert!(added.trim_start().starts_with(r#"{"type":"LogOpened""#), "{text}");
            assert!(added.ends_with(&line(7)) && added.trim_start().lines().count() == 2, "{text}");
            // Its own log, when the next process asks for it.
            drop(log);
            opened(&path, append).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        }
    }
}

#[test]
fn every_file_of_a_rotated_log_is_a_log_whatever_it_begins_with() {
    for events in ["", "ResourceCacheAccess"] {
        let dir = tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        let vars = [
            ("METALLIC_METRICS_JSONL_APPEND", "1"),
            ("METALLIC_METRICS_JSONL_MAX_BYTES", "400"),
            ("METALLIC_METRICS_EVENTS", events),
        ];
        for _ in 0..2 {
            let log = opened_with(&path, &vars).unwrap();
            (0..20).for_each(|number| log.record(&access(number)));
            log.flush().unwrap();
        }
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 4);
        for file in files {
            assert!(is_log(&file).unwrap(), "{}", file.display());
            opened(&file, "1").unwrap();
        }
    }
}

#[test]
fn a_log_that_would_be_rotated_onto_a_file_of_another_kind_is_refused_and_nothing_is_emptied() {
    let dir = tempdir().unwrap();
    let (path, older) = (dir.path().join("log.jsonl"), dir.path().join("log.jsonl.1"));
    fs::write(&path, line(0)).unwrap();
    fs::write(&older, "notes\n").unwrap();
    for append in WAYS {
        let rotated =
            [("METALLIC_METRICS_JSONL_MAX_BYTES", "400"), ("METALLIC_METRICS_JSONL_APPEND", append)];
        let error = opened_with(&path, &rotated).expect_err("it would be overwritten");
        assert!(matches!(&error, FromEnvError::RotatedNotALog { path } if *path == older), "{error:?}");
        assert!(error.to_string().starts_with(&format!("{older:?} is there and not a log: ")), "{error}");
        assert_eq!(fs::read_to_string(&older).unwrap(), "notes\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), line(0));
        // Where none is kept, nothing is in the way.
        drop(
            opened_with(
                &path,
                &[rotated[0], ("METALLIC_METRICS_JSONL_KEEP", "0"), ("METALLIC_METRICS_JSONL_APPEND", "1")],
            )
            .unwrap(),
        );
        fs::write(&path, line(0)).unwrap();
    }
    // Nor where nothing is rotated.
    opened(&path, "0").unwrap();
}

#[test]
fn what_is_not_there_yet_is_accepted_and_an_exporter_of_ones_own_takes_any_file() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("new.jsonl");
    assert!(is_log(&path).unwrap());
    opened(&path, "0").unwrap();
    let notes = dir.path().join("notes.txt");
    fs::write(&notes, "notes\n").unwrap();
    let exporter = JsonlExporter::append(&notes).unwrap();
    // It is being written by this process: nothing is emptied, and nothing is left to protect.
    opened(&notes, "0").unwrap().record(&access(1));
    drop(exporter);
    assert!(fs::read_to_string(&notes).unwrap().starts_with("notes\n"));
}

#[cfg(unix)]
#[test]
fn a_link_is_the_file_that_it_leads_to() {
    let dir = tempdir().unwrap();
    let (notes, link) = (dir.path().join("notes.txt"), dir.path().join("link"));
    std::os::unix::fs::symlink(&notes, &link).unwrap();
    assert!(is_log(&link).unwrap(), "what it leads to is not there");
    fs::write(&notes, "notes\n").unwrap();
    for append in WAYS {
        assert!(matches!(opened(&link, append), Err(FromEnvError::NotALog { .. })));
    }
    assert_eq!(fs::read_to_string(&notes).unwrap(), "notes\n");
}

#[cfg(unix)]
#[test]
fn a_pipe_and_a_device_are_accepted_and_not_read() {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    let dir = tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for append in WAYS {
        opened("/dev/null".as_ref(), append).unwrap();
        // It has content without end, and no line of a log.
        assert!(is_log("/dev/zero").unwrap());
        let (read, was_read) = channel();
        thread::spawn({
            let pipe = pipe.clone();
            move || read.send(fs::read_to_string(pipe).unwrap())
        });
        let log = opened(&pipe, append).unwrap();
        log.record(&access(1));
        drop(log);
        let text = was_read.recv_timeout(Duration::from_secs(30)).expect("the reader hangs");
        assert!(text.ends_with(&line(1)), "{text}");
    }
}
