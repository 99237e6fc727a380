//! Layer normalisation on the host.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormKernel, LayerNormKey};

use super::composition;
use crate::device::HostDevice;
use crate::element::{Element, with_element};
use crate::normalisation::normalise;
use crate::rows::{row, row_blocks};
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;

/// About how many elements a thread normalises at a time.
const BLOCK: usize = 4096;

/// How many elements a thread works on in a nanosecond, about.
const ELEMENTS_A_NANOSECOND: u64 = 2;

/// How many rows a thread normalises at a time.
#[derive(Clone, Copy, Debug)]
pub struct LayerNormPlan {
    height: usize,
}

impl Runs<LayerNormKernel> for HostDevice {
    type Plan = LayerNormPlan;

    fn plan(&self, key: &LayerNormKey) -> Result<LayerNormPlan, MetalError> {
        Ok(LayerNormPlan { height: (BLOCK / key.width).max(1) })
    }

    fn run(
        &self,
        plan: &LayerNormPlan,
        key: &LayerNormKey,
        call: LayerNormCall<'_, HostTensor>,
    ) -> Result<(), MetalError> {
        with_element!(key.dtype, layer_norm(self, *plan, key.width, call))
    }

    fn plan_composition(plan: &LayerNormPlan) -> Option<Composition> {
        composition(plan)
    }
}

fn layer_norm<E: Element>(
    device: &HostDevice,
    LayerNormPlan { height }: LayerNormPlan,
    width: usize,
    call: LayerNormCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let LayerNormCall { rows, epsilon, input, gamma, beta, output } = call;
    let workers = device.workers((rows * width) as u64 / ELEMENTS_A_NANOSECOND)?;
    let (gamma, beta) = (&E::of(gamma)[..width], &E::of(beta)[..width]);
    let part = if E::WIDENS { width } else { 0 };
    with_scratch(2 * part, |scratch| {
        let (scratch_gamma, scratch_beta) = scratch.split_at_mut(part);
        let (gamma, beta) = (E::widen(gamma, scratch_gamma), E::widen(beta, scratch_beta));
        let blocks = row_blocks(E::of_mut(output.tensor), &output.layout, [1, rows, width], height);
        workers.share(blocks, |mut block| {
            with_scratch(2 * part, |scratch| {
                let (scratch_in, scratch_out) = scratch.split_at_mut(part);
                for (index, output) in block.rows() {
                    let input = row(E::of(input.tensor), &input.layout, 0, index, width);
                    let input = E::widen(input, scratch_in);
                    E::narrow(output, false, scratch_out, |output| {
                        normalise(input, epsilon, gamma, beta, output);
                    });
                }
            });
        });
    });
    Ok(())
}
