//! Sums on the host.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::add::{AddCall, AddKernel, AddKey};

use super::composition;
use crate::device::HostDevice;
use crate::element::{Element, with_element};
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;

/// How many elements a thread adds at a time.
const BLOCK: usize = 4096;

/// How many elements a thread adds in a nanosecond, about.
const ELEMENTS_A_NANOSECOND: u64 = 8;

/// There is nothing to plan: what is worth keeping is that the key was found to be right.
impl Runs<AddKernel> for HostDevice {
    type Plan = ();

    fn plan(&self, _: &AddKey) -> Result<(), MetalError> {
        Ok(())
    }

    fn run(&self, (): &(), key: &AddKey, call: AddCall<'_, HostTensor>) -> Result<(), MetalError> {
        with_element!(key.dtype, add(self, call))
    }

    fn plan_composition(plan: &()) -> Option<Composition> {
        composition(plan)
    }
}

fn add<E: Element>(device: &HostDevice, call: AddCall<'_, HostTensor>) -> Result<(), MetalError> {
    let AddCall { elements, period, a, b, output } = call;
    let workers = device.workers(elements as u64 / ELEMENTS_A_NANOSECOND)?;
    let (a, b) = (&E::of(a)[..elements], &E::of(b)[..period.min(elements)]);
    let blocks = E::of_mut(output)[..elements].chunks_mut(BLOCK).enumerate();
    workers.share(blocks, |(block, output)| {
        let mut begin = block * BLOCK;
        let mut output = output;
        while !output.is_empty() {
            let offset = begin % period;
            let length = output.len().min(b.len() - offset);
            let (run, rest) = output.split_at_mut(length);
            sum(&a[begin..][..length], &b[offset..][..length], run);
            (begin, output) = (begin + length, rest);
        }
    });
    Ok(())
}

fn sum<E: Element>(a: &[E], b: &[E], output: &mut [E]) {
    let part = if E::WIDENS { output.len() } else { 0 };
    with_scratch(3 * part, |scratch| {
        let (scratch_a, rest) = scratch.split_at_mut(part);
        let (scratch_b, scratch) = rest.split_at_mut(part);
        let (a, b) = (E::widen(a, scratch_a), E::widen(b, scratch_b));
        E::narrow(output, false, scratch, |output| {
            for ((output, a), b) in output.iter_mut().zip(a).zip(b) {
                *output = a + b;
            }
        });
    });
}
