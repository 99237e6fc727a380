//! The binary `metallic`. Everything it does is in the library, so that tests need no process.
#![forbid(unsafe_code)]

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;
use metallic_cli::args::Args;

/// Exit codes: 0, all went well; 1, something failed, and one line on stderr says what; 2, the arguments are wrong.
fn main() -> ExitCode {
    let args = Args::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let result = metallic_cli::run(args, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("metallic: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
