//! The program `metallic` as functions that take parsed arguments and write to any writer: it runs a transformer out of the
//! caches, and has the tools for the event log that it and other programs write.
//!
//! ```text
//! model, prompts, device --metallic-transformer--> run --> out, and a log
//! LOG... --input--> events, with file and line --> report | diff | replay | explain | trace | top --> out
//! ```
//!
//! [`commands`] has a module for each command, with a function `run`. [`devices`] chooses what a model runs on, from the backends
//! that the program was built with. [`input`] opens logs for all commands that read one.
#![forbid(unsafe_code)]

use std::io::Write;

pub mod args;
pub mod commands;
pub mod devices;
pub mod error;
pub mod input;
pub mod json;
pub mod label;
mod overwrite;
mod paragraph;
pub mod progress;
pub mod quiet;
mod signals;
mod store;
pub mod table;
pub mod terminal;
mod units;

use args::{Args, Command, RunArgs};
use commands::{completions, diff, explain, man, manifest, replay, report, run, top, trace};
pub use error::Error;

/// Runs the command, which writes its results to `out`.
///
/// # Errors
/// The cause that stopped it: see [`Error`].
pub fn run(args: Args, out: &mut dyn Write) -> Result<(), Error> {
    match args.command.unwrap_or_else(|| Command::Run(RunArgs::default())) {
        Command::Run(args) => run::run(&args, out),
        Command::Devices(args) => commands::devices::run(&args, out),
        Command::Report(args) => report::run(&args, out),
        Command::Diff(args) => diff::run(&args, out),
        Command::Replay(args) => replay::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Trace(args) => trace::run(&args, out),
        Command::Top(args) => top::run(&args, out),
        Command::Store(args) => commands::store::run(&args.command, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Manifest(args) => manifest::run(&args, out),
        Command::Man(args) => man::run(&args, out),
    }
}
