//! The commands: a module each, with a function `run` that takes the parsed arguments and writes to any writer.

pub mod completions;
pub mod devices;
pub mod diff;
pub mod explain;
pub mod man;
pub mod manifest;
pub mod replay;
pub mod report;
pub mod run;
pub mod store;
pub mod top;
pub mod trace;
