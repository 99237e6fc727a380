//! Wrong calls: each must be an error of its type, and leave the output as it was.

use std::fmt::Debug;

use metallic::caching::CacheableKernel;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::kernels::RunsAll;
use metallic::kernels::add::{AddCall, AddKernel, AddParams};
use metallic::kernels::gelu::{GeluApproximation, GeluCall, GeluKernel, GeluParams};
use metallic::kernels::gemm::{GemmCall, GemmKernel, GemmParams};
use metallic::kernels::kv_cache_write::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteParams};
use metallic::kernels::layer_norm::{LayerNormCall, LayerNormKernel, LayerNormParams};
use metallic::kernels::scaled_dot_product_attention::{
    AttentionCall, AttentionParams, ScaledDotProductAttentionKernel,
};
use metallic::kernels::softmax::{SoftmaxCall, SoftmaxKernel, SoftmaxParams};
use metallic::kernels::{Operation, Planned, Runs};
use metallic::tensor::{Dtype, MatrixMut, MatrixRef};

/// Checks that wrong parameters have no plan, and that wrong calls are [`MetalError::InvalidParams`] and change nothing.
///
/// # Panics
/// If not.
pub fn check_refusals<D: RunsAll>(device: &D) {
    refuse_keys(device);
    refuse_gemm(device);
    refuse_softmax(device);
    refuse_attention(device);
    refuse_layer_norm(device);
    refuse_flat(device);
    refuse_kv_cache_write(device);
}

fn plan<O: Operation, D: Runs<O>>(device: &D, params: &O::Params) -> Result<Planned<O, D>, MetalError> {
    O::create_cached_resource(&O::key(params), Some(device))
}

fn must_plan<O: Operation, D: Runs<O>>(device: &D, params: &O::Params) -> Planned<O, D> {
    plan(device, params).unwrap_or_else(|error| panic!("{}: a plan for right parameters: {error}", O::NAME))
}

/// The content of outputs before a wrong call, and after it.
const BEFORE: f32 = 5.0;

fn tensor<D: ComputeDevice>(device: &D, elements: usize) -> D::Tensor {
    device.upload(&vec![BEFORE; elements], Dtype::F32).unwrap_or_else(|error| panic!("an upload: {error}"))
}

fn refused(what: &str, result: Result<(), MetalError>) {
    assert!(
        matches!(result, Err(MetalError::InvalidParams { .. })),
        "{what} must be refused as invalid parameters, and was not: {result:?}"
    );
}

fn unchanged<D: ComputeDevice>(device: &D, what: &str, tensor: &D::Tensor, elements: usize) {
    let after = device.read(tensor, 0..elements).unwrap_or_else(|error| panic!("a read: {error}"));
    assert!(after.iter().all(|x| *x == BEFORE), "{what} was refused, and changed the output all the same");
}

fn no_plan<O: Operation, D: Runs<O>>(device: &D, params: &O::Params)
where
    O::Params: Debug,
{
    refused(&format!("{}: {params:?}", O::NAME), plan::<O, D>(device, params).map(drop));
}

const GEMM: GemmParams =
    GemmParams { m: 3, n: 4, k: 5, transpose_a: false, transpose_b: false, bias: true, dtype: Dtype::F32 };
const SOFTMAX: SoftmaxParams = SoftmaxParams { seq_k: 7, causal: true, dtype: Dtype::F32 };
const ATTENTION: AttentionParams = AttentionParams {
    heads: 4,
    kv_heads: 2,
    head_dim: 3,
    seq_q: 3,
    seq_k: 7,
    causal: true,
    dtype: Dtype::F32,
};
const GELU: GeluParams = GeluParams { approximation: GeluApproximation::Tanh, dtype: Dtype::F32 };

