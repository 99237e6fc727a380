//! Softmax on the host.

use metallic::caching::Composition;
use metallic::error::MetalError;
use metallic::kernels::Runs;
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxKernel, SoftmaxKey};

use super::composition;
use crate::device::HostDevice;
use crate::element::{Element, with_element};
use crate::function::softmax;
use crate::rows::{row, row_blocks};
use crate::scratch::with_scratch;
use crate::tensor::HostTensor;

/// About how many elements a thread works on at a time.
const BLOCK: usize = 4096;

/// How many elements a thread works on in a nanosecond, about.
const ELEMENTS_A_NANOSECOND: u64 = 1;

/// How many rows a thread works on at a time.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxPlan {
    height: usize,
}

impl Runs<SoftmaxKernel> for HostDevice {
    type Plan = SoftmaxPlan;

    fn plan(&self, key: &SoftmaxKey) -> Result<SoftmaxPlan, MetalError> {
        Ok(SoftmaxPlan { height: (BLOCK / key.seq_k.max()).max(1) })
    }

    fn run(
        &self,
        plan: &SoftmaxPlan,
        key: &SoftmaxKey,
        call: SoftmaxCall<'_, HostTensor>,
    ) -> Result<(), MetalError> {
        with_element!(key.dtype, run(self, *plan, key.causal, call))
    }

    fn plan_composition(plan: &SoftmaxPlan) -> Option<Composition> {
        composition(plan)
    }
}

fn run<E: Element>(
    device: &HostDevice,
    SoftmaxPlan { height }: SoftmaxPlan,
    causal: bool,
    call: SoftmaxCall<'_, HostTensor>,
) -> Result<(), MetalError> {
    let SoftmaxCall { batch, rows, seq_k, past, scale, input, output } = call;
    let workers = device.workers((batch * rows * seq_k) as u64 / ELEMENTS_A_NANOSECOND)?;
    let part = if E::WIDENS { seq_k } else { 0 };
    let blocks = row_blocks(E::of_mut(output.tensor), &output.layout, [batch, rows, seq_k], height);
    workers.share(blocks, |mut block| {
        let matrix = block.matrix;
        with_scratch(2 * part, |scratch| {
            let (scratch_in, scratch_out) = scratch.split_at_mut(part);
            for (index, output) in block.rows() {
                let seen = if causal { past + index + 1 } else { seq_k };
                let input = row(E::of(input.tensor), &input.layout, matrix, index, seq_k);
                let input = E::widen(&input[..seen], scratch_in);
                E::narrow(output, false, scratch_out, |output| {
                    let (output, unseen) = output.split_at_mut(seen);
                    softmax(input, scale, output);
                    unseen.fill(0.0);
                });
            }
        });
    });
    Ok(())
}
