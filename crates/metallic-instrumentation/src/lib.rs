//! Events of the metallic caches, the sinks that take them, and exporters that write them out.
#![forbid(unsafe_code)]

mod event;
mod sink;

pub use event::*;
pub use sink::{EventSink, SinkGuard};
