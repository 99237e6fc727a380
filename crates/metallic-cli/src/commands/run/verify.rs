//! The comparison with f64.

use metallic::Dtype;
use serde::Serialize;

use super::answers::{Answer, Continuation};
use super::prompts::Prompt;
use crate::error::Error;
use crate::progress::Progress;
use crate::signals;
use metallic_transformer::model::{Bert, Gpt2, Model};
use metallic_transformer::reference;

/// The largest difference of the device's results from those in f64.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// Numbers that were compared.
    pub compared: u64,
    /// The largest difference.
    pub worst: f64,
    /// The difference that is allowed.
    pub allowed: f64,
    /// The prompt with the largest difference, counted from 1.
    pub prompt: usize,
}

/// Computes everything again in f64: of a decoder the logits of every token it generated, so that its cached keys and values
/// are compared too; of an encoder the vectors.
///
/// # Errors
/// [`Error::Deviation`] if a result is not near enough; [`Error::Interrupted`].
pub fn verify(
    model: &Model,
    prompts: &[Prompt],
    answers: &[Option<Answer>],
    dtype: Dtype,
    progress: &Progress,
) -> Result<Verification, Error> {
    let mut found = Verification { compared: 0, worst: 0.0, allowed: 0.0, prompt: 0 };
    for (number, (prompt, answer)) in (1..).zip(prompts.iter().zip(answers)) {
        if let Some(signal) = signals::received() {
            let during = "the verification".to_owned();
            return Err(Error::Interrupted { signal, during, has_results: true });
        }
        let (deviation, at) = match (model, answer) {
            (Model::Gpt2(model), Some(Answer::Continuation(continuation))) => {
                logits(model, prompt, continuation)
            }
            (Model::Bert(model), Some(Answer::Embedding(embedding))) => vector(model, prompt, embedding),
            _ => continue,
        };
        let allowed = allowed(dtype, deviation.scale);
        found.compared += deviation.compared;
        if deviation.worst.is_nan() || deviation.worst > allowed {
            return Err(Error::Deviation(format!(
                "prompt {number}: {at} is off by {:.3e} from its value in f64, with {allowed:.3e} allowed",
                deviation.worst
            )));
        }
        if found.prompt == 0 || deviation.worst / allowed > found.worst / found.allowed {
            found = Verification { worst: deviation.worst, allowed, prompt: number, ..found };
        }
        progress.add(1);
    }
    Ok(found)
}

/// The difference that rounding may add up to. In f32 a thousandth, however large the logits are: as much as an engine may differ
/// from another. In f16, which rounds each number to a two-thousandth of itself, more, and in proportion to the numbers. The
/// elements of a vector are smaller.
fn allowed(dtype: Dtype, scale: Scale) -> f64 {
    match (scale, dtype) {
        (Scale::Logits(largest), Dtype::F16) => 5e-3 * largest.max(1.0),
        (Scale::Logits(_), _) => 1e-3,
        (Scale::Vector, Dtype::F16) => 2e-3,
        (Scale::Vector, _) => 1e-4,
    }
}

/// The kind of numbers compared.
#[derive(Clone, Copy)]
enum Scale {
    /// Logits, of which the largest is so large.
    Logits(f64),
    /// A vector of length 1, which has some hundred elements of about a tenth.
    Vector,
}

struct Deviation {
    compared: u64,
    worst: f64,
    scale: Scale,
}

fn logits(model: &Gpt2, prompt: &Prompt, continuation: &Continuation) -> (Deviation, String) {
    let fed = &continuation.ids[..continuation.logits.len().saturating_sub(1)];
    let ids: Vec<u32> = prompt.ids.iter().chain(fed).copied().collect();
    let reference = reference::logits(model, &ids, prompt.ids.len() - 1);
    let rows = continuation.logits.iter().zip(&reference);
    let (deviation, at) = compare(rows.flat_map(|(row, reference)| row.iter().zip(reference)));
    let tokens = model.config.shape.vocabulary;
    (deviation, format!("the logit of token {} for the {}th token generated", at % tokens, at / tokens + 1))
}

fn vector(model: &Bert, prompt: &Prompt, embedding: &[f32]) -> (Deviation, String) {
    let reference = reference::embedding(model, &prompt.ids);
    let (deviation, at) = compare(embedding.iter().zip(&reference));
    (Deviation { scale: Scale::Vector, ..deviation }, format!("element {at} of the vector"))
}

fn compare<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f64)>) -> (Deviation, usize) {
    let (mut compared, mut worst, mut worst_at, mut largest) = (0, 0.0, 0, 0.0_f64);
    for (at, (value, reference)) in pairs.enumerate() {
        compared += 1;
        largest = largest.max(reference.abs());
        let off = (f64::from(*value) - reference).abs();
        if off > worst || off.is_nan() {
            (worst, worst_at) = (off, at);
        }
    }
    (Deviation { compared, worst, scale: Scale::Logits(largest) }, worst_at)
}
