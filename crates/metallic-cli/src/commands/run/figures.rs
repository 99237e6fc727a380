//! Everything a run has to say: what all outputs are made from, and the schema of `--json`.

use serde::Serialize;

use super::answers::{Answer, Latency};
use super::caches::CacheRow;
use super::prompts::Prompt;
use super::session::Outcome;
use super::verify::Verification;
use crate::error::Error;
use metallic_transformer::model::Loaded;

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The version of this schema.
    pub schema: u32,
    /// What it ran on.
    pub device: DeviceFigures,
    /// What ran.
    pub model: ModelFigures,
    /// What came out, by prompt.
    pub prompts: Vec<PromptFigures>,
    /// How often everything ran.
    pub passes: usize,
    /// The mean times of the first pass.
    pub cold: Option<Latency>,
    /// The mean times of the passes after it.
    pub warm: Option<Latency>,
    /// The caches.
    pub caches: Vec<CacheRow>,
    /// The comparison with f64, if it was asked for.
    pub verification: Option<Verification>,
}

/// What a model ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceFigures {
    /// `host` or `wgpu`.
    pub kind: &'static str,
    /// What it is.
    pub name: String,
    /// Why this one.
    pub why: String,
}

/// What ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelFigures {
    /// The folder, or what else it comes from.
    pub source: String,
    /// `gpt2` or `bert`.
    pub model_type: &'static str,
    /// Layers.
    pub layers: usize,
    /// Numbers in the state of a token.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Tokens there are.
    pub vocabulary: usize,
    /// Numbers it has learned.
    pub parameters: usize,
    /// The longest prompt.
    pub limit: usize,
    /// The type of numbers on the device.
    pub dtype: &'static str,
}

/// What came out of one prompt.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PromptFigures {
    /// The line of the file it stands in, counted from 1; `None` if it stands in none that was given.
    pub line: Option<u64>,
    /// The text; `None` if tokens were given.
    pub text: Option<String>,
    /// Whether the text lost its end.
    pub truncated: bool,
    /// The tokens that went in.
    pub input_ids: Vec<u32>,
    /// A decoder's tokens, each the likeliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_ids: Option<Vec<u32>>,
    /// Their text, where there is a tokenizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_text: Option<String>,
    /// With `--logits`, a decoder's logits at the last position of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits: Option<Vec<f32>>,
    /// An encoder's vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Vec<f32>>,
    /// How long it took, by pass.
    pub times: Vec<Latency>,
}

impl PromptFigures {
    /// What came of each prompt.
    ///
    /// # Errors
    /// The tokenizer cannot make text of the tokens.
    pub(super) fn of(
        loaded: &Loaded,
        prompts: &[Prompt],
        outcome: &Outcome,
        with_logits: bool,
    ) -> Result<Vec<Self>, Error> {
        let figures = prompts.iter().zip(&outcome.answers).enumerate().map(|(number, (prompt, answer))| {
            let times = outcome.passes.iter().filter_map(|pass| Latency::mean(pass.get(number)));
            let figures = Self {
                line: prompt.line,
                text: prompt.text.clone(),
                truncated: prompt.truncated,
                input_ids: prompt.ids.clone(),
                times: times.collect(),
                ..Self::default()
            };
            Ok(match answer {
                Answer::Embedding(embedding) => Self { embedding: Some(embedding.clone()), ..figures },
                Answer::Continuation(continuation) => Self {
                    generated_text: match &loaded.tokens {
                        Some(tokens) => Some(tokens.decode(&continuation.ids)?),
                        None => None,
                    },
                    generated_ids: Some(continuation.ids.clone()),
                    logits: continuation.logits.first().filter(|_| with_logits).cloned(),
                    ..figures
                },
            })
        });
        figures.collect()
    }
}
