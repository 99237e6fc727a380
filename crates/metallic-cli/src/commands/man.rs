//! `metallic man`: manual pages, made from the definition of the command line.

use std::fs;
use std::io::Write;

use clap::CommandFactory;

use crate::args::{Args, ManArgs};
use crate::error::Error;

/// Writes the manual page of `metallic`, or those of all commands into a folder.
///
/// # Errors
/// The output or one of the files cannot be written.
pub fn run(args: &ManArgs, out: &mut dyn Write) -> Result<(), Error> {
    let command = Args::command();
    let Some(dir) = &args.dir else {
        return Ok(clap_mangen::Man::new(command).render(out)?);
    };
    let failed = |source| Error::file(dir.display().to_string(), source);
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)
}
