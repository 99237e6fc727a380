//! Writes into a KV cache on the host.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::kv_cache_write::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteKey};
use metallic::tensor::MatrixRef;

use super::composition;
use crate::device::HostDevice;
use crate::element::{Element, with_element};
use crate::rows::row;
use crate::tensor::HostTensor;

/// There is nothing to plan: what is worth keeping is that the key was found to be right.
impl Runs<KvCacheWriteKernel> for HostDevice {
    type Plan = ();

    fn plan(&self, _: &KvCacheWriteKey) -> Result<(), MetalError> {
        Ok(())
    }

    fn run(
        &self,
        (): &(),
        key: &KvCacheWriteKey,
        call: KvCacheWriteCall<'_, HostTensor>,
    ) -> Result<(), MetalError> {
        with_element!(key.dtype, write(key.width, call));
        Ok(())
    }

    fn plan_composition(plan: &()) -> Option<Composition> {
        composition(plan)
    }
}

/// One thread does it: it is a copy, usually of a few rows.
fn write<E: Element>(width: usize, call: KvCacheWriteCall<'_, HostTensor>) {
    let KvCacheWriteCall { batch, positions, position, capacity, k, v, keys, values } = call;
    let copy = |from: MatrixRef<'_, HostTensor>, to: &mut HostTensor| {
        for sequence in 0..batch {
            for index in 0..positions {
                let place = (sequence * capacity + position + index) * width;
                let from = row(E::of(from.tensor), &from.layout, sequence, index, width);
                E::of_mut(to)[place..][..width].copy_from_slice(from);
            }
        }
    };
    copy(k, keys);
    copy(v, values);
}
