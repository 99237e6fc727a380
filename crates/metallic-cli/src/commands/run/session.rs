//! All prompts, pass after pass, on one device, by one worker or several.

use std::mem;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

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
use crate::signals;
use metallic_transformer::engine::{Decoder, Encoder, TransformerDevice, Workload};
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
    /// Why there are no more results: the device's error, an [`Error::Deviation`] if a pass has another result than the first,
    /// or one that is not a number, or an [`Error::Interrupted`].
    pub failure: Option<Error>,
}

/// The creations of a registry up to now: those begun, and those that are over. A prompt that waited for the creation of another
/// worker sees its end.
#[derive(PartialEq)]
struct Creations {
    begun: u64,
    over: u64,
}

impl Creations {
    fn of<D: TransformerDevice>(registry: &SharedRegistry<D>) -> Self {
        let metrics = registry.metrics_by_name();
        metrics.fold(Self { begun: 0, over: 0 }, |sum, (_, metrics)| {
            let inserted = metrics.size as u64 + metrics.evictions + metrics.removals;
            Self { begun: sum.begun + metrics.misses, over: sum.over + inserted + metrics.failed_creations }
        })
    }
}

impl Session<'_> {
    /// The number of workers that are started.
    pub fn workers(&self) -> usize {
        self.workers.get().min(self.prompts.len())
    }

    /// The work as the model's kernels list keys for it.
    pub(super) fn workload(&self) -> Workload {
        Workload::of(self.model, self.dtype, self.lengths(), self.tokens)
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
        let creations = || Creations::of(registry);
        let kv_caches = thread::scope(|scope| {
            let mut started = Vec::new();
            for number in 1..=self.workers() {
                let (device, mut local, board) = (device.clone(), registry.local(), &board);
                let spans = local.slot_mut(Spans::default).clone();
                let watch = Watch { creations: &creations, spans, progress };
                let cache = ResourceCache::from(local);
                let work = move || {
                    let worked = match self.model {
                        Model::Gpt2(model) => {
                            let decoder = Decoder::new(model, device, cache, self.dtype);
                            let decoder = match self.workers() {
                                1 => decoder,
                                _ => decoder.with_kv_cache_name(format!("kv_cache_{number}")),
                            };
                            self.write(model, decoder, board, serving, &watch)
                        }
                        Model::Bert(model) => self
                            .embed(Encoder::new(model, device, cache, self.dtype), board, serving, &watch)
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
                        serving.arrive(self.workers() - started.len(), false);
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
        watch: &Watch<'_>,
    ) -> Result<Option<CacheRow>, Error> {
        let longest = self.longest();
        let wanted = longest.saturating_add(self.tokens).saturating_sub(1);
        let mut before = first_baseline(serving, watch);
        let mut reserving = make_ready(serving, board, || {
            decoder.reserve(longest, model.config.shape.positions.min(wanted))?;
            match serving.is_rehearsed() {
                true => decoder.rehearse(self.lengths(), self.tokens, goes_on),
                false => Ok(()),
            }
        })?;
        while let Some(turn) = board.take() {
            let before = before.take().unwrap_or_else(watch.creations);
            let span = watch.spans.begin();
            let (continuation, mut timing) =
                self.continue_prompt(model, &mut decoder, turn.prompt, (board, serving, &watch.spans))?;
            span.end("prompt", || format!("{}", turn.prompt + 1));
            timing.first += mem::take(&mut reserving);
            timing.is_cold = (watch.creations)() != before;
            turn.end(Answer::Continuation(continuation), timing)?;
            watch.progress.add(1);
        }
        Ok(decoder.kv_cache().map(CacheRow::of_kv_cache))
    }

    /// The error of a prompt, `what` of which is not a number.
    fn not_a_number(&self, prompt: usize, what: &str) -> Error {
        let number = prompt + 1;
        let line = self.prompts[prompt].line.map_or_else(String::new, |line| format!(" (line {line})"));
        let weights = self.model.not_finite().map_or_else(String::new, |weight| {
            format!("; nor are all of the model's weights, `{}` first", weight.name())
        });
        Error::Deviation(format!("prompt {number}{line}: {what} is not a number{weights}"))
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
        (board, serving, spans): (&Board, &Serving<'_>, &Spans),
    ) -> Result<(Continuation, Timing), Error> {
        let mut continuation = Continuation::default();
        let mut timing = Timing::default();
        decoder.restart();
        let mut ids = self.prompts[prompt].ids.as_slice();
        let mut next;
        loop {
            let (start, span) = (Instant::now(), spans.begin());
            let phase = serving.phase(if continuation.ids.is_empty() { "prefill" } else { "decode" });
            let logits = decoder.feed(ids)?;
            drop(phase);
            span.end("token", || format!("{}, prompt {}", continuation.ids.len() + 1, prompt + 1));
            next = [likeliest(&logits).ok_or_else(|| self.not_a_number(prompt, "a logit"))?];
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
            if let Some(interruption) = board.interruption() {
                return Err(interruption);
            }
            ids = &next;
        }
    }

    fn embed<D: TransformerDevice, G: Registry<D>>(
        &self,
        mut encoder: Encoder<'_, D, G>,
        board: &Board,
        serving: &Serving<'_>,
        watch: &Watch<'_>,
    ) -> Result<(), Error> {
        let mut before = first_baseline(serving, watch);
        let mut reserving = make_ready(serving, board, || {
            encoder.reserve(self.longest())?;
            match serving.is_rehearsed() {
                true => encoder.rehearse(self.lengths(), goes_on),
                false => Ok(()),
            }
        })?;
        while let Some(turn) = board.take() {
            let before = before.take().unwrap_or_else(watch.creations);
            let (start, ids) = (Instant::now(), &self.prompts[turn.prompt].ids);
            let span = watch.spans.begin();
            let phase = serving.phase("encode");
            let embedding = encoder.embed(ids)?;
            drop(phase);
            span.end("embedding", || format!("{}", turn.prompt + 1));
            let first = start.elapsed() + mem::take(&mut reserving);
            if embedding.iter().any(|x| !x.is_finite()) {
                return Err(self.not_a_number(turn.prompt, "an element of its vector"));
            }
            let is_cold = (watch.creations)() != before;
            let timing = Timing { first, rest: Vec::new(), tokens: ids.len(), is_cold };
            turn.end(Answer::Embedding(embedding), timing)?;
            watch.progress.add(1);
        }
        Ok(())
    }
}

/// The things that a worker tells of its turns.
struct Watch<'a> {
    /// Counts what was created so far, in all caches.
    creations: &'a (dyn Fn() -> Creations + Sync),
    spans: Spans,
    progress: &'a Progress,
}

/// The creations before the first prompt of a worker, if it has to bear those of the memory that it waits for.
fn first_baseline(serving: &Serving<'_>, watch: &Watch<'_>) -> Option<Creations> {
    (!serving.is_rehearsed()).then(watch.creations)
}

/// Makes a worker ready, and waits until all are. Returns the time that its first prompt has to bear, which waits for the worker's
/// memory; none after a rehearsal, which is part of the warm-up, as is all that comes before the first prompt then.
fn make_ready(
    serving: &Serving<'_>,
    board: &Board,
    prepare: impl FnOnce() -> Result<(), metallic::Error>,
) -> Result<Duration, Error> {
    let (start, arrival) = (Instant::now(), serving.arrival());
    prepare()?;
    if serving.is_rehearsed()
        && let Some(signal) = signals::received()
    {
        return Err(Error::Interrupted { signal, during: "the warm-up".to_owned(), has_results: false });
    }
    let took = start.elapsed();
    arrival.arrive();
    serving.wait();
    if !serving.is_rehearsed() {
        return Ok(took);
    }
    board.begin();
    Ok(Duration::ZERO)
}

/// Returns `false` once a signal has asked the run to end.
fn goes_on() -> bool {
    signals::received().is_none()
}

/// The token with the largest logit; of several, the first. `None` if one is not a number.
fn likeliest(logits: &[f32]) -> Option<u32> {
    if logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let best = logits.iter().enumerate().rev().max_by(|(_, a), (_, b)| a.total_cmp(b));
    Some(best.map_or(0, |(id, _)| id as u32))
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn of_equal_logits_the_first_is_taken() {
        assert_eq!(likeliest(&[0.0, 2.0, 2.0, -1.0]), Some(1));
        assert_eq!(likeliest(&[f32::NEG_INFINITY]), Some(0));
        assert_eq!(likeliest(&[0.0, f32::NAN]), None);
    }
}
