//! The keys that a model needs, listed without a run that records them.

use metallic::Dtype;
use metallic::caching::{CacheableKernel, SharedRegistry};
use metallic::kernels::add::AddKernel;
use metallic::kernels::gelu::GeluKernel;
use metallic::kernels::gemm::GemmKernel;
use metallic::kernels::kv_cache_write::KvCacheWriteKernel;
use metallic::kernels::layer_norm::LayerNormKernel;
use metallic::kernels::scaled_dot_product_attention::ScaledDotProductAttentionKernel;
use metallic::manifest::{Manifest, ManifestError, WarmKeys};

use super::device::TransformerDevice;
use super::plans;
use super::steps::{self, Step};
use crate::model::{Model, Shape};

/// The work that an engine is going to have: lists the keys of its plans, so that the first run of a model needs no record.
///
/// ```
/// use metallic::Dtype;
/// use metallic::caching::SharedRegistry;
/// use metallic::manifest::WarmOptions;
/// use metallic_host::HostDevice;
/// use metallic_transformer::engine::Workload;
/// use metallic_transformer::model::builtin;
///
/// let prompts = 1..=64; // tokens
/// let workload = Workload::decoding(builtin::SHAPE, Dtype::F32, prompts, 32);
/// let manifest = workload.manifest::<HostDevice>()?;
/// let registry = SharedRegistry::with_device(HostDevice::new());
/// Workload::register(&registry);
/// assert!(registry.warm(&manifest, &WarmOptions::default()).created > 0);
/// # Ok::<(), metallic::manifest::ManifestError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Workload {
    shape: Shape,
    dtype: Dtype,
    is_decoder: bool,
    steps: Vec<Step>,
}

impl Workload {
    /// Prompts of these lengths for a [`Decoder`](super::Decoder), each continued by up to `tokens` tokens.
    pub fn decoding(
        shape: Shape,
        dtype: Dtype,
        prompts: impl IntoIterator<Item = usize>,
        tokens: usize,
    ) -> Self {
        let steps = steps::of_prompts(prompts, tokens, shape.positions).collect();
        Self { shape, dtype, is_decoder: true, steps }
    }

    /// Texts of these lengths for an [`Encoder`](super::Encoder).
    pub fn encoding(shape: Shape, dtype: Dtype, texts: impl IntoIterator<Item = usize>) -> Self {
        Self { shape, dtype, is_decoder: false, steps: steps::of_texts(texts).collect() }
    }

    /// Prompts or texts of these lengths for a model; a decoder continues each by up to `tokens` tokens.
    pub fn of(model: &Model, dtype: Dtype, lengths: impl IntoIterator<Item = usize>, tokens: usize) -> Self {
        let shape = model.shape().clone();
        match model {
            Model::Gpt2(_) => Self::decoding(shape, dtype, lengths, tokens),
            Model::Bert(_) => Self::encoding(shape, dtype, lengths),
        }
    }

    /// Lists the keys of all kernels on a type of device, as a manifest to warm up from.
    ///
    /// # Errors
    /// [`ManifestError::KeyNotPortable`]: never, as the keys of these kernels are plain values.
    pub fn manifest<D: TransformerDevice>(&self) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::new();
        manifest.list_for::<AddKernel, Self, D>(self)?;
        manifest.list_for::<GeluKernel, Self, D>(self)?;
        manifest.list_for::<GemmKernel, Self, D>(self)?;
        manifest.list_for::<KvCacheWriteKernel, Self, D>(self)?;
        manifest.list_for::<LayerNormKernel, Self, D>(self)?;
        manifest.list_for::<ScaledDotProductAttentionKernel, Self, D>(self)?;
        Ok(manifest)
    }

    /// Has a registry record and warm up the kernels that keys are listed of.
    pub fn register<D: TransformerDevice + Send + Sync>(registry: &SharedRegistry<D>) {
        registry.register::<AddKernel>();
        registry.register::<GeluKernel>();
        registry.register::<GemmKernel>();
        registry.register::<KvCacheWriteKernel>();
        registry.register::<LayerNormKernel>();
        registry.register::<ScaledDotProductAttentionKernel>();
    }
}

fn key<K: CacheableKernel<D>, D>(params: &K::Params) -> K::Key {
    K::create_cache_key(params)
}

impl<D: TransformerDevice> WarmKeys<Workload, D> for AddKernel {
    fn warm_keys(work: &Workload) -> Vec<<Self as CacheableKernel<D>>::Key> {
        vec![key::<Self, D>(&plans::add(work.dtype))]
    }
}

impl<D: TransformerDevice> WarmKeys<Workload, D> for GeluKernel {
    fn warm_keys(work: &Workload) -> Vec<<Self as CacheableKernel<D>>::Key> {
        vec![key::<Self, D>(&plans::activation(work.shape.activation, work.dtype))]
    }
}

impl<D: TransformerDevice> WarmKeys<Workload, D> for GemmKernel {
    fn warm_keys(work: &Workload) -> Vec<<Self as CacheableKernel<D>>::Key> {
        let Shape { width, inner, vocabulary, .. } = work.shape;
        let layers = [[3 * width, width], [width, width], [inner, width], [width, inner]];
        let of_step = |step: &Step| layers.map(|weight| plans::product(step.rows, weight, true, work.dtype));
        let head = work.is_decoder.then(|| plans::product(1, [vocabulary, width], false, work.dtype));
        work.steps.iter().flat_map(of_step).chain(head).map(|params| key::<Self, D>(&params)).collect()
    }
}

impl<D: TransformerDevice> WarmKeys<Workload, D> for KvCacheWriteKernel {
    fn warm_keys(work: &Workload) -> Vec<<Self as CacheableKernel<D>>::Key> {
        let write = work.is_decoder.then(|| plans::kv_cache_write(&work.shape, work.dtype));
        write.iter().map(key::<Self, D>).collect()
    }
}

impl<D: TransformerDevice> WarmKeys<Workload, D> for LayerNormKernel {
    fn warm_keys(work: &Workload) -> Vec<<Self as CacheableKernel<D>>::Key> {
        vec![key::<Self, D>(&plans::norm(work.shape.width, work.dtype))]
    }
}

impl<D: TransformerDevice> WarmKeys<Workload, D> for ScaledDotProductAttentionKernel {
    fn warm_keys(work: &Workload) -> Vec<<Self as CacheableKernel<D>>::Key> {
        let of_step = |step: &Step| plans::attention(&work.shape, *step, work.is_decoder, work.dtype);
        work.steps.iter().map(|step| key::<Self, D>(&of_step(step))).collect()
    }
}
