//! `metallic completions`: a completion script, made from the definition of the command line.

use std::io::Write;

use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};
use crate::error::Error;

/// Writes the completion script.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &CompletionsArgs, out: &mut dyn Write) -> Result<(), Error> {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "metallic", &mut script);
    Ok(out.write_all(&script)?)
}
