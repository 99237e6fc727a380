//! Everything a run has to say: what all outputs are made from, and the schema of `--json`.

use serde::Serialize;

use super::answers::{Answer, Latencies, Latency, Throughput, Timing};
use super::board::Outcome;
use super::caches::CacheRow;
use super::contract::ContractFigures;
use super::prompts::Prompt;
use super::verify::Verification;
use crate::error::Error;
use metallic_transformer::model::{Loaded, Model};

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The device.
    pub device: DeviceFigures,
    /// The model.
    pub model: ModelFigures,
    /// The prompts that were answered, and their answers.
    pub prompts: Vec<PromptFigures>,
    /// The number of threads that took prompts.
    pub workers: usize,
    /// The number of passes.
    pub passes: usize,
    /// The times of the prompts during which something was created.
    pub cold: Option<Latencies>,
    /// The times of the others.
    pub warm: Option<Latencies>,
    /// The tokens of all workers in the first pass.
    pub cold_throughput: Option<Throughput>,
    /// The tokens of all workers in the passes after it.
    pub warm_throughput: Option<Throughput>,
    /// The store of artifacts; `None` if none is used.
    pub store: Option<StoreFigures>,
    /// The caches.
    pub caches: Vec<CacheRow>,
    /// Figures of what was recorded, warmed up, and created all the same.
    pub contract: ContractFigures,
    /// The comparison with f64, if it was asked for.
    pub verification: Option<Verification>,
    /// Why the run ended early, if it did.
    pub error: Option<String>,
}

/// The device of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceFigures {
    /// `host` or `wgpu`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Why this one.
    pub why: String,
}

/// The store of artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoreFigures {
    /// Its folder.
    pub folder: String,
    /// The name of its remote level.
    pub remote: Option<String>,
}

/// The model.
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

/// One prompt and its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PromptFigures {
    /// Its line in the file, counted from 1; `None` if no file was given.
    pub line: Option<u64>,
    /// The text; `None` if tokens were given.
    pub text: Option<String>,
    /// `true` if the text lost its end.
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
    /// `true` if the continuation has fewer tokens than were asked for, since the model has no more positions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full: Option<bool>,
    /// The latencies, by pass.
    pub times: Vec<Latency>,
    /// Those of the passes in which something was created.
    pub cold: Option<Latencies>,
    /// Those of the others.
    pub warm: Option<Latencies>,
}

impl PromptFigures {
    /// Pairs each prompt that was answered with its answer.
    ///
    /// # Errors
    /// The tokenizer cannot make text of the tokens.
    pub(super) fn of(
        loaded: &Loaded,
        prompts: &[Prompt],
        outcome: &Outcome,
        tokens: usize,
        with_logits: bool,
    ) -> Result<Vec<Self>, Error> {
        let answered = prompts.iter().zip(&outcome.answers).enumerate();
        let answered =
            answered.filter_map(|(number, (prompt, answer))| Some((number, prompt, answer.as_ref()?)));
        let figures = answered.map(|(number, prompt, answer)| {
            let timings: Vec<&Timing> =
                outcome.passes.iter().filter_map(|pass| pass.timings[number].as_ref()).collect();
            let [cold, warm] = Latencies::cold_and_warm(timings.iter().copied());
            let figures = Self {
                line: prompt.line,
                text: prompt.text.clone(),
                truncated: prompt.truncated,
                input_ids: prompt.ids.clone(),
                times: timings.into_iter().map(Latency::from).collect(),
                cold,
                warm,
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
                    full: Some(is_full(&loaded.model, prompt, &continuation.ids, tokens)),
                    logits: continuation.logits.first().filter(|_| with_logits).cloned(),
                    ..figures
                },
            })
        });
        figures.collect()
    }
}

/// Returns `true` if only the model's positions ended the continuation: the last token is generated and not fed.
fn is_full(model: &Model, prompt: &Prompt, ids: &[u32], tokens: usize) -> bool {
    let Model::Gpt2(model) = model else { return false };
    let ends = ids.last().is_some_and(|last| model.config.ends.contains(last));
    !ends && ids.len() < tokens && prompt.ids.len() + ids.len() > model.config.shape.positions
}
