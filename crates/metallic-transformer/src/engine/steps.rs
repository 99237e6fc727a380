//! The steps that prompts take, each pair of buckets once: what is rehearsed, and whose plans are listed.

use std::collections::HashSet;

use metallic::kernels::{RowBucket, SeqKBucket};

/// One pass through a model: `rows` tokens after `past` others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) past: usize,
    pub(super) rows: usize,
}

impl Step {
    /// The tokens that the last row attends to.
    pub(super) fn seen(self) -> usize {
        self.past + self.rows
    }
}

/// The steps of prompts of these lengths, each continued by up to `tokens` tokens, in a model of `most` positions.
pub(super) fn of_prompts(
    prompts: impl IntoIterator<Item = usize>,
    tokens: usize,
    most: usize,
) -> impl Iterator<Item = Step> {
    let steps = prompts.into_iter().flat_map(move |length| {
        let first = Step { past: 0, rows: length };
        let after = length..length.saturating_add(tokens).saturating_sub(1);
        std::iter::once(first)
            .chain(after.map(|past| Step { past, rows: 1 }))
            .take_while(move |step| step.rows > 0 && step.seen() <= most)
    });
    distinct(steps)
}

/// The steps of texts of these lengths, each encoded at once.
pub(super) fn of_texts(texts: impl IntoIterator<Item = usize>) -> impl Iterator<Item = Step> {
    distinct(texts.into_iter().filter(|length| *length > 0).map(|rows| Step { past: 0, rows }))
}

fn distinct(steps: impl Iterator<Item = Step>) -> impl Iterator<Item = Step> {
    let mut met = HashSet::new();
    steps.filter(move |step| met.insert((RowBucket::of(step.rows), SeqKBucket::of(step.seen()))))
}
