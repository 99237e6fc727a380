//! Many processes on one folder. Each child is this test binary again, running `child` with a task in its environment.

mod killing;
mod leasing;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TASK: &str = "METALLIC_STORE_TEST_TASK";
const FOLDER: &str = "METALLIC_STORE_TEST_FOLDER";

/// The work of a child process: nothing in an ordinary run of the tests.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let folder = std::env::var_os(FOLDER).expect("whoever sets the task sets the folder");
    let (name, argument) = task.split_once(':').expect("a task is a name and an argument");
    match name {
        "write" => killing::write_until_killed(Path::new(&folder), argument),
        "obtain" => leasing::obtain_all(Path::new(&folder), argument),
        "remote" => crate::remote::check_url(argument),
        "hold" => leasing::hold_until_killed(Path::new(&folder)),
        _ => panic!("no task `{task}`"),
    }
}

/// Starts a child. It is killed when the test ends, however it ends.
fn spawn(folder: &Path, task: &str) -> Process {
    spawn_with(folder, task, &[])
}

/// Starts a child with more in its environment.
pub(crate) fn spawn_with(folder: &Path, task: &str, environment: &[(&str, &str)]) -> Process {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "processes::child", "--nocapture"])
        .env(TASK, task)
        .env(FOLDER, folder)
        .envs(environment.iter().copied());
    Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

pub(crate) struct Process(Child);

impl Process {
    /// Waits for a line of the child's output that begins with `word`, and returns the rest of it.
    pub(crate) fn expect(&mut self, word: &str) -> String {
        let lines = BufReader::new(self.0.stdout.as_mut().unwrap()).lines();
        let found = lines.map_while(Result::ok).find_map(|line| Some(line.split_once(word)?.1.to_owned()));
        found.unwrap_or_else(|| panic!("the child ended without `{word}`"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
