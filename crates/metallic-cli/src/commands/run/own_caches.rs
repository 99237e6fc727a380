//! Caches that a device has beside the registry's.

use std::sync::Arc;

use metallic::device::HostDevice;
use metallic_instrumentation::EventSink;

use super::caches::CacheRow;
use super::policy::CachePolicy;

/// The caches that some device has for itself.
#[cfg(feature = "wgpu")]
pub(super) use descriptors::NAMES;
#[cfg(not(feature = "wgpu"))]
pub(super) const NAMES: &[&str] = &[];

/// A device that may have caches of its own.
pub(super) trait OwnCaches {
    /// Sends their events to this sink.
    fn observe(&self, _sink: &Arc<dyn EventSink>) {}

    /// The names of them.
    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Sets the policy, and says whether it is for one of these.
    fn set_policy(&self, _policy: &CachePolicy) -> bool {
        false
    }

    /// What they did.
    fn rows(&self) -> Vec<CacheRow> {
        Vec::new()
    }
}

impl OwnCaches for HostDevice {}

#[cfg(feature = "wgpu")]
mod descriptors {
    use std::mem;
    use std::sync::Arc;

    use metallic::caching::{CacheableKernel, EvictionPolicy, SendRegistry};
    use metallic_instrumentation::EventSink;
    use metallic_wgpu::{BindGroupKernel, Connection, LayoutKernel, PipelineKernel, WgpuDevice};

    use super::OwnCaches;
    use crate::commands::run::caches::CacheRow;
    use crate::commands::run::policy::CachePolicy;

    macro_rules! kernels {
        ($($kernel:ident),+) => {
            pub(in crate::commands::run) const NAMES: &[&str] =
                &[$(<$kernel as CacheableKernel<Connection>>::CACHE_NAME),+];

            fn set(registry: &mut SendRegistry<Connection>, policy: &CachePolicy) -> bool {
                $(if policy.cache == <$kernel as CacheableKernel<Connection>>::CACHE_NAME {
                    registry.set_eviction_policy::<$kernel>(policy.policy);
                    return true;
                })+
                false
            }

            fn policy_of(registry: &SendRegistry<Connection>, name: &str) -> Option<EvictionPolicy> {
                $(if name == <$kernel as CacheableKernel<Connection>>::CACHE_NAME {
                    return Some(registry.eviction_policy::<$kernel>());
                })+
                None
            }
        };
    }

    kernels!(BindGroupKernel, LayoutKernel, PipelineKernel);

    impl OwnCaches for WgpuDevice {
        fn observe(&self, sink: &Arc<dyn EventSink>) {
            self.with_descriptors(|registry| *registry = mem::take(registry).with_sink(Arc::clone(sink)));
        }

        fn names(&self) -> &'static [&'static str] {
            NAMES
        }

        fn set_policy(&self, policy: &CachePolicy) -> bool {
            self.with_descriptors(|registry| set(registry, policy))
        }

        fn rows(&self) -> Vec<CacheRow> {
            let metrics = self.descriptor_metrics();
            let policy = |name| self.with_descriptors(|registry| policy_of(registry, name));
            metrics
                .iter()
                .map(|(name, metrics)| CacheRow::new(name, "device", policy(name), metrics))
                .collect()
        }
    }
}
