//! The fields of a model's `config.json`.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// The form of the Gaussian error linear unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// By the error function.
    GeluErf,
    /// By the hyperbolic tangent that comes near it.
    GeluTanh,
}

/// The numbers that a stack of transformer blocks is built from.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Numbers in the state of one token.
    pub width: usize,
    /// Attention heads of a layer.
    pub heads: usize,
    /// Layers.
    pub layers: usize,
    /// Numbers between the two halves of a feed-forward network.
    pub inner: usize,
    /// Tokens there are.
    pub vocabulary: usize,
    /// Positions that have an embedding.
    pub positions: usize,
    /// The number that layer norm adds to the variance.
    pub epsilon: f32,
    /// The function between the two halves of a feed-forward network.
    pub activation: Activation,
}

impl Shape {
    /// Numbers in one head.
    pub fn head_width(&self) -> usize {
        self.width / self.heads
    }
}

/// The `config.json` of a decoder like GPT-2.
#[derive(Clone, Debug, PartialEq)]
pub struct Gpt2Config {
    /// The numbers.
    pub shape: Shape,
    /// The tokens that end a text, any of them.
    pub ends: Vec<u32>,
    /// `true` if scores are divided by the root of the head's width.
    pub scale: bool,
    /// `true` if scores are also divided by the number of the layer, counted from 1.
    pub scale_by_layer: bool,
    /// `true` if the head is the table of token embeddings.
    pub tied: bool,
}

/// The `config.json` of an encoder like BERT.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// The numbers.
    pub shape: Shape,
    /// Kinds of segment that have an embedding.
    pub segments: usize,
}

/// The architecture that a `config.json` describes.
#[derive(Clone, Debug, PartialEq)]
pub enum Config {
    /// A decoder like GPT-2.
    Gpt2(Gpt2Config),
    /// An encoder like BERT.
    Bert(BertConfig),
}

#[derive(Deserialize)]
struct Kind {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
}

#[derive(Deserialize)]
struct Gpt2Fields {
    vocab_size: usize,
    n_positions: usize,
    n_embd: usize,
    n_layer: usize,
    n_head: usize,
    n_inner: Option<usize>,
    #[serde(default = "gelu_new")]
    activation_function: String,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f32,
    eos_token_id: Option<EndOfText>,
    #[serde(default = "yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default)]
    add_cross_attention: bool,
}

#[derive(Deserialize)]
struct BertFields {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    hidden_act: String,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f32,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

/// One token, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum EndOfText {
    One(u32),
    Many(Vec<u32>),
}

fn gelu_new() -> String {
    "gelu_new".to_owned()
}

fn epsilon() -> f32 {
    1e-5
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// It cannot be read, is of another architecture, lacks a number, or has numbers that contradict each other.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| Error::file(&file, error))?;
        Self::parse(&text).map_err(|cause| Error::content(file, cause))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let kind: Kind = fields(text)?;
        match kind.model_type.as_deref() {
            Some("gpt2") => fields(text).and_then(gpt2).map(Self::Gpt2),
            Some("bert") => fields(text).and_then(bert).map(Self::Bert),
            Some(other) => Err(format!("the model type is `{other}`; there is code for gpt2 and bert")),
            None => Err(match kind.architectures.first() {
                Some(name) => {
                    format!("there is no model_type (architecture `{name}`); gpt2 and bert are known")
                }
                None => "there is no model_type; gpt2 and bert are known".to_owned(),
            }),
        }
    }

    /// The numbers of the model.
    pub fn shape(&self) -> &Shape {
        match self {
            Self::Gpt2(config) => &config.shape,
            Self::Bert(config) => &config.shape,
        }
    }
}

fn fields<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn gpt2(fields: Gpt2Fields) -> Result<Gpt2Config, String> {
    if fields.add_cross_attention {
        return Err("add_cross_attention is true; there is code for decoders alone only".to_owned());
    }
    let shape = Shape {
        width: fields.n_embd,
        heads: fields.n_head,
        layers: fields.n_layer,
        inner: fields.n_inner.unwrap_or(fields.n_embd.saturating_mul(4)),
        vocabulary: fields.vocab_size,
        positions: fields.n_positions,
        epsilon: fields.layer_norm_epsilon,
        activation: activation("activation_function", &fields.activation_function)?,
    };
    Ok(Gpt2Config {
        shape: checked(shape)?,
        ends: match fields.eos_token_id {
            None => Vec::new(),
            Some(EndOfText::One(id)) => vec![id],
            Some(EndOfText::Many(ids)) => ids,
        },
        scale: fields.scale_attn_weights,
        scale_by_layer: fields.scale_attn_by_inverse_layer_idx,
        tied: fields.tie_word_embeddings,
    })
}

