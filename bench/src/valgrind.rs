//! Counts instructions: runs this program again under callgrind, once with one run more than the other time, and takes
//! the difference, so that what happens before and after does not count.

use std::env;
use std::io;
use std::process::{Child, Command, Stdio};

use crate::contender::Subject;

/// The argument that makes this program the one that is measured.
pub const CHILD: &str = "--measured";

/// Instructions of one operation of the subject `name`.
pub fn instructions(name: &str) -> io::Result<f64> {
    // Both at once: what other processes do has no influence on the count.
    let (one, two) = (spawn(name, 1)?, spawn(name, 2)?);
    let ((one, operations), (two, _)) = (collected(one)?, collected(two)?);
    Ok((two - one) / operations)
}

/// The measured program: runs the subject, and tells how many operations one run has.
pub fn measured(mut subject: Subject, runs: &str) {
    let runs: usize = runs.parse().expect("a number of runs");
    for run in 0..2 {
        subject.renew();
        if run < runs {
            subject.run();
        }
    }
    println!("{}", subject.operations);
    // What dropping it costs depends on the runs.
    std::mem::forget(subject);
}

fn spawn(name: &str, runs: usize) -> io::Result<Child> {
    Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([CHILD, name, &runs.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// The instructions of the whole program, and the operations of one run.
fn collected(child: Child) -> io::Result<(f64, f64)> {
    let output = child.wait_with_output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let figure = report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    let operations = String::from_utf8_lossy(&output.stdout).trim().parse();
    match (figure, operations) {
        (Some(figure), Ok(operations)) if output.status.success() => Ok((figure, operations)),
        _ => Err(io::Error::other(report)),
    }
}
