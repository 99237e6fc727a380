//! Watches over the creations of one device: which may be, and what is known of their keys.

#![cfg_attr(not(feature = "manifest"), expect(dead_code, reason = "recording and warm-up need a manifest"))]

mod known;
mod watch;

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::contract::{Armed, Contract};
use super::scope::Scope;
use crate::caching::CreationGate;

use self::known::Known;
pub(crate) use self::known::Warmth;
#[cfg(feature = "manifest")]
pub(crate) use self::watch::Record;
pub(crate) use self::watch::Recorder;
use self::watch::Watch;
#[cfg(feature = "manifest")]
use crate::manifest::Warming;

/// Watches over every creation in the registries that it was given: those of an engine, and those that a device has for itself.
///
/// A registry makes its own when it is first [armed](crate::caching::SharedRegistry::arm), recorded or warmed up. One for several
/// registries is given to each with [`supervise`](crate::caching::SharedRegistry::supervise); a device that has caches for
/// itself is given it with [`ComputeDevice::supervise`](crate::device::ComputeDevice::supervise). A clone is a handle to the same.
#[derive(Clone, Default)]
pub struct Supervisor(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// The registered kernels, and how far their warm-up has come.
    #[cfg(feature = "manifest")]
    warming: Arc<Warming>,
}

#[derive(Default)]
struct State {
    scopes: Vec<Arc<Scope>>,
    known: Known,
    recorder: Option<Arc<dyn Recorder>>,
}

impl Supervisor {
    /// A supervisor of no registry yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Arms a scope: until the guard is dropped, every creation in the registries that this watches over, and every growth of a
    /// slot, is a violation. Of several armed scopes the strictest decides; all of them count.
    pub fn arm(&self, scope: impl Into<Cow<'static, str>>, contract: Contract) -> Armed {
        self.arm_scope(Scope::new(scope.into(), contract, false))
    }

    /// [`arm`](Self::arm) for the keys of registered kernels alone: those that a manifest can have. For the time in which an
    /// engine makes what no manifest has, such as buffers, before it is ready.
    pub fn arm_portable(&self, scope: impl Into<Cow<'static, str>>, contract: Contract) -> Armed {
        self.arm_scope(Scope::new(scope.into(), contract, true))
    }

    /// Runs `work`, which is to create nothing. For tests.
    ///
    /// # Panics
    /// If a creation began meanwhile, on whichever thread and whether it is over or not, when `work` has returned. The message
    /// says which.
    #[track_caller]
    pub fn assert_no_creation<T>(&self, work: impl FnOnce() -> T) -> T {
        let armed = self.arm("assert_no_creation", Contract::Count);
        let result = work();
        armed.assert_none();
        result
    }

    fn arm_scope(&self, scope: Scope) -> Armed {
        let scope = Arc::new(scope);
        self.state().scopes.push(scope.clone());
        Armed::new(self.clone(), scope)
    }

    pub(super) fn disarm(&self, scope: &Arc<Scope>) {
        self.state().scopes.retain(|other| !Arc::ptr_eq(other, scope));
    }

    /// The gate that registries ask before a creation.
    pub(super) fn gate(&self) -> Arc<dyn CreationGate> {
        Arc::new(Watch(self.clone()))
    }

    /// The supervisor behind a gate.
    pub(super) fn behind(gate: Arc<dyn CreationGate>) -> Option<Self> {
        let gate: Arc<dyn Any + Send + Sync> = gate;
        gate.downcast::<Watch>().ok().map(|watch| watch.0.clone())
    }

    /// Notes how far the warm-up of a key has come. It is named by its label.
    pub(crate) fn note_warmth(&self, label: Arc<str>, warmth: Warmth) {
        self.state().known.note_warmth(label, warmth);
    }

    /// Returns `true` if the warm-up of a key loaded it from a store.
    pub(crate) fn was_loaded(&self, label: &str) -> bool {
        self.state().known.warmth(label) == Some(Warmth::Loaded)
    }

    /// Notes that there is a manifest, whatever is in it.
    pub(crate) fn note_manifest(&self) {
        self.state().known.has_manifest = true;
    }

    /// Notes that the keys of this kernel can be carried.
    pub(crate) fn note_portable(&self, kernel: TypeId) {
        self.state().known.portable.insert(kernel);
    }

    /// Hands creations to `recorder` from now on, and returns the one before.
    pub(crate) fn set_recorder(&self, recorder: Option<Arc<dyn Recorder>>) -> Option<Arc<dyn Recorder>> {
        std::mem::replace(&mut self.state().recorder, recorder)
    }

    #[cfg(feature = "manifest")]
    pub(crate) fn warming(&self) -> &Arc<Warming> {
        &self.0.warming
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let scopes: Vec<_> = state.scopes.iter().map(|scope| scope.name.to_string()).collect();
        drop(state);
        f.debug_struct("Supervisor").field("armed", &scopes).finish_non_exhaustive()
    }
}
