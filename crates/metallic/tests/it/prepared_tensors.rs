//! Prepared tensors: identity, versions, failures, policies.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use metallic::Dtype;
use metallic::caching::{CacheRegistrySlot, EvictionPolicy, ManualClock, SlotContext};
use metallic::error::MetalError;
use metallic::slots::{
    PreparedForm, PreparedLayout, TensorId, TensorPreparationCache, TensorVersion, Versioned,
};
use metallic::tensor::Tensor;

use crate::doubles::{SECOND, panics};

/// Elements, and how often they are to be counted.
#[derive(Debug, PartialEq)]
pub(crate) struct Values(pub(crate) Vec<f32>);

impl Tensor for Values {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn elements(&self) -> usize {
        self.0.len()
    }
}

pub(crate) const AS_IS: PreparedForm = PreparedForm::as_is(Dtype::F32);
const TRANSPOSED: PreparedForm = PreparedForm::transposed(Dtype::F32);

type Cache = TensorPreparationCache<Values>;

/// Reverses the source.
fn prepare(cache: &mut Cache, source: &Versioned<Vec<f32>>, form: PreparedForm) -> Arc<Values> {
    let reversed = || Ok(Values(source.get().iter().rev().copied().collect()));
    cache.get_or_prepare(source.version(), form, reversed).unwrap()
}

fn no_preparation() -> Result<Values, MetalError> {
    unreachable!("it is there")
}

#[test]
fn a_form_is_prepared_once_and_a_handle_outlives_its_entry() {
    let mut cache = Cache::default();
    let source = Versioned::new(vec![1.0, 2.0]);
    let first = prepare(&mut cache, &source, AS_IS);
    let second = cache.get_or_prepare(source.version(), AS_IS, no_preparation).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    cache.clear();
    drop(cache);
    assert_eq!(first.0, [2.0, 1.0]);
}

#[test]
fn tensors_and_forms_are_told_apart() {
    let mut cache = Cache::default();
    let sources = [Versioned::new(vec![1.0]), Versioned::new(vec![1.0])];
    let forms = [
        AS_IS,
        TRANSPOSED,
        PreparedForm::as_is(Dtype::F16),
        PreparedForm::packed(8, 4, Dtype::F32),
        PreparedForm::packed(4, 8, Dtype::F32),
        PreparedForm::named("swizzled", Dtype::F32),
        PreparedForm::named("interleaved", Dtype::F32),
    ];
    for source in &sources {
        forms.iter().for_each(|form| drop(prepare(&mut cache, source, *form)));
    }
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.misses, metrics.hits), (14, 14, 0));
    assert_eq!(forms[3].layout, PreparedLayout::Packed { rows: 8, columns: 4 });
    cache.validate();
}

#[test]
fn a_changed_tensor_is_prepared_anew_and_what_was_is_freed() {
    let mut cache = Cache::default();
    let mut source = Versioned::new(vec![1.0, 2.0, 3.0]);
    let old = Arc::downgrade(&prepare(&mut cache, &source, AS_IS));
    drop(prepare(&mut cache, &source, TRANSPOSED));
    source.get_mut().truncate(2);
    assert_eq!(prepare(&mut cache, &source, AS_IS).0, [2.0, 1.0]);
    assert!(old.upgrade().is_none());
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.misses, metrics.removals, metrics.evictions), (2, 3, 1, 0));
    assert_eq!(metrics.bytes, 8 + 12, "the other form was not asked for yet");
    assert_eq!(cache.stale_removals(), 1);
    assert_eq!(prepare(&mut cache, &source, TRANSPOSED).0, [2.0, 1.0]);
    assert_eq!((cache.stale_removals(), cache.metrics().bytes), (2, 16));
    cache.validate();
}

