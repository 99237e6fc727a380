//! `metallic manifest`: what a program is to create before it serves, as a set of keys.

mod command;
mod coverage;
mod phases;

pub use command::run;
pub use coverage::Uses;
pub(in crate::commands) use coverage::write as write_coverage;
