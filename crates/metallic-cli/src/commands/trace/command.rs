//! The command itself.

use std::io::Write;

use super::timeline::Timeline;
use super::write::write;
use crate::args::TraceArgs;
use crate::error::Error;
use crate::input::LogReader;

/// Runs the command. Takes memory for each creation, departure and step of the log, and for no look-up.
///
/// # Errors
/// The log cannot be read or has nothing with a time, or the output cannot be written.
pub fn run(args: &TraceArgs, out: &mut dyn Write) -> Result<(), Error> {
    let mut log = LogReader::open(&args.logs)?;
    let file = log.first_name().to_owned();
    let mut timeline = Timeline::default();
    while let Some(event) = log.next().transpose()? {
        timeline.take(&event);
    }
    log.refuse_foreign(&args.logs)?;
    if timeline.is_empty() {
        let cause = "no creation, removal or step with a time is in it";
        return Err(Error::NotFound(format!("{file}: {cause}")));
    }
    Ok(write(timeline, log.files(), out)?)
}
