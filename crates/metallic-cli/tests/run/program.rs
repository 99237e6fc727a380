//! The binary as a process.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs the binary with this on its standard input.
pub(crate) fn metallic(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(args)
        // Without a display, Mesa's layer that orders Vulkan's devices says so on standard error.
        .env("NODEVICE_SELECT", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    // A command that does not read its input closes it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("the process can be waited for")
}

/// The output of a run that ended well and wrote nothing to standard error.
pub(crate) fn stdout(args: &[&str], input: &str) -> String {
    let output = metallic(args, input);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{args:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The JSON of a run that ended well.
pub(crate) fn json(args: &[&str], input: &str) -> Value {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&stdout(&args, input)).expect("the output is JSON")
}

/// Checks that a run ended with this code, and one line that has all of `parts` in it.
pub(crate) fn assert_fails(args: &[&str], input: &str, code: i32, parts: &[&str]) {
    let output = metallic(args, input);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
    assert!(stderr.starts_with("metallic: "), "{args:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{args:?}: `{part}` is not in: {stderr}");
    }
    assert!(output.stdout.is_empty(), "{args:?}");
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
