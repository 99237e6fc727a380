//! Events of the metallic caches, the sinks that take them, and exporters that write them out.
//!
//! A cache tells what it does in [`Event`]s: look-ups, creations and what they cost, evictions, removals. It hands them
//! to an [`EventSink`], which is asked first whether it wants [events of a kind](EventKind), so that an event that
//! no sink wants is never built. This crate defines both, and the sinks most programs need; a custom sink is two methods.
//!
//! Most sinks wrap others: [`FanOut`] passes events to several, [`KindFilter`] lets some kinds through, [`Sampling`] one
//! access in n. The last is an exporter: `JsonlExporter` writes a log, `TracingExporter` and `MetricsExporter`
//! feed those two facades, [`ChannelExporter`] sends events to another thread, and [`Recorder`] keeps them for a test.
//! None of them can hurt a cache: it calls them behind a [`SinkGuard`], and an exporter counts what it cannot deliver.
//!
//! Each event says which registry it comes from, if it comes from one with a number ([`SinkGuard::with_registry`]), so
//! that several registries can share a sink. `docs/events.schema.json` in the repository is the JSON Schema of a line.
//!
//! ```
//! # #[cfg(feature = "jsonl")] {
//! use std::sync::Arc;
//!
//! use metallic_instrumentation::{
//!     Event, EventKind, EventSink, FanOut, JsonlExporter, JsonlReader, KindFilter, Recorder, ResourceCacheAccess,
//! };
//!
//! let path = std::env::temp_dir().join(format!("metallic-doc-{}.jsonl", std::process::id()));
//! let log = Arc::new(JsonlExporter::builder().header(false).create(&path)?);
//! let evictions = Arc::new(Recorder::new());
//! let sink = FanOut::new([
//!     log.clone() as Arc<dyn EventSink>,
//!     Arc::new(KindFilter::new(evictions.clone(), [EventKind::CacheEviction])),
//! ]);
//!
//! // What a cache does at each look-up.
//! if sink.enabled(EventKind::ResourceCacheAccess) {
//!     sink.record(&Event::new(ResourceCacheAccess { cache_key: "gemm:GemmKey{m:64}".into(), hit: true, bytes: 0 }));
//! }
//!
//! log.flush()?;
//! assert_eq!(
//!     std::fs::read_to_string(&path)?,
//!     concat!(
//!         r#"{"type":"ResourceCacheAccess","data":{"cache_key":"gemm:GemmKey{m:64}","hit":true,"bytes":0}}"#,
//!         "\n"
//!     )
//! );
//! assert_eq!(JsonlReader::open(&path)?.count(), 1);
//! assert_eq!(log.stats().written, 1);
//! assert!(evictions.events().is_empty());
//! # drop((sink, log));
//! # std::fs::remove_file(&path)?;
//! # }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # The log, by environment variables
//!
//! With the feature `jsonl`, `from_env` opens the log that these ask for. It is one log for the process: each registry may
//! call it, at any time, and the events of all are in the file. An unset variable and an empty one are the same; any
//! other value than those named is an error. So is a path to a file that is there, is not empty and does not begin as a log
//! does (`is_log`), whether it would be emptied or appended to; it stays as it is.
//!
//! | variable | value | unset |
//! |---|---|---|
//! | `METALLIC_METRICS_JSONL_PATH` | the file | no log, and the others are not looked at |
//! | `METALLIC_METRICS_JSONL_APPEND` | `1` or `true`: keep what the file holds; `0` or `false`: empty it at the first call | `0` |
//! | `METALLIC_METRICS_JSONL_OVERFLOW` | `wait` up to a second for room in the queue, or `drop` the event | `wait` |
//! | `METALLIC_METRICS_JSONL_MAX_BYTES` | size at which the file is rotated | no rotation |
//! | `METALLIC_METRICS_JSONL_KEEP` | rotated files kept, as `<path>.1`, `<path>.2` and so on; a rotation renames each of them | `3` |
//! | `METALLIC_METRICS_EVENTS` | kinds to log, as [`EventKind::name`] has them, with commas between; `LogOpened` is the header of each file | all |
//! | `METALLIC_METRICS_SAMPLE` | n: one access in n is logged, and every other event | `1` |
//!
//! # Features
//!
//! Without features the crate depends on nothing but std.
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `serde` | `Serialize` and `Deserialize` for the events | through `jsonl` |
//! | `jsonl` | `JsonlExporter`, `JsonlReader`, `from_env` | yes |
//! | `tracing` | `TracingExporter` | |
//! | `metrics` | `MetricsExporter` | |
//!
//! # What this does not do
//!
//! It opens no socket and serves no metrics: the recorder or subscriber you install does. The log is not synced to the
//! disk: it survives the death of the process, up to what is still queued, not that of the machine.
#![forbid(unsafe_code)]

mod cache_names;
mod channel;
mod event;
mod fan_out;
mod filter;
#[cfg(feature = "jsonl")]
mod from_env;
#[cfg(feature = "jsonl")]
mod jsonl;
mod key_form;
#[cfg(feature = "metrics")]
mod metrics_exporter;
mod recorder;
mod sampling;
mod sink;
#[cfg(feature = "tracing")]
mod tracing_exporter;

pub use cache_names::CacheNames;
pub use channel::{ChannelExporter, ChannelStats};
pub use event::*;
pub use fan_out::FanOut;
pub use filter::KindFilter;
#[cfg(feature = "jsonl")]
pub use from_env::{EnvLog, FromEnvError, from_env, from_vars};
#[cfg(feature = "jsonl")]
pub use jsonl::{
    JsonlBuilder, JsonlExporter, JsonlReader, JsonlStats, Overflow, SkipReason, Skipped, SkippedLine, is_log,
};
pub use key_form::{Difference, KeyForm, NearestKey};
#[cfg(feature = "metrics")]
pub use metrics_exporter::MetricsExporter;
pub use recorder::Recorder;
pub use sampling::Sampling;
pub use sink::{EventSink, SinkGuard};
#[cfg(feature = "tracing")]
pub use tracing_exporter::TracingExporter;
