//! The device's own registry: what kernels share.

use metallic::caching::{EvictionPolicy, SharedRegistry};

use super::bind_group::BindGroupKernel;
use super::connection::Connection;
use crate::limits::DEFAULT_BIND_GROUPS;

/// A registry for all threads that use this connection: while one compiles, the others' look-ups go on.
pub(crate) fn registry(connection: Connection) -> SharedRegistry<Connection> {
    let registry = SharedRegistry::named("wgpu", Some(connection));
    registry.set_eviction_policy::<BindGroupKernel>(EvictionPolicy::size_limited_lru(DEFAULT_BIND_GROUPS));
    registry
}
