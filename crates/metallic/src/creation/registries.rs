//! Registries under a contract.

use std::borrow::Cow;

use super::contract::{Armed, Contract};
use super::supervisor::Supervisor;
use crate::caching::{CacheRegistry, SharedRegistry};

impl<D: 'static> SharedRegistry<D> {
    /// The supervisor of the creations of this registry, made at the first call.
    pub fn supervisor(&self) -> Supervisor {
        let gate = self.gate().unwrap_or_else(|| self.gate_or(Supervisor::new().gate()));
        Supervisor::behind(gate).unwrap_or_default()
    }

    /// Has `supervisor` watch over the creations of this registry from now on, in place of any other.
    pub fn supervise(&self, supervisor: &Supervisor) {
        self.set_gate(Some(supervisor.gate()));
    }

    /// Arms a scope: see [`Supervisor::arm`].
    ///
    /// ```
    /// # use metallic::caching::{CacheableKernel, SharedRegistry};
    /// # use metallic::{Device, error::MetalError};
    /// # struct Square;
    /// # impl CacheableKernel for Square {
    /// #     type Key = u64;
    /// #     type CachedResource = u64;
    /// #     type Params = u64;
    /// #     const CACHE_NAME: &'static str = "square";
    /// #     fn create_cache_key(n: &u64) -> u64 { *n }
    /// #     fn create_cached_resource(n: &u64, _: Option<&Device>) -> Result<u64, MetalError> { Ok(n * n) }
    /// # }
    /// use metallic::creation::Contract;
    ///
    /// let registry: SharedRegistry = SharedRegistry::new();
    /// registry.get_or_create::<Square>(&12, None)?;
    /// let armed = registry.arm("serving", Contract::Refuse);
    /// assert!(registry.get_or_create::<Square>(&12, None).is_ok()); // a hit
    /// let refused = registry.get_or_create::<Square>(&13, None).unwrap_err();
    /// assert!(matches!(refused.root(), MetalError::CreationRefused(_)));
    /// assert_eq!(armed.violations(), 1);
    /// drop(armed);
    /// assert!(registry.get_or_create::<Square>(&13, None).is_ok());
    /// # Ok::<(), MetalError>(())
    /// ```
    pub fn arm(&self, scope: impl Into<Cow<'static, str>>, contract: Contract) -> Armed {
        self.supervisor().arm(scope, contract)
    }

    /// Runs `work`, which is to create nothing: see [`Supervisor::assert_no_creation`].
    ///
    /// # Panics
    /// If there was a creation.
    #[track_caller]
    pub fn assert_no_creation<T>(&self, work: impl FnOnce() -> T) -> T {
        self.supervisor().assert_no_creation(work)
    }
}

impl<D: 'static> CacheRegistry<D> {
    /// The supervisor of the creations of this registry, made at the first call.
    pub fn supervisor(&mut self) -> Supervisor {
        self.gate().cloned().and_then(Supervisor::behind).unwrap_or_else(|| {
            let supervisor = Supervisor::new();
            self.supervise(&supervisor);
            supervisor
        })
    }

    /// Has `supervisor` watch over the creations in the caches and slots of this registry from now on, in place of any other.
    pub fn supervise(&mut self, supervisor: &Supervisor) {
        self.set_gate(Some(supervisor.gate()));
    }

    /// Arms a scope: see [`Supervisor::arm`].
    pub fn arm(&mut self, scope: impl Into<Cow<'static, str>>, contract: Contract) -> Armed {
        self.supervisor().arm(scope, contract)
    }

    /// Runs `work`, which is to create nothing: see [`Supervisor::assert_no_creation`].
    ///
    /// # Panics
    /// If there was a creation.
    #[track_caller]
    pub fn assert_no_creation<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let armed = self.arm("assert_no_creation", Contract::Count);
        let result = work(self);
        armed.assert_none();
        result
    }
}
