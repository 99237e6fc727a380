//! Help, completion scripts, manual pages.

use std::process::{Command, Stdio};

use crate::program::{metallic, path, stdout};

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
    let script = stdout(&metallic(&["completions", "bash"], b""));
    assert!(script.contains("auto host wgpu software"), "values of --device");
    assert!(script.contains("gemm=none gemm=size_limited_lru gemm=lru"), "values of --policy");
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
