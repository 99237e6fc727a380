//! A machine that compiles, and a driver that remembers what it was given.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metallic::PortableKernel;
use metallic::caching::{CacheableKernel, Creation, SharedRegistry};
use metallic::creation::{Artifact, ArtifactStore, Content, Fingerprint, PersistentKernel};
use metallic::error::Error;
use metallic_store::{DiskOptions, DiskStore};
use serde::{Deserialize, Serialize};

/// The device: what it is, what it compiled, and what its driver was given.
#[derive(Clone)]
pub(crate) struct Machine(Arc<State>);

struct State {
    build: &'static str,
    driver: &'static str,
    compilations: AtomicU64,
    given: Mutex<Vec<Vec<u8>>>,
    refuses: AtomicBool,
    compile_time: Duration,
}

impl Machine {
    pub(crate) fn new(build: &'static str, driver: &'static str) -> Self {
        Self::with_compile_time(build, driver, Duration::ZERO)
    }

    pub(crate) fn with_compile_time(
        build: &'static str,
        driver: &'static str,
        compile_time: Duration,
    ) -> Self {
        let (compilations, given, refuses) = Default::default();
        Self(Arc::new(State { build, driver, compilations, given, refuses, compile_time }))
    }

    /// A registry on this machine, with a store in this folder.
    pub(crate) fn registry(&self, folder: &Path) -> SharedRegistry<Self> {
        self.registry_over(Arc::new(DiskStore::open(folder, DiskOptions::new())))
    }

    /// A registry on this machine, with this store.
    pub(crate) fn registry_over(&self, store: Arc<dyn ArtifactStore>) -> SharedRegistry<Self> {
        let registry = SharedRegistry::with_device(self.clone());
        registry.set_store(Some(store));
        registry
    }

    pub(crate) fn compilations(&self) -> u64 {
        self.0.compilations.load(Ordering::SeqCst)
    }

    /// Everything that the driver was given.
    pub(crate) fn given(&self) -> Vec<Vec<u8>> {
        self.0.given.lock().unwrap().clone()
    }

    /// Has the driver refuse what it is given next, unless this machine has compiled it.
    pub(crate) fn refuse_next(&self) {
        self.0.refuses.store(true, Ordering::SeqCst);
    }

    fn compile(&self, key: &Key) -> Vec<u8> {
        self.0.compilations.fetch_add(1, Ordering::SeqCst);
        if !self.0.compile_time.is_zero() {
            std::thread::sleep(self.0.compile_time);
        }
        code(key)
    }

    fn load(&self, code: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.given.lock().unwrap().push(code.to_vec());
        if self.0.refuses.swap(false, Ordering::SeqCst) && self.compilations() == 0 {
            return Err(Error::kernel("the driver refuses it"));
        }
        Ok(code.to_vec())
    }
}

/// The one result of compiling a key.
pub(crate) fn code(key: &Key) -> Vec<u8> {
    let source = key.source();
    source.bytes().cycle().take(200).enumerate().map(|(at, byte)| byte ^ at as u8).collect()
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) width: u32,
}

/// How the artifact of a key is made and found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Compiled to bytes, found by the key.
    Typed,
    /// Compiled to bytes, found by the key or by what is compiled. Widths that are rounded alike have one source.
    Content,
    /// Native and portable bytes.
    TwoPayloads,
    /// Read from the driver when the resource is finished.
    Late,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Typed, Self::Content, Self::TwoPayloads, Self::Late];
}

impl Key {
    pub(crate) fn new(kind: Kind, width: u32) -> Self {
        Self { kind, width }
    }

    fn source(&self) -> String {
        match self.kind {
            Kind::Content => format!("scale {}", self.width.next_multiple_of(64)),
            kind => format!("{kind:?} {}", self.width),
        }
    }
}

/// A kernel whose resource is the bytes that the driver accepted.
pub(crate) struct Code;

impl CacheableKernel<Machine> for Code {
    type Key = Key;
    type CachedResource = Vec<u8>;
    type Params = Key;

    const CACHE_NAME: &'static str = "code";

    fn create_cache_key(key: &Key) -> Key {
        key.clone()
    }

    fn create_cached_resource(key: &Key, machine: Option<&Machine>) -> Result<Vec<u8>, Error> {
        let machine = machine.ok_or(Error::DeviceNotAvailable)?;
        machine.load(&machine.compile(key))
    }

    fn create(key: &Key, cx: &mut Creation<'_, Self, Machine>) -> Result<Vec<u8>, Error> {
        let machine = cx.device().ok_or(Error::DeviceNotAvailable)?;
        if key.kind == Kind::Late {
            if let Some(stored) = cx.stored() {
                match machine.load(stored.payload(Artifact::NATIVE).unwrap_or_default()) {
                    Ok(resource) => return Ok(resource),
                    Err(refusal) => cx.reject(&refusal.to_string()),
                }
            }
            let resource = Self::create_cached_resource(key, Some(machine))?;
            cx.store(resource.clone());
            return Ok(resource);
        }
        let compile = || {
            let artifact = Artifact::from(machine.compile(key));
            Ok::<_, Error>(match key.kind {
                Kind::TwoPayloads => artifact.with_payload(Artifact::PORTABLE, key.source().as_bytes()),
                _ => artifact,
            })
        };
        let artifact = cx.artifact(compile)?;
        machine.load(artifact.payload(Artifact::NATIVE).unwrap_or_default()).or_else(|refusal| {
            cx.reject(&refusal.to_string());
            let artifact = cx.artifact(compile)?;
            machine.load(artifact.payload(Artifact::NATIVE).unwrap_or_default())
        })
    }
}

impl PortableKernel<Machine> for Code {
    const SCHEMA: u32 = 1;
}

impl PersistentKernel<Machine> for Code {
    fn fingerprint(machine: &Machine) -> Fingerprint {
        Fingerprint::new()
            .with_layer(Fingerprint::BUILD, machine.0.build)
            .with_layer("driver", machine.0.driver)
    }

    fn content(key: &Key, _: &Machine) -> Option<Content> {
        (key.kind == Kind::Content).then(|| Content::new().with("source", key.source()))
    }
}

/// As [`Code`], but an artifact that the driver refuses is an error.
pub(crate) struct Stubborn;

impl CacheableKernel<Machine> for Stubborn {
    type Key = Key;
    type CachedResource = Vec<u8>;
    type Params = Key;

    const CACHE_NAME: &'static str = "stubborn";

    fn create_cache_key(key: &Key) -> Key {
        key.clone()
    }

    fn create_cached_resource(key: &Key, machine: Option<&Machine>) -> Result<Vec<u8>, Error> {
        Code::create_cached_resource(key, machine)
    }

    fn create(key: &Key, cx: &mut Creation<'_, Self, Machine>) -> Result<Vec<u8>, Error> {
        let machine = cx.device().ok_or(Error::DeviceNotAvailable)?;
        let artifact = cx.artifact(|| Ok::<_, Error>(machine.compile(key)))?;
        machine.load(artifact.payload(Artifact::NATIVE).unwrap_or_default())
    }
}

impl PortableKernel<Machine> for Stubborn {
    const SCHEMA: u32 = 1;
}

impl PersistentKernel<Machine> for Stubborn {
    fn fingerprint(machine: &Machine) -> Fingerprint {
        Code::fingerprint(machine)
    }
}

/// The counts of a registry: look-ups that created, and those of them that loaded.
pub(crate) fn misses_and_loads(registry: &SharedRegistry<Machine>) -> (u64, u64) {
    let metrics = registry.metrics::<Code>().unwrap();
    (metrics.misses, metrics.loads)
}
