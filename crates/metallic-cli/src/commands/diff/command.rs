//! The command itself.

use std::io::Write;

use super::compare::{Threshold, compare};
use super::side::Side;
use super::text;
use crate::args::DiffArgs;
use crate::commands::report::Check;
use crate::error::Error;
use crate::json;

/// Runs the command.
///
/// # Errors
/// One of the two cannot be read, is neither a log nor a report, or holds no event; the output cannot be written; or a condition
/// does not hold.
pub fn run(args: &DiffArgs, out: &mut dyn Write) -> Result<(), Error> {
    if [&args.before, &args.after].iter().all(|path| path.as_os_str() == "-") {
        return Err(Error::Usage("standard input can be read only once".to_owned()));
    }
    let before = Side::read(&args.before, args.keys)?;
    let after = Side::read(&args.after, args.keys)?;
    let threshold = Threshold { ratio: args.ratio, least_ns: args.least * 1e9 };
    let diff = compare(&before, &after, threshold);
    if args.json {
        json::write(json::DIFF, &diff, out)?;
    } else {
        text::write(&diff, threshold, out)?;
    }
    Check::all(&args.checks, &diff)
}
