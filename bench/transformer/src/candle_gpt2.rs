//! The same model on candle-core, as an engine that uses it would write it: weights as `[out, in]`, the fast layer norm and
//! softmax of candle-nn, and its preallocated KV cache.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::{layer_norm, softmax_last_dim};

/// The sizes of a GPT-2-shaped decoder.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub inner: usize,
    pub vocabulary: usize,
    pub positions: usize,
    pub epsilon: f32,
}

struct Linear {
    /// `[in, out]`, a view of `[out, in]`.
    weight: Tensor,
    bias: Tensor,
}

struct Norm {
    gamma: Tensor,
    beta: Tensor,
}

struct Block {
    before_attention: Norm,
    qkv: Linear,
    projection: Linear,
    before_mlp: Norm,
    up: Linear,
    down: Linear,
    cache: KvCache,
}

pub struct CandleGpt2 {
    sizes: Sizes,
    tokens: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    last: Norm,
    head: Tensor,
}

impl Linear {
    /// From a weight stored as `[in, out]`, as GPT-2's are.
    fn new(weight: Tensor, bias: Tensor) -> Result<Self> {
        Ok(Self { weight: weight.t()?.contiguous()?.t()?, bias })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

impl Norm {
    fn forward(&self, x: &Tensor, epsilon: f32) -> Result<Tensor> {
        layer_norm(x, &self.gamma, &self.beta, epsilon)
    }
}

impl CandleGpt2 {
    /// `weight` gives the values of a tensor by the name it has in GPT-2's checkpoints.
    pub fn new(sizes: Sizes, weight: impl Fn(&str) -> Vec<f32>) -> Result<Self> {
        let tensor = |name: &str, shape: &[usize]| Tensor::from_vec(weight(name), shape, &Device::Cpu);
        let Sizes { layers, width, inner, vocabulary, positions, .. } = sizes;
        let norm = |name: &str| -> Result<Norm> {
            let gamma = tensor(&format!("{name}.weight"), &[width])?;
            Ok(Norm { gamma, beta: tensor(&format!("{name}.bias"), &[width])? })
        };
        let linear = |name: &str, from: usize, to: usize| -> Result<Linear> {
            let weight = tensor(&format!("{name}.weight"), &[from, to])?;
            Linear::new(weight, tensor(&format!("{name}.bias"), &[to])?)
        };
        let blocks = (0..layers)
            .map(|layer| {
                Ok(Block {
                    before_attention: norm(&format!("h.{layer}.ln_1"))?,
                    qkv: linear(&format!("h.{layer}.attn.c_attn"), width, 3 * width)?,
                    projection: linear(&format!("h.{layer}.attn.c_proj"), width, width)?,
                    before_mlp: norm(&format!("h.{layer}.ln_2"))?,
                    up: linear(&format!("h.{layer}.mlp.c_fc"), width, inner)?,
                    down: linear(&format!("h.{layer}.mlp.c_proj"), inner, width)?,
                    cache: KvCache::new(2, positions),
                })
            })
            .collect::<Result<_>>()?;
        let tokens = tensor("wte.weight", &[vocabulary, width])?;
        let head = tokens.t()?;
        Ok(Self {
            sizes,
            tokens,
            positions: tensor("wpe.weight", &[positions, width])?,
            blocks,
            last: norm("ln_f")?,
            head,
        })
    }

    /// Forgets all positions.
    pub fn reset(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.cache.reset());
    }

    /// Feeds tokens and gives the logits behind the last of them.
    pub fn forward(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        let Sizes { epsilon, .. } = self.sizes;
        let (count, past) = (ids.len(), self.blocks[0].cache.current_seq_len());
        let ids = Tensor::new(ids, &Device::Cpu)?;
        let embedded = self.tokens.index_select(&ids, 0)?;
        let mut x = embedded.add(&self.positions.narrow(0, past, count)?)?;
        let mask = if count > 1 { Some(causal_mask(count, past)?) } else { None };
        for block in &mut self.blocks {
            let normed = block.before_attention.forward(&x, epsilon)?;
            let attended = block.attention(&normed, mask.as_ref(), self.sizes.heads)?;
            x = (x + block.projection.forward(&attended)?)?;
            let normed = block.before_mlp.forward(&x, epsilon)?;
            let inner = block.up.forward(&normed)?.gelu()?;
            x = (x + block.down.forward(&inner)?)?;
        }
        let x = self.last.forward(&x.narrow(0, count - 1, 1)?.contiguous()?, epsilon)?;
        x.matmul(&self.head)?.flatten_all()?.to_vec1()
    }
}

impl Block {
    /// `x` is `[tokens, width]`.
    fn attention(&mut self, x: &Tensor, mask: Option<&Tensor>, heads: usize) -> Result<Tensor> {
        let (count, width) = x.dims2()?;
        let head_dim = width / heads;
        let qkv = self.qkv.forward(x)?;
        let part = |n: usize| {
            qkv.narrow(D::Minus1, n * width, width)?.reshape((1, count, heads, head_dim))?.transpose(1, 2)
        };
        let (q, k, v) = (part(0)?.contiguous()?, part(1)?.contiguous()?, part(2)?.contiguous()?);
        let (k, v) = self.cache.append(&k, &v)?;
        let scores = (q.matmul(&k.t()?)? * (1.0 / (head_dim as f64).sqrt()))?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let attended = softmax_last_dim(&scores)?.matmul(&v)?;
        attended.transpose(1, 2)?.contiguous()?.reshape((count, width))
    }
}

fn causal_mask(count: usize, past: usize) -> Result<Tensor> {
    let hidden = |query: usize, key: usize| if key <= past + query { 0.0 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> =
        (0..count).flat_map(|query| (0..past + count).map(move |key| hidden(query, key))).collect();
    Tensor::from_vec(mask, (count, past + count), &Device::Cpu)?.to_dtype(DType::F32)
}
