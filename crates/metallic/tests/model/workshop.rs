//! The kernels under test and the device they make their resources on: a workshop that does as it is told.

use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::thread::panicking;

use metallic::caching::{CacheRegistrySlot, CacheableKernel, ManualClock};
use metallic::error::MetalError;

use super::op::{Creation, Ending};

/// The names of the caches. Their alphabetical order is not the order of their indices.
pub(crate) const NAMES: [&str; 3] = ["mul", "add", "sub"];

pub(crate) struct Subject<const N: usize>;

/// Owns memory, and shares its hash with three others.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    id: u16,
    text: String,
}

impl Key {
    pub(crate) fn new(id: u16) -> Self {
        Self { id, text: format!("key {id}") }
    }
}

/// Keys with such numbers panic when they are formatted.
pub(crate) fn is_unspeakable(id: u16) -> bool {
    id % 11 == 10
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_unspeakable(self.id) {
            resume_unwind(Box::new(AsOrdered));
        }
        f.debug_struct("Key").field("id", &self.id).field("text", &self.text).finish()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u16(self.id / 4);
    }
}

#[derive(Clone)]
pub(crate) struct Resource {
    /// Which creation of its kernel it came from.
    pub(crate) serial: u64,
    /// How often it was handed out.
    pub(crate) uses: u64,
    /// `None`: says it with a panic.
    bytes: Option<u64>,
    /// Panics when it is dropped, while the workshop's traps are set.
    is_trap: bool,
    traps_are_set: Rc<Cell<bool>>,
    _alive: Rc<()>,
}

impl Drop for Resource {
    fn drop(&mut self) {
        if self.is_trap && self.traps_are_set.get() && !panicking() {
            resume_unwind(Box::new(AsOrdered));
        }
    }
}

/// The bytes that the resource of a key holds.
pub(crate) fn bytes_of(key: u16) -> u64 {
    1 + 1000 * u64::from(key)
}

impl<const N: usize> CacheableKernel<Rc<Workshop>> for Subject<N> {
    type Key = Key;
    type CachedResource = Resource;
    type Params = u16;

    const CACHE_NAME: &'static str = NAMES[N];

    fn create_cache_key(id: &u16) -> Key {
        Key::new(*id)
    }

    fn create_cached_resource(key: &Key, device: Option<&Rc<Workshop>>) -> Result<Resource, MetalError> {
        device.ok_or(MetalError::DeviceNotAvailable)?.make(N, key)
    }

    fn resource_bytes(resource: &Resource) -> u64 {
        resource.bytes.unwrap_or_else(|| resume_unwind(Box::new(AsOrdered)))
    }
}

#[derive(Default)]
pub(crate) struct Workshop {
    pub(crate) clock: ManualClock,
    pub(crate) next: Cell<Option<Creation>>,
    /// Creations begun, by kernel.
    pub(crate) begun: [Cell<u64>; NAMES.len()],
    pub(crate) traps_are_set: Rc<Cell<bool>>,
    alive: Rc<()>,
}

/// The payload of every panic that was ordered.
pub(crate) struct AsOrdered;

pub(crate) const COMPLAINT: &str = "told to fail";

impl Workshop {
    /// Resources and other products that were not dropped yet.
    pub(crate) fn alive(&self) -> usize {
        Rc::strong_count(&self.alive) - 1
    }

    fn make(&self, kernel: usize, key: &Key) -> Result<Resource, MetalError> {
        let creation = self.next.take().expect("one creation at most in an operation");
        let serial = self.begun[kernel].get() + 1;
        self.begun[kernel].set(serial);
        self.clock.advance(creation.cost);
        let resource = |bytes, is_trap| Resource {
            serial,
            uses: 0,
            bytes,
            is_trap,
            traps_are_set: self.traps_are_set.clone(),
            _alive: self.alive.clone(),
        };
        match creation.ending {
            Ending::Success => Ok(resource(Some(bytes_of(key.id)), false)),
            Ending::Trap => Ok(resource(Some(bytes_of(key.id)), true)),
            Ending::PanicInBytes => Ok(resource(None, false)),
            Ending::Failure => Err(MetalError::invalid_params(COMPLAINT)),
            // Unlike `panic!`, this does not call the panic hook: no message, and a fuzzer takes no notice.
            Ending::Panic => resume_unwind(Box::new(AsOrdered)),
        }
    }
}

/// A slot full of things made in the workshop.
#[derive(Default)]
pub(crate) struct Shelf(Vec<Rc<()>>);

impl Shelf {
    pub(crate) fn fill(&mut self, workshop: &Workshop) {
        self.0.push(workshop.alive.clone());
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl CacheRegistrySlot for Shelf {
    fn clear_slot(&mut self) {
        self.0.clear();
    }
}
