//! Which processes wrote a log.

use std::io::{self, Write};

use crate::input::ProcessFigures;
use crate::paragraph::write_wrapped;
use crate::units::{count, printable};

/// Processes that are named; a log of a program that is started again and again has any number of them.
const NAMED: usize = 8;

/// Writes the latest processes of a log, a paragraph each behind `indent`, and how many others there are.
///
/// # Errors
/// The writer's.
pub(in crate::commands) fn write_processes(
    out: &mut dyn Write,
    indent: &str,
    processes: &[ProcessFigures],
) -> io::Result<()> {
    let others = processes.len().saturating_sub(NAMED);
    if others > 0 {
        let text = format!("written by {} processes; the latest:", count(processes.len() as u64));
        write_wrapped(out, indent, &text)?;
    }
    for process in &processes[others..] {
        let head = format!("{indent}{}", if others > 0 { "  " } else { "written by " });
        write_wrapped(out, &head, &printable(&process.to_string(), 200))?;
    }
    Ok(())
}
