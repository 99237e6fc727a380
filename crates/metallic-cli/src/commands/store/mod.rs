//! `metallic store`: the artifacts that are kept for the next run.
//!
//! ```text
//! flags, environment --folder--> a store of one folder --listing--> ls | show | why | verify | export
//!                                                     `-----------> prune | import | clear, which say what they changed
//! flags, environment --crate::store--> all levels --doctor--> findings
//! ```

mod clear;
mod command;
pub mod doctor;
mod export;
mod folder;
mod import;
mod listing;
mod ls;
mod prune;
mod removal;
mod show;
mod verify;
mod why;

pub use command::run;
