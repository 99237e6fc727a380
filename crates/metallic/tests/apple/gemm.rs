//! Products of matrices.

use half::f16;
use metallic::caching::ResourceCache;
use metallic::kernels::matmul_mps::{MpsMatrixDescriptor, MpsMatrixLayout, MpsScaledGemmParams};
use objc2::runtime::ProtocolObject;

use crate::gpu::{Element, Gpu, gather, gpu, read, spread};
use crate::reference::{assert_close, numbers, product, transposed, wide};

/// Sizes that include 1, odd ones, and the neighbours of the tiles that such kernels work in.
const SIZES: [(usize, usize, usize); 7] =
    [(1, 1, 1), (1, 7, 3), (5, 1, 64), (16, 16, 16), (31, 33, 17), (64, 65, 63), (128, 3, 257)];
const MATRICES: usize = 2;

#[test]
fn products_in_f32_agree_with_the_reference() {
    let Some(gpu) = gpu() else { return };
    check_all::<f32>(&gpu);
}

#[test]
fn products_in_f16_agree_with_the_reference() {
    let Some(gpu) = gpu() else { return };
    check_all::<f16>(&gpu);
}

#[test]
fn a_product_is_made_once() {
    let Some(gpu) = gpu() else { return };
    let mut cache = ResourceCache::with_device(gpu.device);
    for _ in 0..3 {
        cache.get_or_create_mps_gemm(8, 8, 8, metallic::Dtype::F32, false, false, None).unwrap();
    }
    let metrics = cache.registry().metrics::<metallic::kernels::matmul_mps::MpsGemmKernel>().unwrap();
    assert_eq!((metrics.size, metrics.hits, metrics.misses), (1, 2, 1));
}

fn check_all<T: Element>(gpu: &Gpu) {
    let mut cache = ResourceCache::with_device(gpu.device.clone());
    for (m, n, k) in SIZES {
        for (transpose_left, transpose_right) in [(false, false), (true, false), (false, true), (true, true)]
        {
            for (alpha, beta) in [(1.0, 0.0), (0.5, -1.5)] {
                let product = (m, n, k, T::DTYPE, transpose_left, transpose_right);
                check::<T>(gpu, &mut cache, &MpsScaledGemmParams { product, alpha, beta });
            }
        }
    }
}

fn check<T: Element>(gpu: &Gpu, cache: &mut ResourceCache, params: &MpsScaledGemmParams) {
    let (m, n, k, dtype, transpose_left, transpose_right) = params.product;
    let stored = |rows, columns, transposed| if transposed { (columns, rows) } else { (rows, columns) };
    let layout = |(rows, columns)| {
        MpsMatrixLayout::packed(rows, columns, dtype)
            .with_row_bytes(MpsMatrixDescriptor::recommended_row_bytes(columns, dtype))
            .with_matrices(MATRICES)
    };
    let layouts =
        [layout(stored(m, k, transpose_left)), layout(stored(k, n, transpose_right)), layout((m, n))];
    let dense: Vec<Vec<T>> = (0..)
        .zip(&layouts)
        .map(|(seed, layout)| numbers(MATRICES * layout.rows * layout.columns, seed))
        .collect();
    let buffers = [0, 1, 2].map(|i| gpu.buffer(&spread(&dense[i], &layouts[i])));
    let [left, right, result] = [0, 1, 2].map(|i| {
        cache.get_or_create_mps_matrix_descriptor(&layouts[i]).unwrap().matrix(&buffers[i], 0).unwrap()
    });

    let gemm = cache.get_or_create_mps_scaled_gemm(params, None).unwrap().clone();
    gpu.run(|commands| {
        // SAFETY: all buffers are this test's own, and it waits.
        unsafe { gemm.encode(ProtocolObject::from_ref(commands), &left, &right, &result) }.unwrap();
    });

    let dense = [wide(&dense[0]), wide(&dense[1]), wide(&dense[2])];
    let mut expected = Vec::new();
    for ((a, b), c) in dense[0].chunks(m * k).zip(dense[1].chunks(k * n)).zip(dense[2].chunks(m * n)) {
        let a = if transpose_left { transposed(a, m) } else { a.to_vec() };
        let b = if transpose_right { transposed(b, k) } else { b.to_vec() };
        let scaled = product(&a, &b, k, n).into_iter().zip(c);
        expected.extend(scaled.map(|(ab, c)| f64::from(params.alpha) * ab + f64::from(params.beta) * c));
    }
    // The roundings of k sums, should they be kept in the type of the elements, add up like a random walk.
    let bound = 8.0 * T::EPSILON * ((k + 1) as f64).sqrt();
    assert_close(&format!("{params:?}"), &gather(&read::<T>(&buffers[2]), &layouts[2]), &expected, bound);
}
