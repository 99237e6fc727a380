//! The binary as a process: exit codes, streams, files.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use metallic_instrumentation::{
    CachePolicyChanged, Event, EventData, EventsDropped, ResourceCacheAccess, ResourceCacheSummary,
};

fn metallic(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // A command that does not read its input closes it.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the process can be waited for")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// 1,200 accesses of 30 keys in a loop: every key is looked up again after 29 others.
fn loop_trace() -> String {
    (0..1200).map(|number| format!("key {}\n", number % 30)).collect()
}

fn lines(events: impl IntoIterator<Item = EventData>) -> String {
    let line = |data| serde_json::to_string(&Event::new(data)).expect("events have a JSON form") + "\n";
    events.into_iter().map(line).collect()
}

fn access(key: u32, hit: bool) -> EventData {
    ResourceCacheAccess { cache_key: format!("gemm:Key{{m:{key}}}").into(), hit, bytes: 0 }.into()
}

#[test]
fn a_trace_on_standard_input_is_replayed_and_ends_in_code_to_paste() {
    let output = metallic(&["replay", "--format", "keys", "-"], loop_trace().as_bytes());
    let text = stdout(&output);
    assert!(text.contains("EvictionPolicy::size_limited_lru(33)"), "{text}");
    assert!(text.contains("compulsory: 30 misses"), "{text}");
}

#[test]
fn the_json_has_the_figures_of_the_text() {
    let output = metallic(&["replay", "--json", "--capacities", "29,30", "-"], loop_trace().as_bytes());
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("the output is JSON");
    let cache = &json["caches"][0];
    assert_eq!(json["format"], "keys");
    assert_eq!(cache["accesses"], 1200);
    assert_eq!(cache["compulsory"]["misses"], 30);
    assert_eq!(cache["curves"][0]["strategy"], "size_limited_lru");
    // A loop longer than the cache is the worst there is for LRU, and none for a loop that fits.
    assert_eq!(cache["curves"][0]["outcomes"][0]["misses"], 1200);
    assert_eq!(cache["curves"][0]["outcomes"][1]["misses"], 30);
    assert_eq!((&cache["advice"]["knee"], &cache["advice"]["capacity"]), (&30.into(), &33.into()));
    assert!(cache["recorded"].is_null());
}

#[test]
fn a_short_trace_gets_no_advice_and_hears_why() {
    let keys: String = (0..20).map(|number| format!("{number}\n")).collect();
    let text = stdout(&metallic(&["replay", "--format", "keys", "-"], keys.as_bytes()));
    assert!(text.contains("20 accesses are fewer than 1000"), "{text}");
    assert!(text.contains("0 accesses, fewer than 100, are to a key that was there before"), "{text}");
}

#[test]
fn a_short_log_in_which_nothing_was_evicted_is_told_to_leave_it_as_it_is() {
    let log = lines((0..20).map(|number| access(number, false)));
    let text = stdout(&metallic(&["replay", "-"], log.as_bytes()));
    assert!(text.contains("leave it as it is: nothing was evicted"), "{text}");
}

#[test]
fn a_sampled_log_and_one_with_gaps_get_no_advice() {
    let summary = |operations: u64| {
        let (cache, misses) = ("gemm".into(), operations);
        ResourceCacheSummary { cache, hits: 0, misses, hit_rate: 0.0, size: 30 }.into()
    };
    // One access in ten is there, and every summary.
    let sampled = (0..3000).flat_map(|number| {
        let summary = (number % 10 == 9).then(|| summary((u64::from(number) + 1) * 10));
        [Some(access(number % 30, number >= 30)), summary].into_iter().flatten()
    });
    let text = stdout(&metallic(&["replay", "-"], lines(sampled).as_bytes()));
    assert!(text.contains("the accesses are sampled, or were dropped"), "{text}");

    let gap = (0..3000).map(|number| access(number % 30, number >= 30));
    let gap = gap.chain([EventsDropped { count: 500 }.into()]);
    let text = stdout(&metallic(&["replay", "-"], lines(gap).as_bytes()));
    assert!(text.contains("exporter dropped 500 events"), "{text}");
    assert!(
        text.contains("500 accesses or more are missing from the log: the exporter dropped events"),
        "{text}"
    );
}

#[test]
fn a_log_that_contradicts_its_policy_gets_no_advice() {
    // Two registries with a cache of one name, each of which misses each key once.
    let policy = CachePolicyChanged {
        cache: "gemm".into(),
        strategy: "size_limited_lru".into(),
        max_entries: Some(100),
        max_idle_ns: None,
        max_idle_generations: None,
        min_entries: 0,
    };
    let accesses = (0..3000).map(|number| access(number % 300, number < 600));
    let log = lines([policy.into()].into_iter().chain(accesses));
    let text = stdout(&metallic(&["replay", "-"], log.as_bytes()));
    assert!(
        text.contains("have another result in a replay than in the log, the first of them number 1"),
        "{text}"
    );
}

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
fn the_help_of_each_command_has_an_example() {
    let commands: [&[&str]; 9] = [
        &[],
        &["report"],
        &["diff"],
        &["trace"],
        &["replay"],
        &["explain"],
        &["top"],
        &["completions"],
        &["man"],
    ];
    for command in commands {
        let args: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let text = stdout(&metallic(&args, b""));
        assert!(text.contains("Examples:\n"), "{command:?}: {text}");
        assert!(text.contains(&["metallic"].iter().chain(command).copied().collect::<Vec<_>>().join(" ")));
    }
}

#[test]
fn the_help_names_the_schema_of_the_json() {
    for command in ["replay", "explain", "report", "diff", "run", "devices"] {
        let text = stdout(&metallic(&[command, "--help"], b""));
        assert!(text.contains(&format!("docs/schemas/{command}.schema.json")), "{text}");
    }
}

#[test]
fn there_are_completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&metallic(&["completions", shell], b"")).contains("metallic"), "{shell}");
    }
    assert!(stdout(&metallic(&["man"], b"")).contains(".TH metallic 1"));
    let dir = tempfile::tempdir().expect("there is a folder for temporary files");
    stdout(&metallic(&["man", "--dir", path(dir.path())], b""));
    for page in ["metallic.1", "metallic-replay.1", "metallic-explain.1"] {
        assert!(dir.path().join(page).is_file(), "{page}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the process can be waited for");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
}