fn refuse_keys<D: RunsAll>(device: &D) {
    for params in [
        GemmParams { m: 0, ..GEMM },
        GemmParams { n: 0, ..GEMM },
        GemmParams { k: 0, ..GEMM },
        GemmParams { n: usize::MAX / 2, ..GEMM },
        GemmParams { dtype: Dtype::U8, ..GEMM },
    ] {
        no_plan::<GemmKernel, D>(device, &params);
    }
    no_plan::<SoftmaxKernel, D>(device, &SoftmaxParams { seq_k: 0, ..SOFTMAX });
    no_plan::<SoftmaxKernel, D>(device, &SoftmaxParams { dtype: Dtype::U32, ..SOFTMAX });
    for params in [
        AttentionParams { heads: 3, ..ATTENTION },
        AttentionParams { heads: 0, ..ATTENTION },
        AttentionParams { kv_heads: 0, ..ATTENTION },
        AttentionParams { head_dim: 0, ..ATTENTION },
        AttentionParams { seq_q: 0, ..ATTENTION },
        AttentionParams { seq_k: 0, ..ATTENTION },
        AttentionParams { dtype: Dtype::BF16, ..ATTENTION },
    ] {
        no_plan::<ScaledDotProductAttentionKernel, D>(device, &params);
    }
    for (width, dtype) in [(0, Dtype::F32), (3, Dtype::I8)] {
        no_plan::<LayerNormKernel, D>(device, &LayerNormParams { width, dtype });
        no_plan::<KvCacheWriteKernel, D>(device, &KvCacheWriteParams { width, dtype });
    }
    no_plan::<GeluKernel, D>(device, &GeluParams { dtype: Dtype::U32, ..GELU });
    no_plan::<AddKernel, D>(device, &AddParams { dtype: Dtype::U32 });
    if !device.supports(Dtype::F16) {
        no_plan::<GemmKernel, D>(device, &GemmParams { dtype: Dtype::F16, ..GEMM });
        no_plan::<AddKernel, D>(device, &AddParams { dtype: Dtype::F16 });
    }
}

/// A tensor of the other type, where the device has one.
fn of_f16<D: ComputeDevice>(device: &D, elements: usize) -> Option<D::Tensor> {
    device
        .supports(Dtype::F16)
        .then(|| device.zeros(elements, Dtype::F16).unwrap_or_else(|error| panic!("zeros of f16: {error}")))
}

/// Defines `wrong!`, which changes a right call, and sees that it is refused and changes none of its outputs.
macro_rules! define_wrong {
    ($device:ident, $plan:ident, [$($output:ident: $elements:expr),+], $right:expr, $dollar:tt) => {
        macro_rules! wrong {
            ($dollar what:literal, |$dollar call:ident| $dollar change:expr) => {{
                $(let mut $output = tensor($device, $elements);)+
                let mut $dollar call = $right;
                $dollar change;
                refused($dollar what, $plan.run($device, $dollar call));
                $(unchanged($device, $dollar what, &$output, $elements);)+
            }};
        }
        {
            $(let mut $output = tensor($device, $elements);)+
            let right = $plan.run($device, $right);
            right.unwrap_or_else(|error| panic!("a right call: {error}"));
        }
    };
}

fn refuse_gemm<D: RunsAll>(device: &D) {
    let plan = must_plan::<GemmKernel, D>(device, &GEMM);
    let [a, b, bias, short] = [15, 20, 4, 3].map(|elements| tensor(device, elements));
    define_wrong!(device, plan, [output: 12], GemmCall {
        batch: 1,
        m: 3,
        alpha: 1.0,
        beta: 0.0,
        a: MatrixRef::dense(&a, 3, 5),
        b: MatrixRef::dense(&b, 5, 4),
        bias: Some(&bias),
        c: MatrixMut::dense(&mut output, 3, 4),
    }, $);
    wrong!("gemm of no rows", |call| call.m = 0);
    wrong!("gemm of more rows than the bucket", |call| call.m = 5);
    wrong!("gemm with a NaN for alpha", |call| call.alpha = f32::NAN);
    wrong!("gemm with an infinite beta", |call| call.beta = f32::INFINITY);
    wrong!("gemm without its bias", |call| call.bias = None);
    wrong!("gemm with a bias too short", |call| call.bias = Some(&short));
    wrong!("gemm of more products than there are", |call| call.batch = 2);
    wrong!("gemm of an A beyond its end", |call| call.a.layout.offset = 1);
    wrong!("gemm of a B of overlapping rows", |call| call.b.layout.row_stride = 3);
    wrong!("gemm into a C beyond its end", |call| call.c.layout.offset = 1);
    wrong!("gemm into results that overlap", |call| {
        call.batch = 2;
        call.a.layout.batch_stride = 0;
        call.b.layout.batch_stride = 0;
        call.c.layout.batch_stride = 0;
    });
    let other = of_f16(device, 20);
    if let Some(other) = &other {
        wrong!("gemm with a B of f16", |call| call.b.tensor = other);
        wrong!("gemm with a bias of f16", |call| call.bias = Some(other));
    }
    let plan = must_plan::<GemmKernel, D>(device, &GemmParams { bias: false, ..GEMM });
    let mut output = tensor(device, 12);
    let call = GemmCall {
        batch: 1,
        m: 3,
        alpha: 1.0,
        beta: 0.0,
        a: MatrixRef::dense(&a, 3, 5),
        b: MatrixRef::dense(&b, 5, 4),
        bias: Some(&bias),
        c: MatrixMut::dense(&mut output, 3, 4),
    };
    refused("gemm with a bias that the plan lacks", plan.run(device, call));
    unchanged(device, "gemm with a bias that the plan lacks", &output, 12);
}

