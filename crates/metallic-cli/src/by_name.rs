//! Access by name to caches whose kernels are types: the one place that lists kernels by a macro. A registry that answers by name
//! itself makes it superfluous.

/// Defines `NAMES`, `set_policy` and `policy_of` for the caches of these kernels in registries of this type; a type parameter of it
/// comes last, after a semicolon.
macro_rules! by_name {
    ($registry:ty, $named:path, $($kernel:ident),+ $(; $param:ident: $bound:ident)?) => {
        /// The names of the caches.
        const NAMES: &[&str] = &[$(<$kernel as $named>::CACHE_NAME),+];

        /// Sets the policy of the cache of this name. Returns `false` if it is not one of these.
        fn set_policy$(<$param: $bound>)?(registry: &mut $registry, name: &str, policy: EvictionPolicy) -> bool {
            $(if name == <$kernel as $named>::CACHE_NAME {
                registry.set_eviction_policy::<$kernel>(policy);
                return true;
            })+
            false
        }

        /// The policy of the cache of this name, if it is one of these.
        fn policy_of$(<$param: $bound>)?(registry: &$registry, name: &str) -> Option<EvictionPolicy> {
            $(if name == <$kernel as $named>::CACHE_NAME {
                return Some(registry.eviction_policy::<$kernel>());
            })+
            None
        }
    };
}

pub(crate) use by_name;
