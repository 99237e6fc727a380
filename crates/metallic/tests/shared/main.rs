//! The registry for all threads, through its public face.
#![expect(clippy::unwrap_used, reason = "outside of test functions, too: what fails here fails the test")]

mod devices;
mod failures;
mod fallbacks;
mod hits;
mod kernels;
mod keyed;
mod locals;
mod shutdowns;
mod sinks;
mod tasks;
mod tickets;
