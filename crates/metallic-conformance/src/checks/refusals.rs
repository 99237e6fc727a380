//! Wrong calls: each must be an error of its type, and leave the output as it was.

use std::fmt::Debug;

use metallic::caching::CacheableKernel;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::{Operation, Planned, Runs};
use metallic::tensor::Dtype;

fn plan<O: Operation, D: Runs<O>>(device: &D, params: &O::Params) -> Result<Planned<O, D>, MetalError> {
    O::create_cached_resource(&O::key(params), Some(device))
}

pub(crate) fn must_plan<O: Operation, D: Runs<O>>(device: &D, params: &O::Params) -> Planned<O, D> {
    plan(device, params).unwrap_or_else(|error| panic!("{}: a plan for right parameters: {error}", O::NAME))
}

/// The content of outputs before a wrong call, and after it.
const BEFORE: f32 = 5.0;

pub(crate) fn tensor<D: ComputeDevice>(device: &D, elements: usize) -> D::Tensor {
    device.upload(&vec![BEFORE; elements], Dtype::F32).unwrap_or_else(|error| panic!("an upload: {error}"))
}

pub(crate) fn refused(what: &str, result: Result<(), MetalError>) {
    assert!(
        matches!(result, Err(MetalError::InvalidParams { .. })),
        "{what} must be refused as invalid parameters, and was not: {result:?}"
    );
}

pub(crate) fn unchanged<D: ComputeDevice>(device: &D, what: &str, tensor: &D::Tensor, elements: usize) {
    let after = device.read(tensor, 0..elements).unwrap_or_else(|error| panic!("a read: {error}"));
    assert!(after.iter().all(|x| *x == BEFORE), "{what} was refused, and changed the output all the same");
}

pub(crate) fn no_plan<O: Operation, D: Runs<O>>(device: &D, params: &O::Params)
where
    O::Params: Debug,
{
    refused(&format!("{}: {params:?}", O::NAME), plan::<O, D>(device, params).map(drop));
}

/// A tensor of the other type, where the device has one.
pub(crate) fn of_f16<D: ComputeDevice>(device: &D, elements: usize) -> Option<D::Tensor> {
    device
        .supports(Dtype::F16)
        .then(|| device.zeros(elements, Dtype::F16).unwrap_or_else(|error| panic!("zeros of f16: {error}")))
}

/// Defines `wrong!`, which changes a right call, and sees that it is refused and changes none of its outputs.
macro_rules! define_wrong {
    ($device:ident, $plan:ident, [$($output:ident: $elements:expr),+], $right:expr, $dollar:tt) => {
        macro_rules! wrong {
            ($dollar what:literal, |$dollar call:ident| $dollar change:expr) => {{
                $(let mut $output = $crate::checks::refusals::tensor($device, $elements);)+
                let mut $dollar call = $right;
                $dollar change;
                $crate::checks::refusals::refused($dollar what, $plan.run($device, $dollar call));
                $($crate::checks::refusals::unchanged($device, $dollar what, &$output, $elements);)+
            }};
        }
        {
            $(let mut $output = $crate::checks::refusals::tensor($device, $elements);)+
            let right = $plan.run($device, $right);
            right.unwrap_or_else(|error| panic!("a right call: {error}"));
        }
    };
}

pub(crate) use define_wrong;
