//! GELU on the host.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::gelu::{GeluApproximation, GeluCall, GeluKernel, GeluKey};

use super::composition;
use crate::device::HostDevice;
use crate::element::{Element, with_element};
use crate::function::{Function, map};
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;

/// How many elements a thread computes at a time.
const BLOCK: usize = 4096;

/// How many elements a thread works on in a nanosecond, about.
const ELEMENTS_A_NANOSECOND: u64 = 2;

/// Which function it is.
#[derive(Clone, Copy, Debug)]
pub struct GeluPlan(Function);

impl Runs<GeluKernel> for HostDevice {
    type Plan = GeluPlan;

    fn plan(&self, key: &GeluKey) -> Result<GeluPlan, MetalError> {
        Ok(GeluPlan(match key.approximation {
            GeluApproximation::None => Function::GeluErf,
            GeluApproximation::Tanh => Function::GeluTanh,
        }))
    }

    fn run(&self, plan: &GeluPlan, key: &GeluKey, call: GeluCall<'_, HostTensor>) -> Result<(), MetalError> {
        with_element!(key.dtype, gelu(self, plan.0, call))
    }

    fn plan_composition(plan: &GeluPlan) -> Option<Composition> {
        composition(plan)
    }
}

fn gelu<E: Element>(
    device: &HostDevice,
    function: Function,
    call: GeluCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let GeluCall { elements, input, output } = call;
    let workers = device.workers(elements as u64 / ELEMENTS_A_NANOSECOND)?;
    let input = &E::of(input)[..elements];
    let blocks = E::of_mut(output)[..elements].chunks_mut(BLOCK).zip(input.chunks(BLOCK));
    workers.share(blocks, |(output, input)| {
        let part = if E::WIDENS { BLOCK } else { 0 };
        with_scratch(2 * part, |scratch| {
            let (scratch_in, scratch_out) = scratch.split_at_mut(part);
            let input = E::widen(input, scratch_in);
            E::narrow(output, false, scratch_out, |output| map(input, output, function));
        });
    });
    Ok(())
}
