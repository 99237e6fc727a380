//! Stores that fail, panic or call back: the resource is created as if there were none.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metallic::PortableKernel;
use metallic::caching::{CacheableKernel, Creation, SharedRegistry};
use metallic::creation::{ArtifactStore, Content, Fingerprint, PersistentKernel};
use metallic::error::Error;
use metallic_store::{
    Entry, EntryId, EntryInfo, Journal, Lease, LeaseGuard, MemoryStore, MissCause, SaveError, StoreEvent,
    StoreObserver, Subject,
};

use crate::kernels::{Code, Key, Kind, Machine, code, misses_and_loads};

/// A store of which one call fails, or all from one on.
#[derive(Debug)]
struct Faulty {
    inner: MemoryStore,
    fault: Fault,
    calls: AtomicU64,
    /// The call that fails.
    at: u64,
    lasting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Error,
    Panic,
    /// Leases panic when they are given back, and calls do not.
    PanickingLease,
}

impl Faulty {
    fn fails(&self) -> bool {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let reached = call == self.at || self.lasting && call > self.at;
        let fails = reached && self.fault != Fault::PanickingLease;
        assert!(!fails || self.fault != Fault::Panic, "the store panics, as it is told to");
        fails
    }
}

/// A lease that panics when it is given back.
struct Panics(Option<LeaseGuard>);

impl Drop for Panics {
    fn drop(&mut self) {
        drop(self.0.take());
        panic!("the lease panics, as it is told to");
    }
}

impl ArtifactStore for Faulty {
    fn journal(&self) -> &Journal {
        self.inner.journal()
    }
    fn read(&self, id: &EntryId) -> Result<Entry, MissCause> {
        if self.fails() { Err(MissCause::Unreadable(ErrorKind::Other)) } else { self.inner.read(id) }
    }
    fn write(&self, entry: &Entry) -> Result<(), SaveError> {
        if self.fails() { Err(SaveError::Full(1)) } else { self.inner.write(entry) }
    }
    fn remove(&self, id: &EntryId) -> Result<bool, SaveError> {
        if self.fails() { Err(SaveError::ReadOnly) } else { self.inner.remove(id) }
    }
    fn ids(&self, subject: Option<Subject>) -> Result<Vec<EntryId>, MissCause> {
        if self.fails() { Err(MissCause::Unreadable(ErrorKind::Other)) } else { self.inner.ids(subject) }
    }
    fn info(&self, id: &EntryId) -> Result<EntryInfo, MissCause> {
        if self.fails() { Err(MissCause::NotAFile) } else { self.inner.info(id) }
    }
    fn lease(&self, id: &EntryId, wait: Duration) -> Lease {
        if self.fails() {
            return Lease::TimedOut;
        }
        match self.inner.lease(id, wait) {
            Lease::Held(lease) if self.fault == Fault::PanickingLease => {
                Lease::Held(LeaseGuard::new(Panics(Some(lease))))
            }
            lease => lease,
        }
    }
}

#[test]
fn no_fault_at_any_call_fails_a_creation() {
    let mut rounds = 0;
    let faults = [Fault::Error, Fault::Panic, Fault::PanickingLease];
    for (fault, lasting) in faults.into_iter().flat_map(|fault| [(fault, false), (fault, true)]) {
        for kind in Kind::ALL {
            for refuses in [false, true] {
                for at in 0.. {
                    let (inner, calls) = (MemoryStore::new(), AtomicU64::new(0));
                    let store = Arc::new(Faulty { inner, fault, calls, at, lasting });
                    let key = Key::new(kind, 7);
                    for _ in 0..3 {
                        let machine = Machine::new("build", "550");
                        let registry = machine.registry_over(store.clone());
                        if refuses {
                            machine.refuse_next();
                        }
                        let created = registry.get_or_create::<Code>(&key, None);
                        assert_eq!(created.unwrap(), code(&key), "{fault:?} at {at}");
                        assert!(machine.given().iter().all(|given| *given == code(&key)));
                    }
                    rounds += 1;
                    if store.calls.load(Ordering::SeqCst) <= at {
                        break;
                    }
                    assert!(at < 100, "creations that never end");
                }
            }
        }
    }
    println!("{rounds} rounds of three creations, each with a fault at another call");
}

/// Panics whatever it hears of.
struct PanickingObserver;

impl StoreObserver for PanickingObserver {
    fn observe(&self, _: &StoreEvent<'_>) {
        panic!("an observer's fault");
    }
}

#[test]
fn an_observer_that_panics_fails_no_one() {
    let store = Arc::new(MemoryStore::new().with_observer(Arc::new(PanickingObserver)));
    for kind in Kind::ALL {
        let (machine, key) = (Machine::new("build", "550"), Key::new(kind, 7));
        let registry = machine.registry_over(store.clone());
        assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key));
    }
}

