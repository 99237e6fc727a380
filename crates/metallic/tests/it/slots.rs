//! Slots, and many types of them beside many kernels.

use std::marker::PhantomData;
use std::sync::Arc;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, CacheRegistrySlot, ManualClock, SharedRegistry};
use metallic::slots::{PreparedForm, TensorPreparationCache, Versioned};
use metallic_instrumentation::Recorder;

use crate::doubles::{Add, KvCacheState, SECOND, TensorPreparation, data, names, told};
use crate::prepared_tensors::Values;

struct Marker<T>(PhantomData<T>);

impl<T: 'static> CacheRegistrySlot for Marker<T> {
    fn clear_slot(&mut self) {}
}

#[test]
fn a_slot_is_made_once_and_found_by_its_type() {
    let mut registry = CacheRegistry::new();
    assert!(registry.slot::<KvCacheState<f32>>().is_none());
    registry.slot_mut(|| KvCacheState { blocks: vec![1.0_f32] }).blocks.push(2.0);
    let again = registry.slot_mut(|| -> KvCacheState<f32> { unreachable!("there is one") });
    assert_eq!(again.blocks, [1.0, 2.0]);
    assert_eq!(registry.slot::<KvCacheState<f32>>().unwrap().blocks, [1.0, 2.0]);
}

#[test]
fn slots_of_different_types_are_different_slots() {
    let mut registry = CacheRegistry::new();
    registry.slot_mut(KvCacheState::<f32>::default).blocks.push(1.5);
    registry.slot_mut(KvCacheState::<u16>::default).blocks.push(7);
    registry.slot_mut(|| Marker::<u8>(PhantomData));
    assert!(registry.slot::<Marker<u8>>().is_some() && registry.slot::<Marker<i8>>().is_none());
    assert!(registry.clear_slot::<KvCacheState<u16>>());
    assert!(registry.slot::<KvCacheState<u16>>().unwrap().blocks.is_empty());
    assert_eq!(registry.slot::<KvCacheState<f32>>().unwrap().blocks, [1.5]);
}

#[test]
fn clear_slot_says_whether_there_is_one() {
    let mut registry = CacheRegistry::new();
    assert!(!registry.clear_slot::<TensorPreparation>());
    registry.slot_mut(TensorPreparation::default).prepared.insert("bias".to_owned(), 1);
    assert!(registry.clear_slot::<TensorPreparation>());
    assert!(registry.clear_slot::<TensorPreparation>(), "a cleared slot is still there");
    assert!(registry.slot::<TensorPreparation>().unwrap().prepared.is_empty());
}

#[test]
fn a_slot_and_a_cache_do_not_touch_each_other() {
    let mut registry = CacheRegistry::new();
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    registry.slot_mut(KvCacheState::<f32>::default).blocks.push(1.5);
    registry.clear_cache::<Add<1>>();
    assert_eq!(registry.slot::<KvCacheState<f32>>().unwrap().blocks, [1.5]);
    registry.get_or_create::<Add<1>>(&1, None).unwrap();
    registry.clear_slot::<KvCacheState<f32>>();
    assert_eq!(registry.metrics::<Add<1>>().unwrap().size, 1);
}

// Many types.

struct Page<const N: usize>(usize);

impl<const N: usize> CacheRegistrySlot for Page<N> {
    fn clear_slot(&mut self) {
        self.0 = 0;
    }
}

/// Calls a function for each of the numbers 0 to 95.
macro_rules! for_each_number {
    ($call:ident($registry:expr)) => {
        for_each_number!($call($registry) 0 12 24 36 48 60 72 84)
    };
    ($call:ident($registry:expr) $($base:literal)*) => {
        $(for_each_number!($call($registry) $base + 0 1 2 3 4 5 6 7 8 9 10 11);)*
    };
    ($call:ident($registry:expr) $base:literal + $($offset:literal)*) => {
        $($call::<{ $base + $offset }>($registry);)*
    };
}

#[test]
fn many_kernels_and_slots_in_one_registry_are_all_found_again() {
    fn fill<const N: usize>(registry: &mut CacheRegistry) {
        assert!(registry.metrics::<Add<N>>().is_none());
        assert!(registry.slot::<Page<N>>().is_none());
        assert_eq!(*registry.get_or_create::<Add<N>>(&1000, None).unwrap(), 1000 + N);
        registry.slot_mut(|| Page::<N>(N)).0 += 1;
    }
    fn find<const N: usize>(registry: &mut CacheRegistry) {
        assert_eq!(*registry.get_or_create::<Add<N>>(&1000, None).unwrap(), 1000 + N);
        assert_eq!(registry.cache::<Add<N>>().unwrap().metrics().hits, 1);
        assert_eq!(registry.slot::<Page<N>>().unwrap().0, N + 1);
    }
    fn remove_even<const N: usize>(registry: &mut CacheRegistry) {
        if N.is_multiple_of(2) {
            assert_eq!(registry.remove::<Add<N>>(&1000), Some(1000 + N));
            assert!(registry.clear_slot::<Page<N>>());
        }
    }
    fn only_odd_are_left<const N: usize>(registry: &mut CacheRegistry) {
        let (entries, page) = if N.is_multiple_of(2) { (0, 0) } else { (1, N + 1) };
        assert_eq!(registry.cache::<Add<N>>().unwrap().len(), entries);
        assert_eq!(registry.slot::<Page<N>>().unwrap().0, page);
    }
    fn is_clear<const N: usize>(registry: &mut CacheRegistry) {
        assert_eq!(registry.slot::<Page<N>>().unwrap().0, 0);
    }

    let mut registry = CacheRegistry::new();
    for_each_number!(fill(&mut registry));
    for_each_number!(find(&mut registry));
    for_each_number!(remove_even(&mut registry));
    for_each_number!(only_odd_are_left(&mut registry));
    let names = names(&registry);
    assert_eq!(names.len(), 96);
    assert!(names.is_sorted() && (names[0], names[95]) == ("add000", "add095"));

    registry.clear();
    assert!(registry.metrics_by_name().all(|(_, metrics)| metrics.size == 0 && metrics.hits == 1));
    for_each_number!(is_clear(&mut registry));
}

