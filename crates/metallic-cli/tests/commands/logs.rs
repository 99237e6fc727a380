//! The reading of a log, which all commands share, and how they write of it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use metallic_instrumentation::{Event, ResourceCacheAccess};

use crate::program::{access, lines, metallic, path, stdout};

#[test]
fn rotated_and_compressed_logs_are_read_in_order() {
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = dir.path().join("log.jsonl");
    let parts: Vec<String> = (0..3).map(|part| lines((0..5).map(|n| access(part * 5 + n, false)))).collect();
    fs::write(&log, &parts[2]).expect("the log can be written");
    fs::write(dir.path().join("log.jsonl.1"), &parts[1]).expect("the log can be written");
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let compressed = ruzstd::encoding::compress_to_vec(parts[0].as_bytes(), level);
    fs::write(dir.path().join("log.jsonl.2.zst"), compressed).expect("the log can be written");

    let text = stdout(&metallic(&["explain", path(&log), "Key{m:0}"], b""));
    assert!(text.contains("line 1 "), "{text}");
    let text = stdout(&metallic(&["explain", path(&log), "Key{m:14}"], b""));
    assert!(text.contains("line 15 "), "{text}");
    assert!(text.contains("m: 14 here, 0 there"), "{text}");
}

#[test]
fn foreign_lines_are_counted_and_named_and_never_fatal() {
    let log = format!("not json\n{}{{\"type\":\"New", lines([access(1, false), access(1, true)]));
    let text = stdout(&metallic(&["replay", "-", "--format", "jsonl"], log.as_bytes()));
    assert!(text.contains("-: 2 lines passed over; line 1: not an event"), "{text}");
}

#[test]
fn errors_are_one_line_with_file_line_and_cause() {
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    let trace = dir.path().join("t.lis");
    fs::write(&trace, "1 2 0 1\n1 2\n").expect("the trace can be written");
    let no_file = dir.path().join("none.jsonl");
    let cases = [
        (vec!["replay", path(&trace)], 1, "t.lis:2: not four numbers: start block, count, ignored"),
        (vec!["replay", path(&no_file)], 1, "none.jsonl: No such file"),
        (vec!["explain", path(&no_file), "k"], 1, "none.jsonl: No such file"),
        (vec!["replay", "-", "--format", "jsonl"], 1, "-: no accesses to replay"),
        (vec!["replay", "-", "--format", "keys", "--column", "2"], 2, "--column is for CSV files"),
    ];
    for (args, code, message) in cases {
        let output = metallic(&args, b"");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.starts_with("metallic: ") && stderr.contains(message), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(metallic(&["replay"], b"").status.code(), Some(2));
}

#[test]
fn text_of_a_log_cannot_steer_the_terminal() {
    let event = |cache: &str, hit: bool| {
        let key = format!("{cache}\\u001b[31m:key\\u0007");
        format!(r#"{{"type":"ResourceCacheAccess","data":{{"cache_key":"{key}","hit":{hit},"bytes":0}}}}"#)
            + "\n"
    };
    let log = event("gemm", false) + &event("gemm", true);
    for args in [
        &["report", "-"][..],
        &["replay", "-", "--format", "jsonl"],
        &["replay", "-", "--format", "jsonl", "--cache", "nope"],
        &["explain", "-", "gemm\u{1b}[31m:key\u{7}"],
        &["explain", "-", "gemm\u{1b}[31m:other"],
    ] {
        let output = metallic(args, log.as_bytes());
        let text = [output.stdout, output.stderr].concat();
        assert!(!text.is_empty() && !text.iter().any(|byte| matches!(byte, 0x1b | 0x07)), "{args:?}");
        assert!(String::from_utf8_lossy(&text).contains("\\u{1b}[31m"), "{args:?}");
    }
}

/// Accesses of a cache with a long name and long keys, of which the smaller ones come again and again.
fn wide_log() -> String {
    let name = "scaled_dot_product_attention_of_many_heads";
    let accesses = (0..3000_u64).map(|at| {
        let key = if at % 3 == 0 { at } else { at % 40 };
        let cache_key = format!("{name}:Key{{batch:{key},heads:16,keys:4096,width:128,is_causal:true}}");
        let hit = at % 3 != 0 && at >= 120;
        Event::at(
            1_700_000_000_000_000_000 + at * 1_000_000,
            ResourceCacheAccess { cache_key: cache_key.into(), hit, bytes: 0 },
        )
    });
    let opened = format!(
        r#"{{"type":"CacheOpened","data":{{"cache":"{name}","kind":"kernel","strategy":"hybrid","max_entries":40,"max_idle_ns":20000000000,"min_entries":3}},"timestamp":1700000000000000000}}"#
    );
    let accesses = accesses.map(|event| serde_json::to_string(&event).expect("events have a JSON form"));
    [opened].into_iter().chain(accesses).map(|line| line + "\n").collect()
}

#[test]
fn tables_fit_as_many_columns_as_there_are() {
    for columns in [60, 80, 120] {
        for command in [&["report", "-"][..], &["replay", "-"], &["explain", "-", "--like", "Key"]] {
            let mut child = Command::new(env!("CARGO_BIN_EXE_metallic"))
                .args(command)
                .env("COLUMNS", columns.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the binary was built");
            child.stdin.take().expect("a pipe").write_all(wide_log().as_bytes()).expect("it is read");
            let output = child.wait_with_output().expect("the process can be waited for");
            let text = String::from_utf8(output.stdout).expect("text");
            assert!(output.status.success() && text.contains("scaled_d"), "{text}");
            if command[0] == "report" {
                let policies = "\n  hybrid, at most 40, idle 20.0 s, at least 3:";
                assert!(text.contains(policies), "a policy is not cut: {text}");
            }
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{command:?} in {columns}: {line}");
            }
            assert!(!text.contains('\u{1b}'), "styles where there is no terminal");
        }
    }
}

#[test]
fn of_a_torn_compressed_log_what_can_be_read_is() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = wide_log();
    let zst = ruzstd::encoding::compress_to_vec(log.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let file = folder.path().join("log.jsonl.zst");
    fs::write(&file, &zst[..zst.len() - 100]).expect("it can be written");
    let output = metallic(&["report", path(&file)], b"");
    let (text, notes) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("Caches"), "{text}{notes}");
    assert!(notes.contains("damaged (zstd: ") && notes.lines().count() == 1, "{notes}");
}

#[test]
fn top_takes_the_log_that_the_variable_of_the_library_names() {
    let top = |variable: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_metallic"));
        let output = program.arg("top").env("METALLIC_METRICS_JSONL_PATH", variable).output();
        String::from_utf8(output.expect("the binary was built").stderr).expect("messages are text")
    };
    assert!(top("").contains("name the log, or set METALLIC_METRICS_JSONL_PATH"), "{}", top(""));
    assert!(top("/no/such/log.jsonl").starts_with("metallic: /no/such/log.jsonl: No such file"));
}

