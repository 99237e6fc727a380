//! Slots and pools in scopes that are armed.

use metallic::Dtype;
use metallic::caching::{CacheRegistry, ResourceCache, SharedRegistry};
use metallic::creation::{Contract, Supervisor};
use metallic::error::MetalError;
use metallic::slots::{KvCacheConfig, KvCacheState, PreparedForm, Versioned};
use metallic_instrumentation::{CreationViolation, ViolationMode};

use crate::vec_device::{VecDevice, VecTensor};

fn refused(error: &MetalError) -> &CreationViolation {
    match error.root() {
        MetalError::CreationRefused(violation) => violation,
        other => panic!("not refused, but {other:?}"),
    }
}

#[test]
fn the_growth_of_a_kv_cache_is_refused_and_what_it_has_room_for_is_not() {
    let device = VecDevice::default();
    let mut cache = ResourceCache::from(CacheRegistry::with_device(device.clone()));
    let config = KvCacheConfig::new(1, 2, Dtype::F32, 1 << 20);
    cache.kv_cache(&config).unwrap().reserve(&device, 4).unwrap();
    let armed = cache.registry_mut().arm("serving", Contract::Refuse);
    let kv = cache.kv_cache(&config).unwrap();
    let capacity = kv.capacity();
    kv.reserve(&device, capacity).unwrap();
    let error = kv.reserve(&device, capacity + 1).unwrap_err();
    assert_eq!(*refused(&error).cache_key, format!("kv_cache:KvCache{{positions:{}}}", capacity + 1));
    assert!(refused(&error).caller.as_deref().is_some_and(|caller| caller.contains("armed_slots.rs:")));
    assert_eq!((kv.capacity(), kv.metrics().refusals), (capacity, 1));
    drop(armed);
    cache.kv_cache(&config).unwrap().reserve(&device, capacity + 1).unwrap();
}

#[test]
fn the_preparation_of_a_tensor_is_refused_in_a_registry_of_either_kind() {
    let device = VecDevice::default();
    let (known, new) = (Versioned::new(()), Versioned::new(()));
    let form = PreparedForm::as_is(Dtype::F32);
    let shared = SharedRegistry::with_device(device.clone());
    let supervisor = shared.supervisor();
    let mut own = CacheRegistry::with_device(device);
    own.supervise(&supervisor);
    let (mut own, mut local) = (ResourceCache::from(own), ResourceCache::from(shared.local()));
    macro_rules! prepare {
        ($cache:ident, $source:ident) => {
            $cache.get_or_prepare($source.version(), form, None, |device| {
                metallic::device::ComputeDevice::zeros(device, 1, Dtype::F32)
            })
        };
    }
    prepare!(own, known).unwrap();
    prepare!(local, known).unwrap();
    let armed = supervisor.arm("serving", Contract::Refuse);
    prepare!(own, known).unwrap();
    prepare!(local, known).unwrap();
    for error in [prepare!(own, new).err().unwrap(), prepare!(local, new).err().unwrap()] {
        assert_eq!(&*refused(&error).cache, "tensor_preparation");
        assert!(refused(&error).nearest_key.is_some());
        assert!(refused(&error).caller.as_deref().is_some_and(|caller| caller.contains("armed_slots.rs:")));
    }
    assert_eq!(armed.violations(), 2);
}

#[test]
fn an_item_of_a_pool_is_made_and_warned_of() {
    let registry: SharedRegistry = SharedRegistry::new();
    let buffers = registry.pool::<usize, Vec<u8>>("buffer").unwrap();
    drop(buffers.checkout(&8, || vec![0; 8]));
    let armed = registry.arm("serving", Contract::Refuse);
    let (one, other) = (buffers.checkout(&8, || vec![0; 8]), buffers.checkout(&8, || vec![0; 8]));
    assert_eq!((one.len(), other.len()), (8, 8));
    let violations = armed.first_violations();
    assert_eq!(violations.len(), 1);
    assert_eq!((&*violations[0].cache_key, violations[0].mode), ("buffer:8", ViolationMode::Warn));
    assert!(violations[0].caller.as_deref().is_some_and(|caller| caller.contains("armed_slots.rs:")));
}

#[test]
fn growth_of_a_threads_own_slot_is_refused_also_if_the_slot_was_there_before_the_first_scope() {
    let device = VecDevice::default();
    let registry = SharedRegistry::with_device(device.clone());
    let mut local = registry.local();
    let config = KvCacheConfig::new(1, 2, Dtype::F32, 1 << 20);
    let kv = local.slot_mut(|| KvCacheState::<VecTensor>::new(config));
    kv.reserve(&device, 4).unwrap();
    let capacity = kv.capacity();
    let supervisor = Supervisor::new();
    for armed in [registry.arm("serving", Contract::Refuse), supervisor.arm("another", Contract::Refuse)] {
        let kv = local.slot_mut::<KvCacheState<VecTensor>>(|| unreachable!());
        let error = kv.reserve(&device, capacity + 1).unwrap_err();
        assert!(matches!(error.root(), MetalError::CreationRefused(_)), "{error}");
        assert_eq!(armed.violations(), 1);
        registry.supervise(&supervisor);
    }
    local.slot_mut::<KvCacheState<VecTensor>>(|| unreachable!()).reserve(&device, capacity + 1).unwrap();
}
