//! Scaled dot-product attention.

use half::f16;
use metallic::caching::ResourceCache;
use metallic::kernels::sdpa::{SdpaKernel, SdpaOperands, SdpaParams};

use crate::gpu::{Element, Gpu, gpu, read};
use crate::reference::{assert_close, numbers, product, softmax, transposed, wide};

#[test]
fn attention_in_f32_agrees_with_the_reference() {
    check_all::<f32>(1e-4);
}

#[test]
fn attention_in_f16_agrees_with_the_reference() {
    check_all::<f16>(0.02);
}

fn check_all<T: Element>(bound: f64) {
    let Some(gpu) = gpu() else { return };
    let mut cache = ResourceCache::with_device(gpu.device.clone());
    for (batch, heads, seq_q, seq_k, head_dim) in
        [(1, 1, 1, 1, 1), (1, 2, 1, 3, 8), (2, 3, 5, 5, 16), (1, 2, 1, 255, 64), (1, 2, 7, 257, 64)]
    {
        for masked in [false, true] {
            let scale = 1.0 / (head_dim as f32).sqrt();
            let dtype = T::DTYPE;
            let params = SdpaParams { batch, heads, seq_q, seq_k, head_dim, dtype, scale, masked };
            check::<T>(&gpu, &mut cache, &params, bound);
        }
    }
    let params = SdpaParams {
        batch: 1,
        heads: 2,
        seq_q: 1,
        seq_k: 130,
        head_dim: 64,
        dtype: T::DTYPE,
        scale: 0.125,
        masked: true,
    };
    let misses =
        |cache: &ResourceCache| cache.registry().metrics::<SdpaKernel>().map(|metrics| metrics.misses);
    let before = misses(&cache);
    for seq_k in 129..=256 {
        cache.get_or_create_sdpa(&SdpaParams { seq_k, ..params }, None).unwrap();
    }
    assert_eq!(misses(&cache), before, "a masked sequence grows within the bucket that 255 keys have filled");
}

fn check<T: Element>(gpu: &Gpu, cache: &mut ResourceCache, params: &SdpaParams, bound: f64) {
    let sdpa = cache.get_or_create_sdpa(params, None).unwrap().clone();
    let count = |shape: [usize; 4]| shape.iter().product();
    let query: Vec<T> = numbers(count(sdpa.key().query_shape()), 1);
    let keys: Vec<T> = numbers(count(sdpa.key().key_shape()), 2);
    let values: Vec<T> = numbers(count(sdpa.key().key_shape()), 3);
    // Causal, with the queries at the end of the sequence; and it hides the padding, where K and V hold numbers too.
    let [seq_q, padded] = sdpa.key().mask_shape();
    let hidden = |q: usize, k: usize| k + seq_q > params.seq_k + q;
    let mask: Vec<f64> = (0..seq_q)
        .flat_map(|q| (0..padded).map(move |k| if hidden(q, k) { f64::NEG_INFINITY } else { 0.0 }))
        .collect();
    let mask: Vec<T> = mask.into_iter().map(T::from_f64).collect();

    let [q, k, v, m] = [&query, &keys, &values, &mask].map(|elements| gpu.buffer(elements));
    let result = gpu.buffer(&query);
    let operands =
        SdpaOperands { query: &q, key: &k, value: &v, mask: params.masked.then_some(&*m), result: &result };
    gpu.run(|commands| {
        // SAFETY: all buffers are this test's own, and it waits.
        unsafe { sdpa.encode(commands, &operands) }.unwrap();
    });

    let expected = reference(params, padded, &wide(&query), &wide(&keys), &wide(&values), &wide(&mask));
    assert_close(&format!("{params:?}"), &read::<T>(&result), &expected, bound);
}

fn reference(params: &SdpaParams, keys: usize, q: &[f64], k: &[f64], v: &[f64], mask: &[f64]) -> Vec<f64> {
    let dim = params.head_dim;
    let heads = q.chunks(params.seq_q * dim).zip(k.chunks(keys * dim)).zip(v.chunks(keys * dim));
    heads
        .flat_map(|((q, k), v)| {
            let mut scores = product(q, &transposed(k, dim), dim, keys);
            for (score, mask) in scores.iter_mut().zip(mask) {
                *score = f64::from(params.scale) * *score + if params.masked { *mask } else { 0.0 };
            }
            let weights: Vec<f64> = scores.chunks(keys).flat_map(softmax).collect();
            product(&weights, v, keys, dim)
        })
        .collect()
}