fn refuse_softmax<D: RunsAll>(device: &D) {
    let plan = must_plan::<SoftmaxKernel, D>(device, &SOFTMAX);
    let input = tensor(device, 21);
    define_wrong!(device, plan, [output: 21], SoftmaxCall {
        batch: 1,
        rows: 3,
        seq_k: 7,
        past: 4,
        scale: 1.0,
        input: MatrixRef::dense(&input, 3, 7),
        output: MatrixMut::dense(&mut output, 3, 7),
    }, $);
    wrong!("softmax of longer rows than the bucket", |call| call.seq_k = 9);
    wrong!("softmax of empty rows", |call| call.seq_k = 0);
    wrong!("softmax that sees beyond the end", |call| call.past = 5);
    wrong!("softmax that sees beyond all numbers", |call| call.past = usize::MAX);
    wrong!("softmax with a NaN for the scale", |call| call.scale = f32::NAN);
    wrong!("softmax of an input beyond its end", |call| call.input.layout.offset = 1);
    wrong!("softmax into an output beyond its end", |call| call.output.layout.row_stride = 8);
    wrong!("softmax of more matrices than there are", |call| call.batch = 2);
    let other = of_f16(device, 21);
    if let Some(other) = &other {
        wrong!("softmax of an input of f16", |call| call.input.tensor = other);
    }
}

fn refuse_attention<D: RunsAll>(device: &D) {
    let plan = must_plan::<ScaledDotProductAttentionKernel, D>(device, &ATTENTION);
    let [q, k, v] = [36, 42, 42].map(|elements| tensor(device, elements));
    define_wrong!(device, plan, [output: 36], AttentionCall {
        batch: 1,
        seq_q: 3,
        seq_k: 7,
        scale: 1.0,
        q: MatrixRef::dense(&q, 3, 12),
        k: MatrixRef::dense(&k, 7, 6),
        v: MatrixRef::dense(&v, 7, 6),
        output: MatrixMut::dense(&mut output, 3, 12),
    }, $);
    wrong!("attention of no queries", |call| call.seq_q = 0);
    wrong!("attention of more queries than the bucket", |call| call.seq_q = 5);
    wrong!("attention to more keys than the bucket", |call| call.seq_k = 9);
    wrong!("causal attention to fewer keys than queries", |call| call.seq_k = 2);
    wrong!("attention with an infinite scale", |call| call.scale = f32::INFINITY);
    wrong!("attention of a Q beyond its end", |call| call.q.layout.offset = 1);
    wrong!("attention to keys beyond their end", |call| call.k.layout.offset = 1);
    wrong!("attention to overlapping values", |call| call.v.layout.row_stride = 5);
    wrong!("attention into an output beyond its end", |call| call.output.layout.offset = 1);
    wrong!("attention of more sequences than there are", |call| call.batch = 2);
    let other = of_f16(device, 42);
    if let Some(other) = &other {
        wrong!("attention to values of f16", |call| call.v.tensor = other);
    }
}

