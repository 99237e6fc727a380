//! Counters and reports of a cache.

mod label;
mod metrics;
mod reporter;

pub(super) use self::label::label;
pub use self::metrics::{CacheCounters, CacheEvent, CacheMetrics};
pub(super) use self::metrics::{Counters, LastEvent};
pub(super) use self::reporter::{Ended, Labels, Reporter};
