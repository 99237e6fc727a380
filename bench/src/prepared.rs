//! Prepared tensors, found by identity, version and form.

use std::hint::black_box;
use std::rc::Rc;

use metallic::Dtype;
use metallic::caching::{CacheRegistry, EvictionPolicy};
use metallic::slots::{PreparedForm, TensorPreparationCache, TensorVersion};
use metallic::tensor::Tensor;

use crate::contender::Subject;
use crate::workload::{Forge, Workload};

struct Weights;

impl Tensor for Weights {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn elements(&self) -> usize {
        0
    }
}

type Registry = CacheRegistry<Forge>;

const FORM: PreparedForm = PreparedForm::transposed(Dtype::F32);

/// In a registry's slot, under size-limited LRU, with as many tensors as the workload has keys.
pub fn in_a_slot(workload: &Rc<Workload>) -> Subject {
    let mut registry = Registry::with_device(workload.forge.clone());
    let policy = EvictionPolicy::size_limited_lru(workload.capacity);
    registry.slot_mut(TensorPreparationCache::<Weights>::default).set_eviction_policy(policy);
    let sources: Vec<_> = workload.first.iter().map(|_| TensorVersion::unchanging()).collect();
    look_up(&mut registry, &sources, &workload.first);
    let workload = workload.clone();
    Subject::with_loop(workload.sequence.len() as u64, move || {
        let made = look_up(&mut registry, &sources, &workload.sequence);
        assert_eq!(made, 0, "tensors prepared by look-ups that should hit");
    })
}

/// Returns how many were prepared.
#[inline(never)]
fn look_up(registry: &mut Registry, sources: &[TensorVersion], indices: &[u32]) -> u64 {
    let mut made = 0;
    for &index in indices {
        let cache = registry.slot_mut(TensorPreparationCache::<Weights>::default);
        let prepare = || {
            made += 1;
            Ok(Weights)
        };
        let found = cache.get_or_prepare(*black_box(&sources[index as usize]), FORM, prepare);
        drop(black_box(found.expect("the preparation never fails")));
    }
    made
}