#[test]
fn what_is_outdated_leaves_before_the_new_is_made() {
    let mut cache = Cache::default();
    let mut source = Versioned::new(vec![1.0]);
    let old = Arc::downgrade(&prepare(&mut cache, &source, AS_IS));
    source.get_mut()[0] = 2.0;
    let make = || {
        assert!(old.upgrade().is_none(), "both would take memory at once");
        Ok(Values(vec![2.0]))
    };
    cache.get_or_prepare(source.version(), AS_IS, make).unwrap();
}

#[test]
fn a_version_that_was_changed_since_is_an_error_and_changes_nothing() {
    let mut cache = Cache::default();
    let mut source = Versioned::new(vec![1.0]);
    let before = source.version();
    source.get_mut();
    let held = prepare(&mut cache, &source, AS_IS);
    let metrics = cache.metrics();
    let error = cache.get_or_prepare(before, AS_IS, no_preparation).unwrap_err();
    let MetalError::OutdatedTensor { tensor, version: 0, latest: 1 } = error else { panic!("{error:?}") };
    assert_eq!(
        error.to_string(),
        format!("tensor {tensor} was asked for in version 0 and is in version 1 by now")
    );
    assert_eq!((cache.metrics().hits, cache.metrics().misses), (metrics.hits, metrics.misses));
    assert!(cache.peek(before, AS_IS).is_none());
    assert!(Arc::ptr_eq(&cache.peek(source.version(), AS_IS).unwrap(), &held));
}

#[test]
fn callers_may_number_versions_themselves() {
    let mut cache = Cache::default();
    let id = TensorId::unique();
    for version in [3, 7, 1000, u64::MAX] {
        let source = TensorVersion { id, version };
        cache.get_or_prepare(source, AS_IS, || Ok(Values(vec![version as f32]))).unwrap();
        let again = cache.get_or_prepare(source, AS_IS, no_preparation).unwrap();
        assert_eq!(again.0, [version as f32]);
    }
    assert_eq!((cache.len(), cache.stale_removals()), (1, 3));
}

#[test]
fn a_clone_of_a_source_has_an_identity_of_its_own() {
    let mut cache = Cache::default();
    let mut source = Versioned::new(vec![1.0]);
    let mut clone = source.clone();
    source.get_mut()[0] = 2.0;
    clone.get_mut()[0] = 3.0;
    assert_eq!(source.version().version, clone.version().version);
    assert_eq!(prepare(&mut cache, &source, AS_IS).0, [2.0]);
    assert_eq!(prepare(&mut cache, &clone, AS_IS).0, [3.0]);
    assert_eq!(clone.into_inner(), [3.0]);
}

#[test]
fn a_failed_preparation_inserts_nothing_and_what_was_outdated_is_gone() {
    let mut cache = Cache::default();
    let mut source = Versioned::new(vec![1.0]);
    drop(prepare(&mut cache, &source, AS_IS));
    source.get_mut();
    let fail = || Err(MetalError::device("upload", "out of memory"));
    let error = cache.get_or_prepare(source.version(), AS_IS, fail).unwrap_err();
    assert_eq!(error.root().to_string(), "upload failed");
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.bytes, metrics.misses, metrics.failed_creations), (0, 0, 2, 1));
    assert_eq!(cache.stale_removals(), 1);
    cache.validate();
    drop(prepare(&mut cache, &source, AS_IS));
    assert_eq!((cache.len(), cache.stale_removals()), (1, 1));
}

#[test]
fn a_panicking_preparation_inserts_nothing_and_the_cache_goes_on() {
    let mut cache = Cache::default();
    let source = Versioned::new(vec![1.0]);
    let panicking = || panic!("the packing goes wrong");
    assert!(panics(|| drop(cache.get_or_prepare(source.version(), AS_IS, panicking))));
    let metrics = cache.metrics();
    assert_eq!((metrics.size, metrics.misses, metrics.failed_creations), (0, 1, 1));
    cache.validate();
    assert_eq!(prepare(&mut cache, &source, AS_IS).0, [1.0]);
}

