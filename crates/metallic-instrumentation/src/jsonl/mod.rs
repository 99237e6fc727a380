//! The event log as JSON lines: written by [`JsonlExporter`], read by [`JsonlReader`].
//!
//! ```text
//! record --> labels, queue --(whole batches)--> writer thread --lines--> output --> file, rotated | any writer
//! ```
//!
//! Read `queue` first: it is the only place where threads meet.

mod exporter;
mod labels;
mod line;
mod log_file;
mod output;
mod queue;
mod reader;
mod skipped;
mod stats;
mod writer;

pub use exporter::{JsonlBuilder, JsonlExporter, Overflow};
pub use reader::JsonlReader;
pub use skipped::{SkipReason, Skipped, SkippedLine};
pub use stats::JsonlStats;
