//! The model that is there without a download: GPT-2's shape, bytes as tokens, weights from a seed.

use super::config::{Activation, Gpt2Config, Shape};
use super::gpt2::Gpt2;
use super::parts::{Attention, Block, Layout, Linear, Norm};
use super::random::Random;
use super::weights::Weight;

/// The seed of the weights when none is given.
pub const SEED: u64 = 7;

/// The shape of the built-in model: 26 million parameters, a fifth of the smallest GPT-2.
pub const SHAPE: Shape = Shape {
    width: 512,
    heads: 8,
    layers: 8,
    inner: 2048,
    vocabulary: 256,
    positions: 1024,
    epsilon: 1e-5,
    activation: Activation::GeluTanh,
};

impl Gpt2 {
    /// A decoder of this shape with weights from a seed. It is not trained: the text it writes means nothing, but takes
    /// as long as if it did.
    pub fn from_seed(shape: Shape, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let width = shape.width;
        let mut tokens = random.spread(0.02, shape.vocabulary * width);
        // A logit is as large as its token's embedding: what the model writes can be printed as a rule.
        for (byte, token) in (0..=u8::MAX).zip(tokens.chunks_exact_mut(width)) {
            if !(byte.is_ascii_lowercase() || byte == b' ') {
                token.iter_mut().for_each(|x| *x *= 0.1);
            }
        }
        // Loud beside the tokens, or a token is soon followed by itself for ever.
        let positions = random.spread(0.5, shape.positions * width);
        let blocks = (0..shape.layers).map(|layer| block(&mut random, layer, &shape)).collect();
        let config = Gpt2Config { ends: Vec::new(), scale: true, scale_by_layer: false, tied: true, shape };
        Self {
            tokens: Weight::new("wte.weight", &[config.shape.vocabulary, width], tokens),
            positions: Weight::new("wpe.weight", &[config.shape.positions, width], positions),
            blocks,
            norm: norm("ln_f", width),
            head: None,
            config,
        }
    }
}

fn block(random: &mut Random, layer: usize, shape: &Shape) -> Block {
    let (width, inner) = (shape.width, shape.inner);
    // Each layer writes as loudly as the embeddings, so that the text depends on more than the last token.
    let mut linear = |part: &str, inputs: usize, outputs: usize| {
        let name = format!("h.{layer}.{part}");
        let weight = random.spread((inputs as f32).sqrt().recip(), inputs * outputs);
        let bias = random.spread(0.02, outputs);
        Linear {
            weight: Weight::new(format!("{name}.weight"), &[inputs, outputs], weight),
            bias: Weight::new(format!("{name}.bias"), &[outputs], bias),
            layout: Layout::InOut,
        }
    };
    Block {
        attention: Attention {
            input: linear("attn.c_attn", width, 3 * width),
            output: linear("attn.c_proj", width, width),
        },
        up: linear("mlp.c_fc", width, inner),
        down: linear("mlp.c_proj", inner, width),
        attention_norm: norm(&format!("h.{layer}.ln_1"), width),
        inner_norm: norm(&format!("h.{layer}.ln_2"), width),
    }
}

fn norm(name: &str, width: usize) -> Norm {
    Norm {
        gain: Weight::new(format!("{name}.weight"), &[width], vec![1.0; width]),
        bias: Weight::new(format!("{name}.bias"), &[width], vec![0.0; width]),
    }
}
