//! Writes into a KV cache.

use metallic::caching::CacheableKernel;
use metallic::kernels::kv_cache_write::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteParams};
use metallic::kernels::{Operation, Runs};
use metallic::tensor::{Dtype, MatrixRef};
use proptest::prelude::*;

use super::cases::{Numbers, Outcome, done, size, try_cases};
use super::checked::Checked;
use super::deviation::check_untouched;
use super::inputs::{Found, check_inputs};
use super::operand::{Matrices, Spread, spread};
use super::refusals::{define_wrong, must_plan, no_plan, of_f16, tensor};
use super::sharing::check_plans;

#[derive(Debug)]
struct Case {
    batch: usize,
    width: usize,
    positions: usize,
    position: usize,
    capacity: usize,
    spreads: [Spread; 2],
    seed: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let spreads = [spread(true).boxed(), spread(true).boxed()];
    (1..4_usize, size(130), size(20), 0..20_usize, 0..20_usize, spreads, any::<u64>()).prop_map(
        |(batch, width, positions, position, room, spreads, seed)| {
            let capacity = position + positions + room;
            Case { batch, width, positions, position, capacity, spreads, seed }
        },
    )
}

impl Checked for KvCacheWriteKernel {
    /// Checks that writes arrive to the bit where they should, and nowhere else.
    fn compare<D: Runs<Self>>(device: &D, cases: usize) {
        try_cases(Self::NAME, device, cases, case(), check);
    }

    fn refuse<D: Runs<Self>>(device: &D) {
        for (width, dtype) in [(0, Dtype::F32), (3, Dtype::I8)] {
            no_plan::<Self, D>(device, &KvCacheWriteParams { width, dtype });
        }
        let params = KvCacheWriteParams { width: 3, dtype: Dtype::F32 };
        let plan = must_plan::<Self, D>(device, &params);
        let [k, v] = [6, 6].map(|elements| tensor(device, elements));
        define_wrong!(device, plan, [keys: 15, values: 15], KvCacheWriteCall {
            batch: 1,
            positions: 2,
            position: 3,
            capacity: 5,
            k: MatrixRef::dense(&k, 2, 3),
            v: MatrixRef::dense(&v, 2, 3),
            keys: &mut keys,
            values: &mut values,
        }, $);
        wrong!("a KV cache write beyond the capacity", |call| call.position = 4);
        wrong!("a KV cache write beyond all numbers", |call| call.position = usize::MAX);
        wrong!("a KV cache write of more positions than K has", |call| {
            call.positions = 3;
            call.position = 0;
        });
        wrong!("a KV cache write of a V beyond its end", |call| call.v.layout.offset = 1);
        wrong!("a KV cache write into caches too small", |call| call.capacity = 6);
        wrong!("a KV cache write of more sequences than there are", |call| call.batch = 2);
        let other = of_f16(device, 6);
        if let Some(other) = &other {
            wrong!("a KV cache write of a V of f16", |call| call.v.tensor = other);
        }
    }

    fn share<D: Runs<Self>>(device: &D) {
        let write = |width| KvCacheWriteParams { width, dtype: Dtype::F32 };
        check_plans::<Self, D>(device, [8, 8, 9].map(write), 2);
    }

    fn change_inputs<D: Runs<Self>>(device: &D) -> Found {
        let write = |(width, dtype)| KvCacheWriteParams { width, dtype };
        check_inputs::<Self, D>(device, [(8, Dtype::F32), (9, Dtype::F32), (8, Dtype::F16)].map(write))
    }
}

fn check<D: Runs<KvCacheWriteKernel>>(device: &D, dtype: Dtype, case: &Case) -> Outcome {
    let &Case { batch, width, positions, position, capacity, spreads: [spread_k, spread_v], seed } = case;
    let mut numbers = Numbers(seed);
    let shape = [batch, positions, width];
    let values = numbers.around(0.0, 1.0, spread_k.elements(shape));
    let k = Matrices::upload(device, dtype, &spread_k, shape, &values)?;
    let values = numbers.around(0.0, 1.0, spread_v.elements(shape));
    let v = Matrices::upload(device, dtype, &spread_v, shape, &values)?;
    let cache = [batch, capacity, width];
    let before = vec![7.0; batch * capacity * width];
    let mut keys = Matrices::upload(device, dtype, &Spread::DENSE, cache, &before)?;
    let mut values = Matrices::upload(device, dtype, &Spread::DENSE, cache, &before)?;

    let key = KvCacheWriteKernel::key(&KvCacheWriteParams { width, dtype });
    let plan = done("plan", KvCacheWriteKernel::create_cached_resource(&key, Some(device)))?;
    let call = KvCacheWriteCall {
        batch,
        positions,
        position,
        capacity,
        k: k.as_ref(),
        v: v.as_ref(),
        keys: &mut keys.tensor,
        values: &mut values.tensor,
    };
    done("run", plan.run(device, call))?;

    for (name, from, to) in [("the keys", &k, &keys.tensor), ("the values", &v, &values.tensor)] {
        let after = done("read", device.read(to, 0..before.len()))?;
        for sequence in 0..batch {
            let from = from.matrix(sequence);
            for at in 0..capacity * width {
                let after = after[sequence * capacity * width + at];
                match at.checked_sub(position * width).and_then(|at| from.get(at)) {
                    Some(from) if f64::from(after).to_bits() == from.to_bits() => {}
                    Some(from) => {
                        return Err(format!(
                            "element {at} of {name} of sequence {sequence} is {after:e}, where {from:e} was written"
                        ));
                    }
                    None => check_untouched(name, at, 7.0, after)?,
                }
            }
        }
    }
    Ok(())
}
