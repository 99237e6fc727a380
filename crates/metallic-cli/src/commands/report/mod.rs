//! `metallic report`: what the caches did, and what it cost.
//!
//! ```text
//! events --Collector--> figures of each cache and key --conclude--> Report --> tables | JSON | page
//! ```
//!
//! One pass, in memory that does not grow with the log. [`Report`] is what `--json` prints.

pub mod buckets;
mod check;
mod collector;
mod command;
mod conclude;
pub mod durations;
mod figures;
pub mod html;
mod idle_rows;
pub mod keys;
mod member;
mod tables;
mod tally;
mod waits;

pub use check::{Check, Subject, TOTAL};
pub use collector::Collector;
pub use command::{collect, collect_with, run};
pub use figures::*;
pub use tables::write_tables;