/// A log of one access.
fn short_log(folder: &Path) -> std::path::PathBuf {
    let log = folder.join("log.jsonl");
    let event =
        r#"{"type":"ResourceCacheAccess","data":{"cache_key":"gemm:k","hit":false,"bytes":0},"timestamp":1}"#;
    fs::write(&log, format!("{event}\n")).expect("it can be written");
    log
}

#[test]
fn a_page_never_replaces_the_log_that_it_is_made_of() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = short_log(folder.path());
    let older = folder.path().join("log.jsonl.1");
    fs::copy(&log, &older).expect("it can be written");
    for read in [&log, &older] {
        let before = fs::read(read).expect("it can be read");
        let output = metallic(&["report", path(&log), "--html", path(read)], b"");
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("the page would overwrite") && stderr.lines().count() == 1, "{stderr}");
        assert_eq!(fs::read(read).expect("it is still there"), before);
    }
}

#[test]
fn a_page_takes_the_place_of_another_only_when_it_is_complete() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let (log, page, new) =
        (short_log(folder.path()), folder.path().join("page.html"), folder.path().join("new.html"));
    fs::write(&page, "an older page").expect("it can be written");
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "").expect("it can be written");
    for log in [&empty, &folder.path().join("no such log")] {
        for page in [&page, &new] {
            let output = metallic(&["report", path(log), "--html", path(page)], b"");
            assert_eq!(output.status.code(), Some(1));
        }
    }
    assert_eq!(fs::read_to_string(&page).expect("it is still there"), "an older page");
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 3, "nothing is left behind");
    stdout(&metallic(&["report", path(&log), "--html", path(&page)], b""));
    assert!(fs::read_to_string(&page).expect("it is there").starts_with("<!DOCTYPE html>"));
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 3, "nothing is left behind");
}

#[test]
fn a_page_can_go_to_standard_output() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let log = short_log(folder.path());
    assert!(stdout(&metallic(&["report", path(&log), "--html", "-"], b"")).starts_with("<!DOCTYPE html>"));
    let output = metallic(&["report", path(&log), "--json", "--html", "-"], b"");
    assert_eq!(output.status.code(), Some(2));
    #[cfg(unix)]
    assert!(
        stdout(&metallic(&["report", path(&log), "--html", "/dev/stdout"], b""))
            .starts_with("<!DOCTYPE html>")
    );
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

