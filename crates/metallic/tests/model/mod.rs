//! The caches' behaviour, written down a second time: scans over a `Vec`, no shared code, no cleverness.
//!
//! `op` says what can happen, `naive` what it should lead to (`queues`: for S3-FIFO and SIEVE), `workshop` makes the resources, and `harness` does it to a
//! registry and to the model side by side. Nothing here knows proptest or a fuzzer, so that both can use it.

mod harness;
mod naive;
mod op;
pub(crate) mod papers;
mod queues;
mod workshop;

pub(crate) use harness::{Time, run};
pub(crate) use op::{CacheOp, Creation, Ending, Op, Policy, Start, UNIT, decode};
