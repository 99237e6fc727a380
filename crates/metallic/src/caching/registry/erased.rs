//! The operations of a registry on a cache whose types it has forgotten.

use std::any::{Any, type_name};
use std::sync::Arc;

use metallic_instrumentation::{CacheName, SinkGuard};

use super::keyed::SharedCache;
use super::type_table::Erased;
use crate::caching::gate::CreationGate;
use crate::caching::kernel::CacheableKernel;
use crate::caching::kernel_cache::KernelCache;
use crate::caching::keyed_cache::KeyedCache;
use crate::caching::policy::EvictionPolicy;
use crate::caching::pool::Pool;
use crate::caching::reporting::CacheMetrics;
use crate::caching::slot::CacheRegistrySlot;

/// A cache of a forgotten type.
pub(in crate::caching) trait ErasedCache: Any {
    /// The name that it has, whether or not it may use it.
    fn name(&self) -> &CacheName;
    /// Its type, for messages.
    fn owner(&self) -> &'static str;
    /// Returns `true` if another cache had the name before.
    fn is_refused(&self) -> bool;
    fn metrics(&self) -> CacheMetrics;
    fn eviction_policy(&self) -> EvictionPolicy;
    fn set_eviction_policy(&mut self, policy: EvictionPolicy);
    fn clear(&mut self);
    fn expire_idle(&mut self);
    fn next_generation(&mut self);
    fn set_sink(&mut self, sink: Option<SinkGuard>);
    fn set_gate(&mut self, gate: Option<Arc<dyn CreationGate>>);
}

impl Erased for dyn ErasedCache {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Erased for dyn CacheRegistrySlot {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Erased for dyn CacheRegistrySlot + Send {
    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl<K: CacheableKernel<D>, D: 'static> ErasedCache for KernelCache<K, D> {
    fn name(&self) -> &CacheName {
        self.name()
    }

    fn owner(&self) -> &'static str {
        type_name::<K>()
    }

    fn is_refused(&self) -> bool {
        self.keyed().is_refused()
    }

    fn metrics(&self) -> CacheMetrics {
        self.metrics()
    }

    fn eviction_policy(&self) -> EvictionPolicy {
        self.eviction_policy()
    }

    fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.set_eviction_policy(policy);
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn expire_idle(&mut self) {
        self.expire_idle();
    }

    fn next_generation(&mut self) {
        self.next_generation();
    }

    fn set_sink(&mut self, sink: Option<SinkGuard>) {
        self.set_sink(sink);
    }

    fn set_gate(&mut self, gate: Option<Arc<dyn CreationGate>>) {
        self.keyed_mut().set_gate(gate);
    }
}

impl<Key: 'static, R: 'static> ErasedCache for KeyedCache<Key, R> {
    fn name(&self) -> &CacheName {
        self.name()
    }

    fn owner(&self) -> &'static str {
        type_name::<Self>()
    }

    fn is_refused(&self) -> bool {
        self.is_refused()
    }

    fn metrics(&self) -> CacheMetrics {
        self.metrics()
    }

    fn eviction_policy(&self) -> EvictionPolicy {
        self.eviction_policy()
    }

    fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.set_eviction_policy(policy);
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn expire_idle(&mut self) {
        self.expire_idle();
    }

    fn next_generation(&mut self) {
        self.next_generation();
    }

    fn set_sink(&mut self, sink: Option<SinkGuard>) {
        self.set_sink(sink);
    }

    fn set_gate(&mut self, gate: Option<Arc<dyn CreationGate>>) {
        self.set_gate(gate);
    }
}

/// A handle whose cache or pool needs no `&mut`.
macro_rules! erase_handle {
    ($handle:ident, $($bound:ident)?) => {
        impl<Key: $($bound +)? 'static, R: 'static> ErasedCache for $handle<Key, R> {
            fn name(&self) -> &CacheName {
                self.core().name()
            }

            fn owner(&self) -> &'static str {
                type_name::<Self>()
            }

            fn is_refused(&self) -> bool {
                false
            }

            fn metrics(&self) -> CacheMetrics {
                self.core().metrics()
            }

            fn eviction_policy(&self) -> EvictionPolicy {
                self.core().policy()
            }

            fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
                self.core().set_policy(policy);
            }

            fn clear(&mut self) {
                self.core().clear();
            }

            fn expire_idle(&mut self) {
                self.core().expire_idle();
            }

            fn next_generation(&mut self) {
                self.core().next_generation();
            }

            fn set_sink(&mut self, sink: Option<SinkGuard>) {
                drop(self.core().connect(sink));
                self.core().announce();
            }

            fn set_gate(&mut self, gate: Option<Arc<dyn CreationGate>>) {
                self.core().set_gate(gate);
            }
        }
    };
}

erase_handle!(SharedCache, Clone);
erase_handle!(Pool,);
