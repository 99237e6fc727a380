//! `metallic explain`.

use std::io::Write;

use crate::args::ExplainArgs;
use crate::error::Error;

/// Runs the command.
///
/// # Errors
/// The log cannot be read, or the output cannot be written.
pub fn run(_args: &ExplainArgs, _out: &mut dyn Write) -> Result<(), Error> {
    Err(Error::Nothing("not built yet".to_owned()))
}
