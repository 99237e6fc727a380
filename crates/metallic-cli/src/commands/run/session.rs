//! All prompts, pass after pass, on one device.

use std::mem;
use std::time::Instant;

use metallic::Dtype;
use metallic::caching::ResourceCache;

use super::answers::{Answer, Continuation, Timing};
use super::prompts::Prompt;
use crate::error::Error;
use crate::progress::Progress;
use metallic_transformer::engine::{Decoder, Encoder, TransformerDevice};
use metallic_transformer::model::{Gpt2, Model};

/// The work of a run.
#[derive(Clone, Copy, Debug)]
pub struct Session<'a> {
    /// The model.
    pub model: &'a Model,
    /// The prompts.
    pub prompts: &'a [Prompt],
    /// The most tokens that a decoder generates for each prompt; at least 1.
    pub tokens: usize,
    /// The number of passes.
    pub passes: usize,
    /// The type of numbers on the device.
    pub dtype: Dtype,
    /// `true` if the logits of all tokens are kept, and not only those of the first.
    pub all_logits: bool,
}

/// The results of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// For each prompt.
    pub answers: Vec<Answer>,
    /// For each pass, for each prompt.
    pub passes: Vec<Vec<Timing>>,
}

impl Session<'_> {
    /// Does it, and gives the registry back.
    ///
    /// # Errors
    /// The device's; [`Error::Deviation`] if a pass has another result than the first, or one that is not a number.
    pub fn run<D: TransformerDevice>(
        &self,
        device: D,
        cache: ResourceCache<D>,
        progress: &Progress,
    ) -> Result<(Outcome, ResourceCache<D>), Error> {
        match self.model {
            Model::Gpt2(model) => self.write(model, Decoder::new(model, device, cache, self.dtype), progress),
            Model::Bert(model) => self.embed(Encoder::new(model, device, cache, self.dtype), progress),
        }
    }

    fn write<D: TransformerDevice>(
        &self,
        model: &Gpt2,
        mut decoder: Decoder<'_, D>,
        progress: &Progress,
    ) -> Result<(Outcome, ResourceCache<D>), Error> {
        let longest = self.longest();
        let wanted = longest.saturating_add(self.tokens).saturating_sub(1);
        let start = Instant::now();
        decoder.reserve(longest, model.config.shape.positions.min(wanted))?;
        // The first prompt of all is the one that waits for this memory.
        let mut reserving = start.elapsed();
        let mut outcome = Outcome::default();
        for pass in 0..self.passes {
            let mut timings = Vec::with_capacity(self.prompts.len());
            for (number, prompt) in self.prompts.iter().enumerate() {
                let (continuation, mut timing) = self.continue_prompt(model, &mut decoder, prompt)?;
                timing.first += mem::take(&mut reserving);
                timings.push(timing);
                progress.add(1);
                match outcome.answers.get(number) {
                    None => outcome.answers.push(Answer::Continuation(continuation)),
                    Some(Answer::Continuation(first)) if first.ids == continuation.ids => {}
                    Some(_) => {
                        let (prompt, pass) = (number + 1, pass + 1);
                        let cause =
                            format!("prompt {prompt}: pass {pass} generates other tokens than pass 1");
                        return Err(Error::Deviation(cause));
                    }
                }
            }
            outcome.passes.push(timings);
        }
        Ok((outcome, decoder.into_cache()))
    }

    /// The tokens of the longest prompt.
    fn longest(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.ids.len()).max().unwrap_or(0)
    }

    /// Takes the likeliest token again and again.
    fn continue_prompt<D: TransformerDevice>(
        &self,
        model: &Gpt2,
        decoder: &mut Decoder<'_, D>,
        prompt: &Prompt,
    ) -> Result<(Continuation, Timing), Error> {
        let mut continuation = Continuation::default();
        let mut timing = Timing::default();
        decoder.restart();
        let mut ids = prompt.ids.as_slice();
        let mut next;
        loop {
            let start = Instant::now();
            let logits = decoder.feed(ids)?;
            next = [likeliest(&logits)?];
            if continuation.ids.is_empty() {
                timing.first = start.elapsed();
            } else {
                timing.rest.push(start.elapsed());
            }
            if self.all_logits || continuation.ids.is_empty() {
                continuation.logits.push(logits);
            }
            continuation.ids.extend(next);
            let is_full = decoder.positions() == model.config.shape.positions;
            if continuation.ids.len() == self.tokens || is_full || model.config.ends.contains(&next[0]) {
                return Ok((continuation, timing));
            }
            ids = &next;
        }
    }

    fn embed<D: TransformerDevice>(
        &self,
        mut encoder: Encoder<'_, D>,
        progress: &Progress,
    ) -> Result<(Outcome, ResourceCache<D>), Error> {
        let start = Instant::now();
        encoder.reserve(self.longest())?;
        let mut reserving = start.elapsed();
        let mut outcome = Outcome::default();
        for pass in 0..self.passes {
            let mut timings = Vec::with_capacity(self.prompts.len());
            for (number, prompt) in self.prompts.iter().enumerate() {
                let start = Instant::now();
                let embedding = encoder.embed(&prompt.ids)?;
                timings.push(Timing { first: start.elapsed() + mem::take(&mut reserving), rest: Vec::new() });
                progress.add(1);
                if embedding.iter().any(|x| !x.is_finite()) {
                    return Err(Error::Deviation(
                        "an embedding has elements that are not numbers".to_owned(),
                    ));
                }
                match outcome.answers.get(number) {
                    None => outcome.answers.push(Answer::Embedding(embedding)),
                    Some(Answer::Embedding(first)) if is_again(first, &embedding) => {}
                    Some(_) => {
                        let (prompt, pass) = (number + 1, pass + 1);
                        let cause = format!("prompt {prompt}: pass {pass} has another vector than pass 1");
                        return Err(Error::Deviation(cause));
                    }
                }
            }
            outcome.passes.push(timings);
        }
        Ok((outcome, encoder.into_cache()))
    }
}

/// Returns `true` if a later pass has the vector of the first. A GPU need not add in the same order each time.
fn is_again(first: &[f32], later: &[f32]) -> bool {
    first.len() == later.len() && first.iter().zip(later).all(|(a, b)| (a - b).abs() <= 1e-5)
}

/// The token with the largest logit; of several, the first.
fn likeliest(logits: &[f32]) -> Result<u32, Error> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return Err(Error::Deviation("a logit is not a number".to_owned()));
    }
    let best = logits.iter().enumerate().rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
    Ok(best.map_or(0, |(id, _)| id as u32))
}

#[cfg(test)]
mod tests {
    use super::{is_again, likeliest};

    #[test]
    fn a_vector_is_that_of_the_first_pass_but_for_rounding() {
        assert!(is_again(&[0.5, -0.25], &[0.500_001, -0.25]));
        assert!(!is_again(&[0.5, -0.25], &[0.5001, -0.25]) && !is_again(&[0.5], &[f32::NAN]));
    }

    #[test]
    fn of_equal_logits_the_first_is_taken() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0, -1.0]).expect("all are numbers"), 1);
        assert_eq!(likeliest(&[f32::NEG_INFINITY]).expect("all are numbers"), 0);
        assert!(likeliest(&[0.0, f32::NAN]).is_err());
    }
}