fn bert(fields: BertFields) -> Result<BertConfig, String> {
    match fields.position_embedding_type.as_deref() {
        None | Some("absolute") => {}
        Some(other) => {
            return Err(format!("position_embedding_type is `{other}`; there is code for `absolute` only"));
        }
    }
    if fields.is_decoder {
        return Err("is_decoder is true; there is code for bert as an encoder only".to_owned());
    }
    let shape = Shape {
        width: fields.hidden_size,
        heads: fields.num_attention_heads,
        layers: fields.num_hidden_layers,
        inner: fields.intermediate_size,
        vocabulary: fields.vocab_size,
        positions: fields.max_position_embeddings,
        epsilon: fields.layer_norm_eps,
        activation: activation("hidden_act", &fields.hidden_act)?,
    };
    if fields.type_vocab_size == 0 {
        return Err("type_vocab_size is 0".to_owned());
    }
    Ok(BertConfig { shape: checked(shape)?, segments: fields.type_vocab_size })
}

fn activation(field: &str, name: &str) -> Result<Activation, String> {
    match name {
        "gelu" | "gelu_python" => Ok(Activation::GeluErf),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        other => Err(format!(
            "{field} is `{other}`; there is code for gelu, gelu_new, gelu_fast and gelu_pytorch_tanh"
        )),
    }
}

fn checked(shape: Shape) -> Result<Shape, String> {
    let Shape { width, heads, layers, inner, vocabulary, positions, epsilon, .. } = shape;
    let sizes = [
        ("width", width),
        ("number of heads", heads),
        ("number of layers", layers),
        ("inner width", inner),
        ("vocabulary", vocabulary),
        ("number of positions", positions),
    ];
    if let Some((size, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
        return Err(format!("the {size} is 0"));
    }
    if !width.is_multiple_of(heads) {
        return Err(format!("the width {width} is not a multiple of the {heads} heads"));
    }
    if !(epsilon.is_finite() && epsilon > 0.0) {
        return Err(format!("the epsilon of layer norm is {epsilon}, and must be more than 0"));
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::{Activation, Config};

    #[test]
    fn what_a_config_leaves_out_is_what_transformers_takes_it_for() {
        let text =
            r#"{"model_type":"gpt2","vocab_size":10,"n_positions":8,"n_embd":6,"n_layer":1,"n_head":2}"#;
        let Ok(Config::Gpt2(config)) = Config::parse(text) else { panic!("the config is complete") };
        assert_eq!((config.shape.inner, config.shape.activation), (24, Activation::GeluTanh));
        assert!(config.scale && !config.scale_by_layer && config.tied && config.ends.is_empty());
        assert_eq!(config.shape.epsilon, 1e-5);
    }

    #[test]
    fn what_cannot_be_computed_is_refused_by_name() {
        let config = |change: &str| {
            let text = format!(
                r#"{{"model_type":"gpt2","vocab_size":10,"n_positions":8,"n_layer":1,"n_embd":6{change}}}"#
            );
            Config::parse(&text).expect_err("the config is refused")
        };
        assert!(config(r#","n_head":4"#).contains("the width 6 is not a multiple of the 4 heads"));
        assert!(config(r#","n_head":0"#).contains("the number of heads is 0"));
        assert!(config("").contains("n_head"));
        let epsilon = config(r#","n_head":2,"layer_norm_epsilon":0"#);
        assert!(epsilon.contains("the epsilon of layer norm is 0, and must be more"), "{epsilon}");
        assert!(config(r#","n_head":2,"activation_function":"relu""#).contains("`relu`"));
        let llama = Config::parse(r#"{"model_type":"llama"}"#).expect_err("it is another architecture");
        assert!(llama.contains("`llama`"));
        assert!(Config::parse("{").is_err());
    }
}