#[test]
fn a_tensor_that_panics_when_it_leaves_leaves_a_whole_cache() {
    /// Panics when it is dropped, as often as it says.
    struct Fragile(Rc<Cell<u32>>);
    impl Tensor for Fragile {
        fn dtype(&self) -> Dtype {
            Dtype::F32
        }
        fn elements(&self) -> usize {
            1
        }
    }
    impl Drop for Fragile {
        fn drop(&mut self) {
            if self.0.get() > 0 {
                self.0.set(self.0.get() - 1);
                panic!("it breaks");
            }
        }
    }
    let breaks = Rc::new(Cell::new(1));
    let mut cache = TensorPreparationCache::<Fragile>::default();
    let mut source = Versioned::new(());
    let make = || Ok(Fragile(breaks.clone()));
    drop(cache.get_or_prepare(source.version(), AS_IS, make).unwrap());
    source.get_mut();
    assert!(panics(|| drop(cache.get_or_prepare(source.version(), AS_IS, || unreachable!()))));
    cache.validate();
    assert_eq!((cache.len(), cache.metrics().bytes, cache.stale_removals()), (0, 0, 1));
    drop(cache.get_or_prepare(source.version(), AS_IS, make).unwrap());
    assert_eq!((cache.len(), breaks.get()), (1, 0));
}

#[test]
fn a_policy_makes_prepared_tensors_leave() {
    let clock = ManualClock::new();
    let mut cache = Cache::default();
    cache.connect(&SlotContext::default().with_clock(clock.clone()));
    cache.set_eviction_policy(EvictionPolicy::hybrid(2, SECOND));
    assert_eq!(cache.eviction_policy().max_entries(), Some(2));
    let sources: Vec<_> = (0..3).map(|n| Versioned::new(vec![n as f32; 4])).collect();
    sources.iter().for_each(|source| drop(prepare(&mut cache, source, AS_IS)));
    assert!(cache.peek(sources[0].version(), AS_IS).is_none());
    assert_eq!((cache.len(), cache.metrics().evictions, cache.metrics().bytes), (2, 1, 32));
    clock.advance(2 * SECOND);
    cache.expire_idle();
    assert_eq!((cache.is_empty(), cache.metrics().evictions), (true, 3));
}

#[test]
fn bytes_and_creation_time_are_counted() {
    let clock = ManualClock::new();
    let mut cache = Cache::default();
    cache.connect(&SlotContext::default().with_clock(clock.clone()));
    let mut source = Versioned::new(vec![1.0; 100]);
    for round in 0..3 {
        for _ in 0..5 {
            let make = || {
                clock.advance(SECOND);
                Ok(Values(source.get().clone()))
            };
            cache.get_or_prepare(source.version(), AS_IS, make).unwrap();
        }
        let metrics = cache.metrics();
        assert_eq!(metrics.creation_time, (round + 1) * SECOND);
        assert_eq!(metrics.bytes, 400);
        source.get_mut();
    }
    assert_eq!(cache.metrics().oldest_entry_age, Some(Duration::ZERO));
}

#[test]
fn one_form_can_be_removed_and_a_tensor_forgotten() {
    let mut cache = Cache::default();
    let sources = [Versioned::new(vec![1.0]), Versioned::new(vec![2.0])];
    for source in &sources {
        drop(prepare(&mut cache, source, AS_IS));
        drop(prepare(&mut cache, source, TRANSPOSED));
    }
    let [first, second] = sources.map(|source| source.version().id);
    assert_eq!(cache.remove(first, AS_IS).unwrap().0, [1.0]);
    assert!(cache.remove(first, AS_IS).is_none());
    assert_eq!((cache.forget(second), cache.forget(second)), (2, 0));
    assert_eq!((cache.len(), cache.metrics().removals, cache.metrics().bytes), (1, 3, 4));
    cache.validate();
}
