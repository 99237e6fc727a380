//! The registry for all threads, through its public face.

mod devices;
mod failures;
mod hits;
mod kernels;
mod keyed;
mod locals;
mod sinks;
