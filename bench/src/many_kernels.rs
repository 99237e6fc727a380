//! Eight kernels in turn: behind one registry, or each in a field of its own.

use std::hint::black_box;
use std::rc::Rc;

use metallic::caching::{EvictionPolicy, KernelCache};

use crate::contender::Subject;
use crate::ours::{Gemm, Registry};
use crate::workload::{Forge, Params, Workload};

trait Engine: 'static {
    /// One look-up in each of the eight caches.
    fn round(&mut self, params: [&Params; 8]);
}

impl Engine for Registry {
    #[inline]
    fn round(&mut self, params: [&Params; 8]) {
        macro_rules! each { ($($i:literal)*) => {$(
            black_box(self.get_or_create::<Gemm<$i>>(params[$i], None).expect("the forge never fails"));
        )*} }
        each!(0 1 2 3 4 5 6 7);
    }
}

#[derive(Default)]
struct Fields(
    KernelCache<Gemm<0>, Forge>,
    KernelCache<Gemm<1>, Forge>,
    KernelCache<Gemm<2>, Forge>,
    KernelCache<Gemm<3>, Forge>,
    KernelCache<Gemm<4>, Forge>,
    KernelCache<Gemm<5>, Forge>,
    KernelCache<Gemm<6>, Forge>,
    KernelCache<Gemm<7>, Forge>,
);

impl Engine for Fields {
    #[inline]
    fn round(&mut self, params: [&Params; 8]) {
        macro_rules! each { ($($i:tt)*) => {$(
            black_box(self.$i.get_or_create(params[$i], None).expect("the forge never fails"));
        )*} }
        each!(0 1 2 3 4 5 6 7);
    }
}

pub fn behind_a_registry(workload: &Rc<Workload>) -> Subject {
    let mut registry = Registry::with_device(workload.forge.clone());
    let policy = EvictionPolicy::size_limited_lru(workload.capacity);
    macro_rules! each { ($($i:literal)*) => {$( registry.set_eviction_policy::<Gemm<$i>>(policy); )*} }
    each!(0 1 2 3 4 5 6 7);
    subject(workload, registry)
}

pub fn in_fields(workload: &Rc<Workload>) -> Subject {
    let mut fields = Fields::default();
    let policy = EvictionPolicy::size_limited_lru(workload.capacity);
    macro_rules! each { ($($i:tt)*) => {$(
        fields.$i = KernelCache::default().with_device(workload.forge.clone());
        fields.$i.set_eviction_policy(policy);
    )*} }
    each!(0 1 2 3 4 5 6 7);
    subject(workload, fields)
}

/// Fills all caches with all keys, and then looks each key of the sequence up in the cache whose turn it is.
fn subject(workload: &Rc<Workload>, mut engine: impl Engine) -> Subject {
    let everywhere: Vec<u32> = workload.first.iter().flat_map(|&index| [index; 8]).collect();
    look_up(&mut engine, &workload.params.borrow(), &everywhere);
    let workload = workload.clone();
    let operations = workload.sequence.len() as u64;
    Subject::with_loop(operations, move || {
        look_up(&mut engine, &workload.params.borrow(), &workload.sequence)
    })
}

#[inline(never)]
fn look_up<E: Engine>(engine: &mut E, params: &[Params], indices: &[u32]) {
    for indices in indices.as_chunks().0 {
        engine.round(indices.map(|index| black_box(&params[index as usize])));
    }
}
