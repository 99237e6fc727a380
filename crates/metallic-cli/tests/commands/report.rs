//! `metallic report`: pages and checks.

use std::fs;
use std::path::Path;

use metallic_instrumentation::{CreationViolation, ViolationMode, ViolationVerdict};

use crate::program::{access, lines, metallic, path, stdout};

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
    fs::write(&page, "<!DOCTYPE html>an older page").expect("it can be written");
    let empty = folder.path().join("empty.jsonl");
    fs::write(&empty, "").expect("it can be written");
    for log in [&empty, &folder.path().join("no such log")] {
        for page in [&page, &new] {
            let output = metallic(&["report", path(log), "--html", path(page)], b"");
            assert_eq!(output.status.code(), Some(1));
        }
    }
    assert_eq!(fs::read_to_string(&page).expect("it is still there"), "<!DOCTYPE html>an older page");
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 3, "nothing is left behind");
    stdout(&metallic(&["report", path(&log), "--html", path(&page)], b""));
    assert!(!fs::read_to_string(&page).expect("it is there").contains("an older page"));
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
fn of_many_processes_the_latest_are_named() {
    let header = |number: u64| {
        let data = format!(
            r#"{{"program":"engine {number}","library":"0.1.0","process_id":{number},"opened_unix_ns":{number},"rotations":0}}"#
        );
        format!("{{\"type\":\"LogOpened\",\"data\":{data}}}\n")
    };
    let log: String = (1..=3000).map(|number| header(number) + &lines([access(1, false)])).collect();
    for command in [&["report", "-"][..], &["diff", "-"]] {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let other = short_log(folder.path());
        let args = if command[0] == "diff" { vec!["diff", "-", path(&other)] } else { command.to_vec() };
        let text = stdout(&metallic(&args, log.as_bytes()));
        assert!(text.contains("written by 3_000 processes; the latest:"), "{text}");
        assert!(text.contains("engine 3000 (") && !text.contains("engine 2992 ("), "{text}");
    }
}

#[test]
fn conditions_can_be_put_on_creations_in_armed_scopes_also_of_caches_without_any_other_event() {
    let violation = |cache: &'static str, mode| CreationViolation {
        cache: cache.into(),
        cache_key: format!("{cache}:1").into(),
        scope: "serving".into(),
        mode,
        verdict: ViolationVerdict::NoManifest,
        evicted_by: None,
        nearest_key: None,
        differing_fields: Vec::new(),
        caller: None,
        loaded: false,
        duration_ns: 1,
    };
    let log = lines([
        access(1, false),
        violation("kv", ViolationMode::Refuse).into(),
        violation("kv", ViolationMode::Warn).into(),
        violation("kv", ViolationMode::Count).into(),
    ]);
    let check = |conditions: &[&str]| {
        let conditions = conditions.iter().flat_map(|condition| ["--check", condition]);
        let output =
            metallic(&["report", "-"].into_iter().chain(conditions).collect::<Vec<_>>(), log.as_bytes());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let hold = ["kv.violations == 3", "kv.refused == 1", "total.warned == 1", "gemm.violations == 0"];
    assert_eq!(check(&hold), (Some(0), String::new()));
    let (code, stderr) = check(&["total.violations == 0", "kw.violations == 0"]);
    assert_eq!(code, Some(3));
    let [first, second] = &stderr.lines().collect::<Vec<_>>()[..] else { panic!("{stderr}") };
    assert!(first.ends_with("total.violations == 0: it is 3"), "{stderr}");
    assert!(second.ends_with("the log has no cache `kw`"), "{stderr}");
}
