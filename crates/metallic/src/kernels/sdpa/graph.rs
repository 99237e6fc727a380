//! The attention graph and its compilation.

use objc2::AnyThread;
use objc2::rc::Retained;
use objc2::runtime::{NSObjectProtocol, ProtocolObject};
use objc2::sel;
use objc2_foundation::{NSArray, NSDictionary, NSNumber, ns_string};
use objc2_metal::MTLDevice;
use objc2_metal_performance_shaders::MPSShape;
use objc2_metal_performance_shaders_graph::{
    MPSGraph, MPSGraphCompilationDescriptor, MPSGraphDevice, MPSGraphExecutable, MPSGraphShapedType,
    MPSGraphTensor,
};

use super::key::SdpaKey;
use crate::error::MetalError;
use crate::kernels::mps;

/// The inputs of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    Query,
    Key,
    Value,
    Mask,
}

/// Compiles `softmax(scale Q K^T + M) V`, and says in which order the executable wants its feeds.
pub(super) fn compile(
    key: &SdpaKey,
    device: &ProtocolObject<dyn MTLDevice>,
) -> Result<(Retained<MPSGraphExecutable>, Vec<Feed>), MetalError> {
    let data_type = mps::data_type(key.dtype);
    let (query_shape, key_shape) = (shape(&key.query_shape()), shape(&key.key_shape()));
    let mask_shape = shape(&key.mask_shape());

    // SAFETY: the operations take any tensors of their own graph, and `SdpaKey::check` has seen to it that these have
    // elements and fit together: scores are [batch, heads, seq_q, seq_k], over which the mask broadcasts.
    unsafe {
        let graph = MPSGraph::new();
        let placeholder = |shape: &MPSShape, name| {
            graph.placeholderWithShape_dataType_name(Some(shape), data_type, Some(name))
        };
        let query = placeholder(&query_shape, ns_string!("query"));
        let keys = placeholder(&key_shape, ns_string!("key"));
        let value = placeholder(&key_shape, ns_string!("value"));

        let transposed = graph.transposeTensor_dimension_withDimension_name(&keys, 2, 3, None);
        let products =
            graph.matrixMultiplicationWithPrimaryTensor_secondaryTensor_name(&query, &transposed, None);
        let scale = graph.constantWithScalar_dataType(f64::from(key.scale.get()), data_type);
        let mut scores = graph.multiplicationWithPrimaryTensor_secondaryTensor_name(&products, &scale, None);

        let mut feeds = vec![
            (Feed::Query, query, query_shape),
            (Feed::Key, keys, key_shape.clone()),
            (Feed::Value, value.clone(), key_shape),
        ];
        if key.masked {
            let mask = placeholder(&mask_shape, ns_string!("mask"));
            scores = graph.additionWithPrimaryTensor_secondaryTensor_name(&scores, &mask, None);
            feeds.push((Feed::Mask, mask, mask_shape));
        }
        let weights = graph.softMaxWithTensor_axis_name(&scores, 3, None);
        let result = graph.matrixMultiplicationWithPrimaryTensor_secondaryTensor_name(&weights, &value, None);

        let tensors: Vec<&MPSGraphTensor> = feeds.iter().map(|(_, tensor, _)| &**tensor).collect();
        let types: Vec<_> = feeds
            .iter()
            .map(|(_, _, shape)| {
                MPSGraphShapedType::initWithShape_dataType(
                    MPSGraphShapedType::alloc(),
                    Some(shape),
                    data_type,
                )
            })
            .collect();
        let executable = graph.compileWithDevice_feeds_targetTensors_targetOperations_compilationDescriptor(
            Some(&MPSGraphDevice::deviceWithMTLDevice(device)),
            &NSDictionary::from_retained_objects(&tensors, &types),
            &NSArray::from_slice(&[&*result]),
            None,
            Some(&eager_compilation()),
        );

        // The feeds went in as a dictionary, which has no order; the executable takes an array.
        let order: Vec<Feed> = executable
            .feedTensors()
            .iter()
            .flat_map(|wanted| wanted.iter())
            .filter_map(|wanted| {
                feeds.iter().find(|(_, tensor, _)| *tensor == wanted).map(|(feed, ..)| *feed)
            })
            .collect();
        if order.len() != feeds.len() {
            return Err(MetalError::device(
                "attention graph compilation",
                "the executable does not take all inputs",
            ));
        }
        Ok((executable, order))
    }
}

/// An extent for each dimension, the outermost first.
pub(super) fn shape(extents: &[usize]) -> Retained<MPSShape> {
    let extents: Vec<_> = extents.iter().map(|&extent| NSNumber::new_usize(extent)).collect();
    NSArray::from_retained_slice(&extents)
}

/// Makes the compilation end before the executable is handed out, so that the time of creation is the true one.
fn eager_compilation() -> Retained<MPSGraphCompilationDescriptor> {
    // SAFETY: a new object; and a setter that exists, which is asked for because early systems lack it.
    unsafe {
        let descriptor = MPSGraphCompilationDescriptor::new();
        if descriptor.respondsToSelector(sel!(setWaitForCompilationCompletion:)) {
            descriptor.setWaitForCompilationCompletion(true);
        }
        descriptor
    }
}
