//! `metallic replay`: what other policies and capacities would have done with the accesses of a log.
//!
//! ```text
//! LOG --formats--> recording (log) --> trace --simulation--> outcome of each policy and capacity --> advice, tables, JSON
//!                                            --belady------> the limit
//! ```

mod advice;
mod belady;
mod candidates;
mod command;
mod formats;
mod json;
mod plot;
mod recording;
mod results;
mod simulation;
mod summary;
mod sweep;
mod text;
mod trace;

pub use advice::{
    Advice, Alternative, LEAST_ACCESSES, LEAST_ACCESSES_PER_ENTRY, LEAST_GAIN_OF_A_SWITCH, LEAST_REUSES,
    LEAST_SAVING, LEAST_TIME_SHARE, MOST_LOST, Setting,
};
pub use belady::{Foresight, Optimum};
pub use candidates::Candidate;
pub use command::run;
pub use formats::{Input, load};
pub use recording::{Recorder, Recording};
pub use results::{CacheReplay, Needs, replay};
pub use simulation::{Divergence, Half, Outcome, as_recorded, under};
pub use summary::Summary;
pub use sweep::{Curve, Sweep};
pub use trace::{Access, Price, Step, StepKind, Trace};