#[test]
fn many_kernels_in_one_shared_registry_are_all_found_again() {
    fn fill<const N: usize>(registry: &SharedRegistry) {
        assert!(registry.metrics::<Add<N>>().is_none());
        assert_eq!(registry.get_or_create::<Add<N>>(&1000, None).unwrap(), 1000 + N);
    }
    fn find<const N: usize>(registry: &SharedRegistry) {
        assert_eq!(registry.get_or_create::<Add<N>>(&1000, None).unwrap(), 1000 + N);
        let counters = registry.counters::<Add<N>>().unwrap();
        assert_eq!((counters.hits, counters.misses, counters.size), (1, 1, 1));
    }

    let registry = SharedRegistry::new();
    for_each_number!(fill(&registry));
    for_each_number!(find(&registry));
    assert_eq!(registry.metrics_by_name().count(), 96);
}

#[test]
fn a_slot_that_is_put_in_the_place_of_another_reports_as_it_did() {
    let (clock, recorder) = (ManualClock::new(), Arc::new(Recorder::new()));
    let mut registry = CacheRegistry::new().with_clock(clock.clone()).with_sink(recorder.clone());
    let source = Versioned::new(1.0);
    let form = PreparedForm::as_is(Dtype::F32);
    let prepare = |cache: &mut TensorPreparationCache<Values>| {
        cache.get_or_prepare(source.version(), form, || Ok(Values(vec![1.0]))).unwrap();
    };
    assert!(registry.insert_slot(TensorPreparationCache::<Values>::default()).is_none());
    prepare(registry.slot_mut(TensorPreparationCache::default));
    let mut replaced = registry.insert_slot(TensorPreparationCache::<Values>::default()).unwrap();
    assert_eq!(replaced.len(), 1);
    data(&recorder);
    clock.advance(SECOND);
    prepare(registry.slot_mut(TensorPreparationCache::default));
    let events = told(&recorder);
    assert_eq!(events.len(), 2, "a creation and an access");
    assert!(events.iter().all(|event| event.timestamp == Some(1_000_000_000)));
    // What was taken out has nothing to do with the registry any more.
    prepare(&mut replaced);
    assert_eq!(recorder.events(), []);
    assert!(registry.remove_slot::<TensorPreparationCache<Values>>().is_some());
    assert!(registry.remove_slot::<TensorPreparationCache<Values>>().is_none());
    assert_eq!(names(&registry), [""; 0], "its name is free");
}

/// A slot of each number.
struct Numbered<const N: usize>(usize);

impl<const N: usize> CacheRegistrySlot for Numbered<N> {
    fn clear_slot(&mut self) {
        self.0 = 0;
    }
}

#[test]
fn values_of_many_types_are_each_found_as_what_they_are() {
    let mut registry = CacheRegistry::new();
    macro_rules! each {
        ($action:ident: $($n:literal)*) => { $($action!($n);)* };
    }
    macro_rules! make {
        ($n:literal) => {
            registry.slot_mut(|| Numbered::<$n>($n));
            registry.get_or_create::<Add<$n>>(&1, None).unwrap();
        };
    }
    macro_rules! check {
        ($n:literal) => {
            assert_eq!(registry.slot::<Numbered<$n>>().map(|slot| slot.0), Some($n));
            assert_eq!(*registry.get_or_create::<Add<$n>>(&1, None).unwrap(), 1 + $n);
        };
    }
    macro_rules! take_out {
        ($n:literal) => {
            assert_eq!(registry.remove_slot::<Numbered<$n>>().map(|slot| slot.0), Some($n));
            assert!(registry.slot::<Numbered<$n>>().is_none());
        };
    }
    // More than there are near places: both tables have far ones.
    each!(make: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
    each!(make: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75);
    each!(check: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
    each!(check: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75);
    each!(take_out: 0 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40 42 44 46 48 50 52 54 56 58 60 62 64 66 68 70);
    each!(check: 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31 33 35 37 39 41 43 45 47 49 51 53 55 57 59 61 63 65 67 69 71 75);
}
