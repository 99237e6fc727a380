//! The costs of the metallic caches, next to other caches and bare hash maps.
//!
//! A [`Workload`](workload::Workload) says which keys are asked for, a [`Contender`](contender::Contender) answers, and a
//! [`Row`](scenario::Row) names the pair. The binaries measure rows: instructions, times, heap.

pub mod contender;
pub mod expiry;
pub mod floors;
pub mod many_kernels;
pub mod ours;
pub mod peers;
pub mod prepared;
pub mod rounds;
pub mod scenario;
pub mod table;
pub mod valgrind;
pub mod workload;
