//! `metallic diff`: what changed from one log, or saved report, to another.
//!
//! ```text
//! log | report --Side--> figures of each cache and key --compare--> Diff --> text | JSON
//! ```
//!
//! Counts are compared exactly. Times are compared where they are more than noise: see [`Threshold`].

mod check;
mod command;
mod compare;
mod figures;
mod side;
mod text;

pub use command::run;
pub use compare::Threshold;
pub use figures::*;
