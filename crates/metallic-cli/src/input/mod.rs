//! Opens the LOG arguments of every command: files, what rotation left beside them, `.zst`, `.gz`, standard input.
//!
//! [`LogReader`] is what most commands want: the events of all logs, in order, and at the end what was passed over.

mod log_reader;
mod registries;
mod salvaged;
mod source;
mod zst;

pub use log_reader::{LogReader, SkippedIn};
pub use registries::{ProcessFigures, Registries, RegistryId};
pub use source::{Source, sources};
