//! Softmax over rows.

use half::f16;
use metallic::caching::ResourceCache;
use metallic::kernels::matmul_mps::{MpsMatrixDescriptor, MpsMatrixLayout};
use metallic::kernels::softmax_mps::{SoftmaxMpsKernel, SoftmaxMpsParams};
use objc2::runtime::ProtocolObject;

use crate::gpu::{Element, gather, gpu, read, spread};
use crate::reference::{assert_close, numbers, softmax, wide};

#[test]
fn softmax_in_f32_agrees_with_the_reference() {
    check_all::<f32>(1e-5);
}

#[test]
fn softmax_in_f16_agrees_with_the_reference() {
    check_all::<f16>(4e-3);
}

/// Lengths on both sides of bucket edges; one object serves all lengths of a bucket, one after the other.
fn check_all<T: Element>(bound: f64) {
    let Some(gpu) = gpu() else { return };
    let mut cache = ResourceCache::with_device(gpu.device.clone());
    for seq_k in [1, 2, 3, 255, 256, 257, 511, 512, 513] {
        for rows in [1, 5] {
            let layout = MpsMatrixLayout::packed(rows, seq_k, T::DTYPE)
                .with_row_bytes(MpsMatrixDescriptor::recommended_row_bytes(seq_k, T::DTYPE))
                .with_matrices(2);
            let scores: Vec<T> = numbers(2 * rows * seq_k, seq_k as u64);
            let buffers = [gpu.buffer(&spread(&scores, &layout)), gpu.buffer(&spread(&scores, &layout))];
            let descriptor = cache.get_or_create_mps_matrix_descriptor(&layout).unwrap();
            let [input, result] = [0, 1].map(|i| descriptor.matrix(&buffers[i], 0).unwrap());

            let params = SoftmaxMpsParams { seq_k, dtype: T::DTYPE };
            let kernel = cache.get_or_create_mps_softmax(&params, None).unwrap();
            gpu.run(|commands| {
                let commands = ProtocolObject::from_ref(commands);
                // SAFETY: all buffers are this test's own, and it waits.
                unsafe { kernel.encode(commands, &input, &result, rows, seq_k) }.unwrap();
            });

            let expected: Vec<f64> = wide(&scores).chunks(seq_k).flat_map(softmax).collect();
            let what = format!("{rows} rows of {seq_k} {}", T::DTYPE);
            assert_close(&what, &gather(&read::<T>(&buffers[1]), &layout), &expected, bound);
        }
    }
    let metrics = cache.registry().metrics::<SoftmaxMpsKernel>().unwrap();
    assert_eq!(metrics.misses, 6, "the buckets of 1, 2, 4, 256, 512 and 768");
}