fn refuse_layer_norm<D: RunsAll>(device: &D) {
    let params = LayerNormParams { width: 6, dtype: Dtype::F32 };
    let plan = must_plan::<LayerNormKernel, D>(device, &params);
    let [input, gamma, beta, short] = [12, 6, 6, 5].map(|elements| tensor(device, elements));
    define_wrong!(device, plan, [output: 12], LayerNormCall {
        rows: 2,
        epsilon: 1e-5,
        input: MatrixRef::dense(&input, 2, 6),
        gamma: &gamma,
        beta: &beta,
        output: MatrixMut::dense(&mut output, 2, 6),
    }, $);
    wrong!("layer norm with an epsilon of 0", |call| call.epsilon = 0.0);
    wrong!("layer norm with a NaN for epsilon", |call| call.epsilon = f32::NAN);
    wrong!("layer norm with a gamma too short", |call| call.gamma = &short);
    wrong!("layer norm with a beta too short", |call| call.beta = &short);
    wrong!("layer norm of more rows than there are", |call| call.rows = 3);
    wrong!("layer norm of overlapping rows", |call| call.input.layout.row_stride = 5);
    wrong!("layer norm into an output beyond its end", |call| call.output.layout.offset = 1);
    let other = of_f16(device, 12);
    if let Some(other) = &other {
        wrong!("layer norm of an input of f16", |call| call.input.tensor = other);
    }
}

fn refuse_flat<D: RunsAll>(device: &D) {
    let [input, short] = [9, 4].map(|elements| tensor(device, elements));
    let other = of_f16(device, 9);
    {
        let plan = must_plan::<GeluKernel, D>(device, &GELU);
        define_wrong!(device, plan, [output: 9], GeluCall {
            elements: 9,
            input: &input,
            output: &mut output,
        }, $);
        wrong!("gelu of more elements than there are", |call| call.elements = 10);
        wrong!("gelu of an input too short", |call| call.input = &short);
        if let Some(other) = &other {
            wrong!("gelu of an input of f16", |call| call.input = other);
        }
    }
    let plan = must_plan::<AddKernel, D>(device, &AddParams { dtype: Dtype::F32 });
    define_wrong!(device, plan, [output: 9], AddCall {
        elements: 9,
        period: 4,
        a: &input,
        b: &short,
        output: &mut output,
    }, $);
    wrong!("add with a period of 0", |call| call.period = 0);
    wrong!("add with a period beyond b", |call| call.period = 5);
    wrong!("add of more elements than there are", |call| call.elements = 10);
    wrong!("add of an a too short", |call| call.a = &short);
    if let Some(other) = &other {
        wrong!("add of a b of f16", |call| call.b = other);
    }
}

fn refuse_kv_cache_write<D: RunsAll>(device: &D) {
    let params = KvCacheWriteParams { width: 3, dtype: Dtype::F32 };
    let plan = must_plan::<KvCacheWriteKernel, D>(device, &params);
    let [k, v] = [6, 6].map(|elements| tensor(device, elements));
    define_wrong!(device, plan, [keys: 15, values: 15], KvCacheWriteCall {
        batch: 1,
        positions: 2,
        position: 3,
        capacity: 5,
        k: MatrixRef::dense(&k, 2, 3),
        v: MatrixRef::dense(&v, 2, 3),
        keys: &mut keys,
        values: &mut values,
    }, $);
    wrong!("a KV cache write beyond the capacity", |call| call.position = 4);
    wrong!("a KV cache write beyond all numbers", |call| call.position = usize::MAX);
    wrong!("a KV cache write of more positions than K has", |call| {
        call.positions = 3;
        call.position = 0;
    });
    wrong!("a KV cache write of a V beyond its end", |call| call.v.layout.offset = 1);
    wrong!("a KV cache write into caches too small", |call| call.capacity = 6);
    wrong!("a KV cache write of more sequences than there are", |call| call.batch = 2);
    let other = of_f16(device, 6);
    if let Some(other) = &other {
        wrong!("a KV cache write of a V of f16", |call| call.v.tensor = other);
    }
}