#[test]
fn more_points_than_a_plot_can_show_are_refused() {
    let output =
        metallic(&["replay", "-", "--format", "keys", "--points", "100000000"], loop_trace().as_bytes());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--points 100000000: there are at most 1000"));
}

#[test]
fn checks_that_do_not_hold_have_a_line_each_and_an_exit_code_of_their_own() {
    let log = lines((0..10).map(|number| access(number, number >= 4)));
    let check = |conditions: &[&str]| {
        let args: Vec<&str> = conditions.iter().flat_map(|condition| ["--check", *condition]).collect();
        let output = metallic(&[&["report", "-"], &args[..]].concat(), log.as_bytes());
        (output.status.code(), String::from_utf8(output.stderr).expect("messages are text"))
    };
    assert_eq!(
        check(&["gemm.misses == 4", "total.hit_rate>=0.6", "gemm.rebuilt<1"]),
        (Some(0), String::new())
    );
    let (code, text) = check(&["gemm.misses <= 3", "gemm.hits == 6", "gem.hits > 0"]);
    assert_eq!(code, Some(3));
    let broken: Vec<&str> = text.lines().collect();
    assert_eq!(
        broken,
        [
            "metallic: check gemm.misses <= 3: it is 4",
            "metallic: check gem.hits > 0: the log has no cache `gem`"
        ]
    );
    for (condition, cause) in [
        ("gemm.misses", "not of the form"),
        ("gemm.miss == 1", "`miss` is not a figure; there are: hits, misses"),
        ("gemm.misses == few", "`few` is not a number"),
    ] {
        let (code, text) = check(&[condition]);
        assert!(code == Some(2) && text.contains(cause), "{text}");
    }
}

#[test]
fn keys_are_listed_searched_and_grouped() {
    let key = |m: u32, n: u32, hit| -> EventData {
        ResourceCacheAccess { cache_key: format!("gemm:Key{{m:{m},n:{n}}}").into(), hit, bytes: 0 }.into()
    };
    let other = ResourceCacheAccess { cache_key: "add:Key{m:Bucket(9)}".into(), hit: false, bytes: 0 };
    let accesses = [key(1, 1, false), key(1, 2, false), key(1, 1, true), key(2, 1, false), other.into()];
    let log = lines(accesses);
    let explain = |args: &[&str]| metallic(&[&["explain", "-"], args].concat(), log.as_bytes());
    let rows = |args: &[&str]| {
        let output = explain(&[args, &["--json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("the output is JSON");
        let rows = json["keys"].as_array().expect("it has keys").clone();
        let text = |row: &serde_json::Value| {
            format!("{} {} {}", row["key"].as_str().unwrap_or(""), row["keys"], row["misses"])
        };
        rows.iter().map(text).collect::<Vec<_>>()
    };
    assert_eq!(rows(&["--list", "gemm", "--group-by", "m"]), ["m:1 2 2", "m:2 1 1"]);
    assert_eq!(rows(&["--like", "n: 2"]), ["gemm:Key{m:1,n:2} 1 1"]);
    assert_eq!(rows(&["--list", "gemm"]).len(), 3);
    assert!(stdout(&explain(&["--group-by", "m"])).contains("add m:Bucket 9"));
    let nothing = explain(&["--list", "gem"]);
    assert_eq!(nothing.status.code(), Some(1));
}

#[test]
fn a_key_that_is_not_in_the_log_is_an_error_and_no_stranger_is_called_near() {
    let log = lines((0..4).map(|number| access(number, false)));
    let json = |key: &str| {
        let output = metallic(&["explain", "-", key, "--json"], log.as_bytes());
        assert_eq!(output.status.code(), Some(1), "{key}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("the output is JSON");
        (json["cache"].clone(), json["containing"].clone())
    };
    assert_eq!(json("tensor:55"), (serde_json::Value::Null, 0.into()));
    assert_eq!(json("m:3"), (serde_json::Value::Null, 1.into()));
    assert_eq!(json("gemm:Key{m:7}"), ("gemm".into(), 0.into()));
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
    accesses.map(|event| serde_json::to_string(&event).expect("events have a JSON form") + "\n").collect()
}

#[test]
fn tables_fit_as_many_columns_as_there_are() {
    for columns in [80, 120] {
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
            assert!(output.status.success() && text.contains("scaled_dot_"), "{text}");
            let is_sentence = |line: &&str| line.starts_with("    - ") || line.contains(": the log has ");
            for line in text.lines().filter(|line| !is_sentence(line)) {
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
