//! The binary as a process, and what it is fed with.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use metallic_instrumentation::{Event, EventData, ResourceCacheAccess};

pub(crate) fn metallic(args: &[&str], input: &[u8]) -> Output {
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

pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

/// 1,200 accesses of 30 keys in a loop: every key is looked up again after 29 others.
pub(crate) fn loop_trace() -> String {
    (0..1200).map(|number| format!("key {}\n", number % 30)).collect()
}

pub(crate) fn lines(events: impl IntoIterator<Item = EventData>) -> String {
    let line = |data| serde_json::to_string(&Event::new(data)).expect("events have a JSON form") + "\n";
    events.into_iter().map(line).collect()
}

pub(crate) fn access(key: u32, hit: bool) -> EventData {
    ResourceCacheAccess { cache_key: format!("gemm:Key{{m:{key}}}").into(), hit, bytes: 0 }.into()
}
