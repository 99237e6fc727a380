//! Devices that are lost, and several of them, at the moments that hurt.

use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use metallic::caching::{CacheableKernel, OnFailure, SharedRegistry};
use metallic::error::Error;
use metallic_instrumentation::{Event, EventKind, EventSink};

/// A device with a number, which resources remember.
#[derive(Clone)]
struct Numbered(u64);

type Hook = Box<dyn FnOnce()>;

thread_local! {
    /// The effect of the next cloning of a key: after the device of a creation was chosen, and before the creation begins.
    static ON_CLONE: RefCell<Option<Hook>> = const { RefCell::new(None) };
    /// The effect of the next question for a device's identity: after the device was chosen.
    static ON_IDENTITY: RefCell<Option<Hook>> = const { RefCell::new(None) };
    /// The effect of the next creation.
    static ON_CREATE: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

fn run(hook: &'static std::thread::LocalKey<RefCell<Option<Hook>>>) {
    if let Some(hook) = hook.take() {
        hook();
    }
}

#[derive(PartialEq, Eq)]
struct Key(u32);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        run(&ON_CLONE);
        Self(self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Makes the number of its device; of key 13, an error.
struct NumbersOf<const PLACE: usize>;

type Numbers = NumbersOf<0>;

impl<const PLACE: usize> CacheableKernel<Numbered> for NumbersOf<PLACE> {
    type Key = Key;
    type CachedResource = Arc<u64>;
    type Params = u32;

    const CACHE_NAME: &'static str = ["numbers", "other numbers"][PLACE];

    fn create_cache_key(key: &u32) -> Key {
        Key(*key)
    }

    fn create_cached_resource(key: &Key, device: Option<&Numbered>) -> Result<Arc<u64>, Error> {
        run(&ON_CREATE);
        if key.0 == 13 {
            return Err(Error::invalid_params("13"));
        }
        Ok(Arc::new(device.ok_or(Error::DeviceNotAvailable)?.0))
    }

    fn device_identity(device: &Numbered) -> Option<u64> {
        run(&ON_IDENTITY);
        Some(device.0)
    }
}

fn registry() -> SharedRegistry<Numbered> {
    SharedRegistry::with_device(Numbered(1))
}

fn lose_when(
    hook: &'static std::thread::LocalKey<RefCell<Option<Hook>>>,
    registry: &SharedRegistry<Numbered>,
) {
    let registry = registry.clone();
    hook.set(Some(Box::new(move || registry.device_lost(Some(Numbered(2))))));
}

#[test]
fn a_device_that_is_lost_before_its_creation_begins_makes_nothing_that_stays() {
    let registry = registry();
    registry.get_or_create::<Numbers>(&1, None).unwrap();
    lose_when(&ON_CLONE, &registry);
    let error = registry.get_or_create::<Numbers>(&2, None).unwrap_err();
    assert!(matches!(error.root(), Error::DeviceLost), "{error:?}");
    assert_eq!(*registry.get_or_create::<Numbers>(&2, None).unwrap(), 2);
    assert_eq!(*registry.get_or_create::<Numbers>(&1, Some(&Numbered(2))).unwrap(), 2);
}

#[test]
fn a_device_that_is_lost_while_a_fallback_is_asked_for_is_lost_and_not_another_one() {
    for is_local in [false, true] {
        let registry = registry();
        let mut local = registry.local();
        let other = registry.clone();
        ON_IDENTITY.set(Some(Box::new(move || {
            other.device_lost(Some(Numbered(2)));
            other.get_or_create::<Numbers>(&2, None).unwrap();
        })));
        let fallback = || Arc::new(0);
        let error = match is_local {
            true => local.get_or_fallback::<Numbers>(&1, fallback),
            false => registry.get_or_fallback::<Numbers>(&1, fallback),
        };
        assert!(matches!(error.unwrap_err(), Error::DeviceLost));
    }
}

#[test]
fn a_local_creates_nothing_on_a_device_that_was_lost_meanwhile() {
    let registry = registry();
    let mut local = registry.local();
    lose_when(&ON_CLONE, &registry);
    local.get_or_create::<Numbers>(&2, None).unwrap_err();
    assert_eq!(**local.get_or_create::<Numbers>(&2, None).unwrap(), 2);
}

#[test]
fn a_failure_on_a_device_that_was_lost_meanwhile_is_not_remembered() {
    let registry = registry();
    registry.set_failure_policy::<Numbers>(OnFailure::Remember { backoff: std::time::Duration::MAX });
    lose_when(&ON_CREATE, &registry);
    registry.get_or_create::<Numbers>(&13, None).unwrap_err();
    let begun = std::rc::Rc::new(std::cell::Cell::new(false));
    let seen = begun.clone();
    ON_CREATE.set(Some(Box::new(move || seen.set(true))));
    registry.get_or_create::<Numbers>(&13, None).unwrap_err();
    assert!(begun.get(), "the new device was not tried");
}

#[test]
fn a_cache_that_has_nothing_left_is_of_no_device() {
    let registry = registry();
    registry.get_or_create::<Numbers>(&1, Some(&Numbered(2))).unwrap();
    registry.get_or_create::<Numbers>(&1, Some(&Numbered(3))).unwrap_err();
    registry.remove::<Numbers>(&Key(1)).unwrap();
    assert_eq!(*registry.get_or_create::<Numbers>(&1, Some(&Numbered(3))).unwrap(), 3);
}

#[test]
fn a_local_and_a_ticket_are_of_one_device_too() {
    let registry = registry();
    let mut local = registry.local();
    local.get_or_create::<Numbers>(&1, Some(&Numbered(2))).unwrap();
    let error = local.get_or_create::<Numbers>(&1, Some(&Numbered(3))).unwrap_err();
    assert!(matches!(error, Error::AnotherDevice { made_on: 2, asked_for: 3, .. }), "{error:?}");
    let error = registry.prefetch::<Numbers>(&4).wait().unwrap_err();
    assert!(matches!(error.root(), Error::AnotherDevice { made_on: 2, asked_for: 1, .. }), "{error:?}");
    assert_eq!(registry.metrics::<Numbers>().unwrap().size, 1);
}

#[test]
fn a_cache_that_a_failed_creation_leaves_empty_is_of_no_device() {
    let registry = registry();
    registry.get_or_create::<Numbers>(&1, Some(&Numbered(2))).unwrap();
    let other = registry.clone();
    ON_CREATE.set(Some(Box::new(move || drop(other.remove::<Numbers>(&Key(1)).unwrap()))));
    registry.get_or_create::<Numbers>(&13, Some(&Numbered(2))).unwrap_err();
    assert_eq!(registry.metrics::<Numbers>().unwrap().size, 0);
    assert_eq!(*registry.get_or_create::<Numbers>(&1, Some(&Numbered(3))).unwrap(), 3);
}

#[test]
fn what_two_devices_create_at_once_does_not_come_into_one_cache() {
    let registry = registry();
    let other = registry.clone();
    ON_CLONE.set(Some(Box::new(move || {
        other.get_or_create::<Numbers>(&2, Some(&Numbered(2))).unwrap();
    })));
    let error = registry.get_or_create::<Numbers>(&1, None).unwrap_err();
    assert!(matches!(error, Error::AnotherDevice { made_on: 2, asked_for: 1, .. }), "{error:?}");
    let other = registry.clone();
    registry.clear_cache::<Numbers>();
    ON_CREATE.set(Some(Box::new(move || {
        other.get_or_create::<Numbers>(&2, Some(&Numbered(3))).unwrap();
    })));
    let error = registry.get_or_create::<Numbers>(&1, None).unwrap_err();
    assert!(matches!(error, Error::AnotherDevice { made_on: 3, asked_for: 1, .. }), "{error:?}");
    assert_eq!(registry.metrics::<Numbers>().unwrap().size, 1);
}

/// Asks for something in both caches at the first removal.
struct Asking {
    registry: SharedRegistry<Numbered>,
    answers: Mutex<Vec<Result<Arc<u64>, Error>>>,
}

impl EventSink for Asking {
    fn record(&self, event: &Event) {
        if event.kind() == EventKind::EntryRemoved && self.answers.lock().unwrap().is_empty() {
            let answers = [
                self.registry.get_or_create::<NumbersOf<0>>(&7, None),
                self.registry.get_or_create::<NumbersOf<1>>(&7, None),
            ];
            self.answers.lock().unwrap().extend(answers);
        }
    }
}

#[test]
fn all_caches_are_ready_for_the_new_device_before_anyone_hears_of_it() {
    let registry = registry();
    registry.get_or_create::<NumbersOf<0>>(&1, None).unwrap();
    registry.get_or_create::<NumbersOf<1>>(&1, None).unwrap();
    let sink = Arc::new(Asking { registry: registry.clone(), answers: Mutex::default() });
    registry.set_sink(Some(sink.clone()));
    registry.device_lost(Some(Numbered(2)));
    registry.set_sink(None);
    let answers = std::mem::take(&mut *sink.answers.lock().unwrap());
    assert_eq!(answers.into_iter().map(|answer| *answer.unwrap()).collect::<Vec<_>>(), [2, 2]);
    assert!(
        registry.peek::<NumbersOf<0>>(&Key(7)).is_some() && registry.peek::<NumbersOf<1>>(&Key(7)).is_some()
    );
}
