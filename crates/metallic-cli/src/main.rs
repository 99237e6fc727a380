//! The binary `metallic`. Everything it does is in the library, so that tests need no process.
#![forbid(unsafe_code)]

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anstream::AutoStream;
use clap::Parser;
use metallic_cli::Error;
use metallic_cli::args::{self, Args};

/// Exit codes: 0, all went well; 1, something failed, and one line on stderr says what; 2, the arguments are wrong; 3, a
/// `--check` does not hold, and stderr has a line for each, or a creation was refused, and the line says which; 128 and the
/// number of the signal that a run was interrupted by.
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            // Where it cannot be said, the exit code says it; `eprintln!` would panic.
            let print = |line| writeln!(io::stderr(), "metallic: {line}");
            let _ = error.lines().iter().try_for_each(print);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<(), Error> {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // The help or the version, which was asked for.
        Err(asked) if !asked.use_stderr() => return Ok(asked.print()?),
        Err(error) => return Err(args::wrong(&error)),
    };
    metallic_cli::quiet::restart(&args);
    metallic_cli::terminal::look_at_stdout();
    let mut out = BufWriter::new(AutoStream::auto(io::stdout().lock()));
    metallic_cli::run(args, &mut out)?;
    Ok(out.flush()?)
}