/// Asks the registry for what is being created, and takes its store away, at the first thing it hears of.
struct Curious {
    registry: OnceLock<SharedRegistry<Machine>>,
    answers: AtomicU64,
}

impl StoreObserver for Curious {
    fn observe(&self, _: &StoreEvent<'_>) {
        let registry = self.registry.get().unwrap();
        if self.answers.fetch_add(1, Ordering::SeqCst) == 0 {
            let again = registry.get_or_create::<Code>(&Key::new(Kind::Typed, 7), None);
            assert!(matches!(again, Err(Error::RecursiveCreation { .. })), "{again:?}");
            registry.get_or_create::<Code>(&Key::new(Kind::Typed, 8), None).unwrap();
            registry.set_store(None);
        }
    }
}

#[test]
fn an_observer_may_use_the_registry_that_it_hears_of() {
    let curious = Arc::new(Curious { registry: OnceLock::new(), answers: AtomicU64::new(0) });
    let store = Arc::new(MemoryStore::new().with_observer(curious.clone()));
    let registry = Machine::new("build", "550").registry_over(store);
    assert!(curious.registry.set(registry.clone()).is_ok());
    let key = Key::new(Kind::Typed, 7);
    assert_eq!(registry.get_or_create::<Code>(&key, None).unwrap(), code(&key));
    assert!(registry.store().is_none());
    assert_eq!(misses_and_loads(&registry), (2, 0));
}

/// A kernel whose parts panic, or cannot be encoded, as its key says.
struct Odd;

impl CacheableKernel<Machine> for Odd {
    type Key = Text;
    type CachedResource = usize;
    type Params = String;

    const CACHE_NAME: &'static str = "odd";

    fn create_cache_key(key: &String) -> Text {
        Text(key.clone())
    }

    fn create_cached_resource(Text(key): &Text, _: Option<&Machine>) -> Result<usize, Error> {
        Ok(key.len())
    }

    fn create(Text(key): &Text, cx: &mut Creation<'_, Self, Machine>) -> Result<usize, Error> {
        assert!(!key.contains("itself"), "the kernel panics");
        let artifact = cx.artifact(|| {
            assert!(!key.contains("compiler"), "the compiler panics");
            Ok::<_, Error>(key.clone().into_bytes())
        })?;
        Ok(artifact.bytes() as usize)
    }
}

impl PortableKernel<Machine> for Odd {
    const SCHEMA: u32 = 1;
}

impl PersistentKernel<Machine> for Odd {
    fn fingerprint(_: &Machine) -> Fingerprint {
        Fingerprint::new()
    }

    fn content(Text(key): &Text, _: &Machine) -> Option<Content> {
        assert!(!key.contains("content"), "the content panics");
        None
    }
}

/// A text that some cannot be written of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
struct Text(String);

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.0 {
            "unwritable" => Err(serde::ser::Error::custom("it has no portable form")),
            text => serializer.serialize_str(text),
        }
    }
}

#[test]
fn a_panic_of_the_kernel_is_the_callers_and_frees_the_lease() {
    let store = Arc::new(MemoryStore::new());
    let registry = Machine::new("build", "550").registry_over(store.clone());
    for key in ["content", "compiler"] {
        for _ in 0..2 {
            // A lease that stayed would be waited for: for half a minute, and then this would not be a panic.
            let created = || registry.get_or_create::<Odd>(&key.to_owned(), None);
            assert!(catch_unwind(AssertUnwindSafe(created)).is_err(), "{key}");
        }
    }
    assert_eq!(store.stats().unleased, 0);
    assert_eq!(registry.metrics::<Odd>().unwrap().failed_creations, 4);
    assert_eq!(registry.get_or_create::<Odd>(&"well".to_owned(), None).unwrap(), 4);
}

#[test]
fn a_key_that_no_store_can_have_is_created_without() {
    let store = Arc::new(MemoryStore::new());
    let registry = Machine::new("build", "550").registry_over(store.clone());
    assert_eq!(registry.get_or_create::<Odd>(&"unwritable".to_owned(), None).unwrap(), 10);
    assert_eq!((store.stats().written, store.stats().misses()), (0, 0));
}

#[test]
fn a_key_that_is_longer_than_a_store_takes_is_found_all_the_same() {
    let store = Arc::new(MemoryStore::new());
    let (long, other) = ("x".repeat(100_000), "y".repeat(100_000));
    for loads in [0, 2] {
        let registry = Machine::new("build", "550").registry_over(store.clone());
        for key in [&long, &other] {
            assert_eq!(registry.get_or_create::<Odd>(key, None).unwrap(), 100_000);
        }
        assert_eq!(registry.metrics::<Odd>().unwrap().loads, loads);
    }
}
