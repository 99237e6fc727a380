//! `metallic report`: what the caches did, and what it cost.
//!
//! ```text
//! events --Collector--> figures of each cache and key --conclude--> Report --> tables | JSON | page
//! ```
//!
//! One pass, in memory that does not grow with the log. [`Report`] is what `--json` prints.

pub mod buckets;
mod check;
mod clock;
mod collector;
mod command;
mod conclude;
pub mod durations;
mod figures;
pub mod html;
mod idle_rows;
pub mod keys;
mod kv;
mod level;
mod member;
mod policies;
mod processes;
mod reading;
mod tables;
mod tally;
mod violations;
mod waits;

pub use check::{Check, Subject, TOTAL};
pub use collector::Collector;
pub use command::run;
pub use figures::*;
pub use kv::{KvCacheFigures, KvMoment};
pub use level::Level;
pub(in crate::commands) use processes::write_processes;
pub use reading::{collect, conclude, read};
pub use tables::write_tables;
pub use violations::ViolationFigures;