#[test]
fn what_is_not_a_log_is_refused_by_each_tool_and_prunes_no_manifest() {
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    let file = |name: &str, content: &str| {
        let file = dir.path().join(name);
        fs::write(&file, content).expect("the file can be written");
        file
    };
    let record = r#"{"cache":"gemm","schema":1,"key":1,"label":"gemm:Key{m:1}","cost_ns":1,"bytes":0,"count":1,"order":0}"#;
    let known = format!("{{\"metallic_manifest\":1}}\n{record}\n");
    let manifest = file("m.jsonl", &known);
    let (notes, empty) = (file("notes.txt", "notes\n"), file("empty.jsonl", ""));
    let log = file("log.jsonl", &lines([access(1, false), access(1, true)]));
    let [manifest_path, log] = [path(&manifest), path(&log)];
    for (file, cause) in [(&notes, "the log has no events, but 1 other line"), (&empty, "the log is empty")] {
        let file = path(file);
        for args in [
            &["report", file][..],
            &["explain", file, "gemm:Key{m:1}"],
            &["explain", file, "--list", "gemm"],
            &["trace", file],
            &["manifest", "coverage", manifest_path, file],
            &["manifest", "prune", manifest_path, "--unused", file],
        ] {
            let output = metallic(args, b"");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{args:?}: {stderr}");
            assert!(stderr.contains(&format!("{file}: {cause}")), "{args:?}: {stderr}");
            assert!(output.stdout.is_empty(), "{args:?}");
        }
    }
    // Nor does a log beside it make it one.
    let args = ["manifest", "prune", manifest_path, "--unused", log, path(&notes)];
    assert_eq!(metallic(&args, b"").status.code(), Some(1));
    assert_eq!(fs::read_to_string(&manifest).expect("it is still there"), known);
    let text = stdout(&metallic(&["manifest", "prune", manifest_path, "--unused", log], b""));
    assert!(text.ends_with("m.jsonl: 1 key\n"), "{text}");
}

#[test]
fn one_of_a_thing_is_told_in_the_singular() {
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = dir.path().join("log.jsonl");
    fs::write(&log, lines([access(1, false)])).expect("the log can be written");
    let text = stdout(&metallic(&["report", path(&log)], b""));
    assert!(text.starts_with("1 event in 1 line\n"), "{text}");
    let text = stdout(&metallic(&["diff", path(&log), path(&log)], b""));
    assert!(text.contains("log.jsonl: 1 event\n"), "{text}");
}
