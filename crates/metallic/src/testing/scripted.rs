//! A device that does as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::caching::{CacheableKernel, ManualClock};
use crate::device::new_identity;
use crate::error::Error;

/// A device on which each creation takes the time, and ends in the way, that a test has said. Clones are handles of one device.
///
/// By default time passes on the device's [`clock`](Self::clock) alone: a creation moves it by its cost, and no test waits.
#[derive(Clone, Debug)]
pub struct ScriptedDevice(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    identity: u64,
    clock: ManualClock,
    waits: bool,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    default: Scene,
    scenes: HashMap<u32, Scene>,
    creations: u64,
    created: Vec<u32>,
    is_lost: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Scene {
    cost: Duration,
    bytes: u64,
    /// Creations that fail before one goes well.
    failures: u32,
    panics: u32,
    is_refused: bool,
}

/// The failure of a scripted creation, as the source of an [`Error::Device`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the creation of {id} was to fail")]
pub struct ScriptedFault {
    /// The key.
    pub id: u32,
}

impl ScriptedDevice {
    /// A device whose creations take no time and go well, until it is told otherwise.
    pub fn new() -> Self {
        Self::build(false)
    }

    /// A device whose creations make their threads sleep. For measurements: tests should have their own clock.
    pub fn sleeping() -> Self {
        Self::build(true)
    }

    fn build(waits: bool) -> Self {
        let (identity, clock) = (new_identity(), ManualClock::new());
        Self(Arc::new(Inner { identity, clock, waits, script: Mutex::default() }))
    }

    /// The clock that creations move, to be given to registries.
    pub fn clock(&self) -> &ManualClock {
        &self.0.clock
    }

    /// The time of creations of which nothing else is said.
    pub fn set_default_cost(&self, cost: Duration) {
        self.script().default.cost = cost;
    }

    /// The time of each creation of this key.
    pub fn set_cost(&self, id: u32, cost: Duration) {
        self.scene(id, |scene| scene.cost = cost);
    }

    /// The bytes that the resource of this key holds.
    pub fn set_bytes(&self, id: u32, bytes: u64) {
        self.scene(id, |scene| scene.bytes = bytes);
    }

    /// Has the next creations of this key fail.
    pub fn fail(&self, id: u32, times: u32) {
        self.scene(id, |scene| scene.failures = times);
    }

    /// Has the next creations of this key panic.
    pub fn panic(&self, id: u32, times: u32) {
        self.scene(id, |scene| scene.panics = times);
    }

    /// Has all creations of this key be refused as invalid on this device.
    pub fn refuse(&self, id: u32) {
        self.scene(id, |scene| scene.is_refused = true);
    }

    /// Loses the device: from now on all creations are [`Error::DeviceLost`].
    pub fn lose(&self) {
        self.script().is_lost = true;
    }

    /// The number of creations that were begun.
    pub fn creations(&self) -> u64 {
        self.script().creations
    }

    /// The keys that were created, in the order in which they were done.
    pub fn created(&self) -> Vec<u32> {
        self.script().created.clone()
    }

    fn scene(&self, id: u32, change: impl FnOnce(&mut Scene)) {
        let mut script = self.script();
        let default = script.default;
        change(script.scenes.entry(id).or_insert(default));
    }

    /// Creates what the script says of this key. For kernels with their own keys, which number them.
    ///
    /// # Errors
    /// As the script says.
    ///
    /// # Panics
    /// As the script says.
    pub fn create(&self, id: u32) -> Result<ScriptedResource, Error> {
        let mut script = self.script();
        script.creations += 1;
        if script.is_lost {
            return Err(Error::DeviceLost);
        }
        let serial = script.creations;
        let mut scene = script.scenes.get(&id).copied().unwrap_or(script.default);
        let Scene { cost, bytes, failures, panics, is_refused } = scene;
        scene.panics = panics.saturating_sub(1);
        if panics == 0 {
            scene.failures = failures.saturating_sub(1);
        }
        script.scenes.insert(id, scene);
        drop(script);
        if self.0.waits {
            std::thread::sleep(cost);
        } else {
            self.0.clock.advance(cost);
        }
        assert!(panics == 0, "the creation of {id} was to panic");
        if is_refused {
            return Err(Error::invalid_params(format!("the device has no {id}")));
        }
        if failures > 0 {
            return Err(Error::device("a scripted creation", ScriptedFault { id }));
        }
        self.script().created.push(id);
        Ok(ScriptedResource { id, serial, bytes })
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ScriptedDevice {
    fn default() -> Self {
        Self::new()
    }
}

/// A kernel on a [`ScriptedDevice`]: its keys are numbers.
#[derive(Debug)]
pub enum ScriptedKernel {}

/// The resource of a [`ScriptedKernel`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptedResource {
    /// Its key.
    pub id: u32,
    /// Which of the device's creations it came from; the first is 1.
    pub serial: u64,
    /// The bytes that it says it holds.
    pub bytes: u64,
}

impl CacheableKernel<ScriptedDevice> for ScriptedKernel {
    type Key = u32;
    type CachedResource = ScriptedResource;
    type Params = u32;

    const CACHE_NAME: &'static str = "scripted";

    fn create_cache_key(id: &u32) -> u32 {
        *id
    }

    fn create_cached_resource(id: &u32, device: Option<&ScriptedDevice>) -> Result<ScriptedResource, Error> {
        device.ok_or(Error::DeviceNotAvailable)?.create(*id)
    }

    fn resource_bytes(resource: &ScriptedResource) -> u64 {
        resource.bytes
    }

    fn device_identity(device: &ScriptedDevice) -> Option<u64> {
        Some(device.0.identity)
    }
}

#[cfg(feature = "portable")]
impl crate::PortableKernel<ScriptedDevice> for ScriptedKernel {
    const SCHEMA: u32 = 1;
}
