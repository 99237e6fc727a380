//! A module for each backend. Those that can be left out of a program have the same face, so that nothing else asks whether they
//! are in: `Device`, `Adapter`, `CACHES`, `adapters`, `open`, `open_gpu`. A backend that is left out is [`disabled`](wgpu).

pub(crate) mod host;
mod unopened;
#[cfg(feature = "wgpu")]
pub(crate) mod wgpu;
#[cfg(not(feature = "wgpu"))]
#[path = "disabled.rs"]
pub(crate) mod wgpu;

pub(super) use unopened::Unopened;
