//! The event log as JSON lines: written by [`JsonlExporter`], read by [`JsonlReader`].
//!
//! ```text
//! record --> labels, queue --(whole batches)--> writer thread --lines--> output --> file, rotated | any writer
//! ```
//!
//! Read `queue` first: threads meet only there, and in `open_logs` when an exporter starts or ends.

mod beginning;
mod exporter;
mod header;
mod labels;
mod line;
mod log_file;
mod open_logs;
mod output;
mod overflow;
mod queue;
mod reader;
mod running;
mod skipped;
mod stats;
mod writer;

pub(crate) use beginning::NotALog;
pub use beginning::is_log;
pub use exporter::{JsonlBuilder, JsonlExporter};
pub(crate) use log_file::ForeignFile;
pub use overflow::Overflow;
pub use reader::JsonlReader;
pub use skipped::{SkipReason, Skipped, SkippedLine};
pub use stats::JsonlStats;
