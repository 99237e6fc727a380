//! Several processes over one folder. Each child is this test binary again, running `child` with a task in its environment.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kernels::{Code, Key, Kind, Machine, code};

const FOLDER: &str = "METALLIC_ARTIFACTS_TEST_FOLDER";
const WORD: &str = "compiled: ";

/// The work of a child process: nothing in an ordinary run of the tests.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let machine = Machine::with_compile_time("build", "550", Duration::from_millis(5));
    let registry = machine.registry(Path::new(&folder));
    for width in 0..10 {
        for kind in Kind::ALL {
            let key = Key::new(kind, width * 64);
            assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key));
        }
    }
    assert_eq!(machine.given().len(), 40);
    println!("{WORD}{}", machine.compilations());
}

/// Runs processes side by side, and returns how much each of them compiled.
fn run(folder: &Path, processes: usize) -> Vec<u64> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "processes::child", "--nocapture"]).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let children: Vec<_> = (0..processes).map(|_| command.spawn().unwrap()).collect();
    let compiled = children.into_iter().map(|child| {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let count = text.split_once(WORD).unwrap().1.lines().next().unwrap();
        count.parse().unwrap()
    });
    compiled.collect()
}

#[test]
fn a_second_process_compiles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), 1), [40]);
    assert_eq!(run(folder.path(), 1), [0]);
}

#[test]
fn eight_processes_that_start_together_compile_each_key_once() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = run(folder.path(), 8);
    assert_eq!(compiled.iter().sum::<u64>(), 40, "{compiled:?}");
}
