//! `metallic trace`: a log on a time line, for Perfetto or `chrome://tracing`.
//!
//! ```text
//! events --Timeline--> slices, instants, counters --lanes--> tracks --write--> JSON
//! ```
//!
//! The format is Chrome's trace events, as described in the document "Trace Event Format" by the authors of Catapult
//! (<https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>) and read by Perfetto
//! (<https://perfetto.dev/docs/getting-started/other-formats>): an object with `traceEvents`; `X` is a slice with `ts` and `dur` in
//! microseconds, `i` an instant, `C` a counter, `M` the name of a process or a thread. Slices of one thread must nest, so that
//! creations that overlap otherwise get threads of their own.

mod command;
mod counters;
mod lanes;
mod timeline;
mod write;

pub use command::run;
