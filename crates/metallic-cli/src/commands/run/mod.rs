//! `metallic run`: a transformer out of the caches.
//!
//! ```text
//! arguments --> policies; Loaded; Prompts; device; log --> Session --> Outcome --> Run --> text | JSON
//!                                                            |
//!                                                        the engine, over a registry
//! ```

mod answers;
mod caches;
mod command;
mod figures;
mod log;
mod policy;
mod prompts;
mod session;
mod store;
mod text;
mod verify;

pub use answers::{Answer, Continuation, Latency, Timing};
pub use caches::{CacheRow, names};
pub use command::{collect, run};
pub use figures::{DeviceFigures, ModelFigures, PromptFigures, Run, StoreFigures};
pub use policy::CachePolicy;
pub use prompts::{Prompt, prompts};
pub use session::{Outcome, Session};
pub use verify::{Verification, verify};
