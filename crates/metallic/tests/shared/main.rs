//! The registry for all threads, through its public face.
#![expect(clippy::unwrap_used, reason = "outside of test functions, too: what fails here fails the test")]

mod answers;
mod deadlines;
mod devices;
mod failures;
mod fallbacks;
mod generations;
mod hits;
mod kernels;
mod keyed;
mod known_bugs;
mod local_uses;
mod locals;
mod named_batches;
mod pool_places;
mod pools;
mod prepared;
mod shutdowns;
mod sinks;
mod tasks;
mod this_thread;
mod tickets;
mod user_code;
