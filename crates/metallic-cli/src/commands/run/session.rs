//! All prompts, pass after pass, on one device, by one worker or several.

use std::mem;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;

use metallic::Dtype;
use metallic::caching::{Registry, ResourceCache, SharedRegistry};
use metallic::slots::Spans;

use super::answers::{Answer, Continuation, Timing};
use super::board::{Board, Outcome};
use super::caches::CacheRow;
use super::contract::Serving;
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
    /// The threads that take prompts. No more than there are prompts are started.
    pub workers: NonZeroUsize,
}

/// The end of a session.
#[derive(Debug)]
pub struct Ended {
    /// The results.
    pub outcome: Outcome,
    /// The KV caches of the workers, in their order.
    pub kv_caches: Vec<CacheRow>,
    /// Why there are no more results: the device's error, or an [`Error::Deviation`] if a pass has another result than the first,
    /// or one that is not a number.
    pub failure: Option<Error>,
}

impl Session<'_> {
    /// The number of workers that are started.
    pub fn workers(&self) -> usize {
        self.workers.get().min(self.prompts.len())
    }

    /// Does it, with the caches of this registry. A worker that fails ends the session for all.
    ///
    /// # Panics
    /// If a worker does, when all have come to their end.
    pub fn run<D>(&self, device: &D, registry: &SharedRegistry<D>, progress: &Progress) -> Ended
    where
        D: TransformerDevice + Send + Sync,
    {
        self.serve(device, registry, &Serving::without_contract(self.workers()), progress)
    }

    /// [`run`](Self::run) under a contract.
    pub(super) fn serve<D>(
        &self,
        device: &D,
        registry: &SharedRegistry<D>,
        serving: &Serving<'_>,
        progress: &Progress,
    ) -> Ended
    where
        D: TransformerDevice + Send + Sync,
    {
        let board = Board::new(self.prompts.len(), self.passes);
        let kv_caches = thread::scope(|scope| {
            let mut started = Vec::new();
            for number in 1..=self.workers() {
                let (device, mut local, board) = (device.clone(), registry.local(), &board);
                let spans = local.slot_mut(Spans::default).clone();
                let cache = ResourceCache::from(local);
                let work = move || {
                    let worked = match self.model {
                        Model::Gpt2(model) => {
                            let decoder = Decoder::new(model, device, cache, self.dtype);
                            let decoder = match self.workers() {
                                1 => decoder,
                                _ => decoder.with_kv_cache_name(format!("kv_cache_{number}")),
                            };
                            self.write(model, decoder, board, serving, (&spans, progress))
                        }
                        Model::Bert(model) => self
                            .embed(
                                Encoder::new(model, device, cache, self.dtype),
                                board,
                                serving,
                                (&spans, progress),
                            )
                            .map(|()| None),
                    };
                    worked.unwrap_or_else(|failure| {
                        board.fail(failure);
                        None
                    })
                };
                match thread::Builder::new().name(format!("worker {number}")).spawn_scoped(scope, work) {
                    Ok(worker) => started.push(worker),
                    Err(error) => {
                        board.fail(Error::file(format!("worker {number}"), error));
                        // Those that are there wait for it and the others.
                        serving.arrive(self.workers() - started.len());
                        break;
                    }
                }
            }
            let ended: Vec<_> = started.into_iter().map(|worker| worker.join()).collect();
            let ended = ended.into_iter().map(|worker| worker.unwrap_or_else(|panic| resume_unwind(panic)));
            ended.flatten().collect()
        });
        let (outcome, failure) = board.into_outcome();
        Ended { outcome, kv_caches, failure }
    }

    fn write<D: TransformerDevice, G: Registry<D>>(
        &self,
        model: &Gpt2,
        mut decoder: Decoder<'_, D, G>,
        board: &Board,
        serving: &Serving<'_>,
        (spans, progress): (&Spans, &Progress),
    ) -> Result<Option<CacheRow>, Error> {
        let longest = self.longest();
        let wanted = longest.saturating_add(self.tokens).saturating_sub(1);
        let start = Instant::now();
        let arrival = serving.arrival();
        let reserved = decoder.reserve(longest, model.config.shape.positions.min(wanted));
        let ready = reserved.and_then(|()| match serving.is_rehearsed() {
            true => decoder.rehearse(self.lengths(), self.tokens),
            false => Ok(()),
        });
        drop(arrival);
        ready?;
        serving.wait();
        // The first prompt of a worker is the one that waits for this memory.
        let mut reserving = start.elapsed();
        while let Some(turn) = board.take() {
            let span = spans.begin();
            let (continuation, mut timing) = self.continue_prompt(model, &mut decoder, turn.prompt, spans)?;
            span.end("prompt", || format!("{}", turn.prompt + 1));
            timing.first += mem::take(&mut reserving);
            turn.end(Answer::Continuation(continuation), timing)?;
            progress.add(1);
        }
        Ok(decoder.kv_cache().map(CacheRow::of_kv_cache))
    }

    /// The tokens of the longest prompt.
    fn longest(&self) -> usize {
        self.lengths().max().unwrap_or(0)
    }

    /// The tokens of each prompt.
    fn lengths(&self) -> impl Iterator<Item = usize> {
        self.prompts.iter().map(|prompt| prompt.ids.len())
    }

    /// Takes the likeliest token again and again.
    fn continue_prompt<D: TransformerDevice, G: Registry<D>>(
        &self,
        model: &Gpt2,
        decoder: &mut Decoder<'_, D, G>,
        prompt: usize,
        spans: &Spans,
    ) -> Result<(Continuation, Timing), Error> {
        let mut continuation = Continuation::default();
        let mut timing = Timing::default();
        decoder.restart();
        let mut ids = self.prompts[prompt].ids.as_slice();
        let mut next;
        loop {
            let (start, span) = (Instant::now(), spans.begin());
            let logits = decoder.feed(ids)?;
            span.end("token", || format!("{}, prompt {}", continuation.ids.len() + 1, prompt + 1));
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
                timing.tokens = continuation.ids.len();
                return Ok((continuation, timing));
            }
            ids = &next;
        }
    }

    fn embed<D: TransformerDevice, G: Registry<D>>(
        &self,
        mut encoder: Encoder<'_, D, G>,
        board: &Board,
        serving: &Serving<'_>,
        (spans, progress): (&Spans, &Progress),
    ) -> Result<(), Error> {
        let start = Instant::now();
        let arrival = serving.arrival();
        let ready = encoder.reserve(self.longest()).and_then(|()| match serving.is_rehearsed() {
            true => encoder.rehearse(self.lengths()),
            false => Ok(()),
        });
        drop(arrival);
        ready?;
        serving.wait();
        let mut reserving = start.elapsed();
        while let Some(turn) = board.take() {
            let (start, ids) = (Instant::now(), &self.prompts[turn.prompt].ids);
            let span = spans.begin();
            let embedding = encoder.embed(ids)?;
            span.end("embedding", || format!("{}", turn.prompt + 1));
            let first = start.elapsed() + mem::take(&mut reserving);
            if embedding.iter().any(|x| !x.is_finite()) {
                return Err(Error::Deviation("an embedding has elements that are not numbers".to_owned()));
            }
            let timing = Timing { first, rest: Vec::new(), tokens: ids.len() };
            turn.end(Answer::Embedding(embedding), timing)?;
            progress.add(1);
        }
        Ok(())
    }
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
    use super::likeliest;

    #[test]
    fn of_equal_logits_the_first_is_taken() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0, -1.0]).expect("all are numbers"), 1);
        assert_eq!(likeliest(&[f32::NEG_INFINITY]).expect("all are numbers"), 0);
        assert!(likeliest(&[0.0, f32::NAN]).is_err());
    }
}
