//! Completion scripts and manual pages, made from the definition of the command line.

use std::fs;
use std::io::Write;

use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::error::Error;

/// Writes the completion script.
///
/// # Errors
/// The output cannot be written.
pub fn completions(args: &CompletionsArgs, out: &mut dyn Write) -> Result<(), Error> {
    // Into memory first: the generator panics when its writer fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "metallic", &mut script);
    Ok(out.write_all(&script)?)
}

/// Writes the manual page of `metallic`, or those of all commands into a folder.
///
/// # Errors
/// The output or one of the files cannot be written.
pub fn man(args: &ManArgs, out: &mut dyn Write) -> Result<(), Error> {
    let command = Args::command();
    let Some(dir) = &args.dir else {
        return Ok(clap_mangen::Man::new(command).render(out)?);
    };
    let failed = |source| Error::file(dir.display().to_string(), source);
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)
}
