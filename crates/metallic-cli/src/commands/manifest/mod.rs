//! `metallic manifest`: what a program is to create before it serves, as a set of keys.

mod command;
mod coverage;

pub use command::run;
pub use coverage::{CacheCoverage, Coverage, Uses};
