//! Runs that end early, or lose their log: the results there are are not lost.

use std::fs;

use serde_json::Value;

use crate::checkpoints::fixture;
use crate::program::{metallic, text};

/// Runs with its log on standard error, and sends it this signal once `is_time` of a line. Returns the exit code, standard
/// output and the last line of standard error.
#[cfg(unix)]
fn interrupted_once(
    mut is_time: impl FnMut(&str) -> bool,
    args: &[&str],
    signal: &str,
) -> (Option<i32>, Vec<u8>, String) {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(["run", "--device", "host", "--events", "/dev/stderr"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    // A run that does not read it closes it.
    let _ = child.stdin.take().expect("a pipe").write_all(b"1,2\n3\n");
    let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !is_time(&line) {
        line.clear();
        assert!(log.read_line(&mut line).expect("it is text") > 0, "the log has ended");
    }
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("there is such a program").success());
    let mut rest = String::new();
    log.read_to_string(&mut rest).expect("it is text");
    let mut stdout = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut stdout).expect("it can be read");
    let code = child.wait().expect("it can be waited for").code();
    (code, stdout, rest.lines().last().unwrap_or_default().to_owned())
}

/// Runs on, and is sent this signal once some prompts were answered.
#[cfg(unix)]
fn interrupted(more: &[&str], signal: &str) -> (Option<i32>, Vec<u8>, String) {
    let model = fixture("gpt2-tiny");
    let run = ["--model", text(&model), "--ids", "-", "--repeat", "100000", "--tokens", "9"];
    let mut begun = 0;
    // Each prompt begins with an empty KV cache.
    let is_time = |line: &str| {
        begun += usize::from(line.contains("KvCacheTruncated"));
        begun == 4
    };
    interrupted_once(is_time, &[&run[..], more].concat(), signal)
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_in_its_rehearsal_ends_and_is_never_ready() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let ready = folder.path().join("ready");
    let args = ["--warm-model", "--arm", "refuse", "--ready-file", text(&ready), "--json"];
    let is_time = |line: &str| line.contains("WarmUpFinished");
    let (code, stdout, last) = interrupted_once(is_time, &args, "-INT");
    assert_eq!(code, Some(130), "{last}");
    assert_eq!(last, "metallic: interrupted in the warm-up");
    assert!(!ready.exists());
    let run: Value = serde_json::from_slice(&stdout).expect("the output is JSON");
    assert_eq!(
        (&run["prompts"], &run["error"]),
        (&Value::Array(Vec::new()), &"interrupted in the warm-up".into())
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_shows_what_it_has_and_ends_as_shells_say() {
    for (signal, code, more) in [("-INT", 130, &[][..]), ("-TERM", 143, &["--workers", "2"])] {
        let (ended, stdout, last) = interrupted(&[more, &["--json"]].concat(), signal);
        assert_eq!(ended, Some(code), "{last}");
        assert!(last.starts_with("metallic: interrupted in pass "), "{last}");
        assert!(last.ends_with(" of 100000: the results are those of what was done before"), "{last}");
        let run: Value = serde_json::from_slice(&stdout).expect("the output is JSON");
        assert_eq!(run["prompts"].as_array().map(Vec::len), Some(2));
        assert!(run["caches"].as_array().is_some_and(|caches| !caches.is_empty()));
        assert!(last.contains(run["error"].as_str().expect("it says why it ended")));
    }
    let (_, stdout, _) = interrupted(&[], "-INT");
    assert!(String::from_utf8_lossy(&stdout).contains("\ngemm "));
}

#[test]
fn a_run_that_loses_its_log_shows_its_results_and_says_how_much_is_lost() {
    if fs::metadata("/dev/full").is_err() {
        return;
    }
    let model = fixture("gpt2-tiny");
    let run = ["run", "--device", "host", "--model", text(&model), "--ids", "1,2", "--tokens", "3"];
    let output = metallic(&[&run[..], &["--verify", "--json", "--events", "/dev/full"]].concat(), "");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with("metallic: /dev/full: "), "{stderr}");
    assert!(stderr.ends_with(" events of the log are lost\n"), "{stderr}");
    let run: Value = serde_json::from_slice(&output.stdout).expect("the output is JSON");
    assert_eq!(run["prompts"][0]["generated_ids"].as_array().map(Vec::len), Some(3));
    assert!(run["verification"]["compared"].as_u64() > Some(0), "all was computed");
}
