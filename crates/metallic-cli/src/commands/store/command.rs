use std::io::Write;

use super::{clear, doctor, export, import, ls, prune, show, verify, why};
use crate::args::StoreCommand;
use crate::error::Error;

/// Runs the command.
///
/// # Errors
/// There is no store, the output cannot be written, or what the command is for failed.
pub fn run(command: &StoreCommand, out: &mut dyn Write) -> Result<(), Error> {
    match command {
        StoreCommand::Ls(args) => ls::run(args, out),
        StoreCommand::Show(args) => show::run(args, out),
        StoreCommand::Why(args) => why::run(args, out),
        StoreCommand::Verify(args) => verify::run(args, out),
        StoreCommand::Prune(args) => prune::run(args, out),
        StoreCommand::Export(args) => export::run(args, out),
        StoreCommand::Import(args) => import::run(args, out),
        StoreCommand::Clear(args) => clear::run(args, out),
        StoreCommand::Doctor(args) => doctor::run(args, out),
    }
}
