//! `metallic store doctor`: what makes a store useless without a word.
//!
//! A store fails no caller: whatever is wrong with it is a miss, and the program compiles. So this asks each level what a program
//! would ask it, and says what it would never have said.

mod command;
mod entries;
mod finding;
mod folder;
mod probe;
mod server;

pub use finding::{Examined, Finding, Verdict};
pub use folder::{examine_base, examine_folder, no_store};
pub use server::{Clues, examine_server};

pub(super) use command::run;
