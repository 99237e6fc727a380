//! `metallic run`: a transformer out of the caches.
//!
//! ```text
//! arguments --> policies; Loaded; Prompts; device; log --> Session --> Outcome --> Run --> text | JSON
//!                                                            |
//!                                          Board --prompts--> workers: an engine each, over one registry
//! ```

mod answers;
mod board;
mod caches;
mod command;
mod contract;
mod figures;
mod log;
mod policy;
mod prompts;
mod session;
mod store;
mod text;
mod verify;

pub use answers::{Answer, Continuation, Latencies, Latency, Quantiles, Throughput, Timing};
pub use board::{Outcome, Pass};
pub use caches::{CacheRow, names};
pub use command::{collect, run};
pub use contract::{ContractFigures, Recorded, WarmUpFigures};
pub use figures::{DeviceFigures, ModelFigures, PromptFigures, Run, StoreFigures};
pub use policy::CachePolicy;
pub use prompts::{Prompt, prompts};
pub use session::{Ended, Session};
pub use verify::{Verification, verify};
