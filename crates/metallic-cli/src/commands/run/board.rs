//! The prompts that workers take, and the answers they give.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::answers::{Answer, Timing};
use crate::error::Error;
use crate::signals;

/// The results of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// For each prompt; `None` of those that the session ended before.
    pub answers: Vec<Option<Answer>>,
    /// Those that were begun, in their order.
    pub passes: Vec<Pass>,
}

impl Outcome {
    /// Returns `true` if a prompt was answered.
    pub fn has_answers(&self) -> bool {
        self.answers.iter().any(Option::is_some)
    }
}

/// One pass over all prompts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pass {
    /// For each prompt; `None` of those that the session ended before.
    pub timings: Vec<Option<Timing>>,
    /// From its beginning until all prompts were answered, or the session ended.
    pub wall: Duration,
}

impl Pass {
    /// The timings there are.
    pub fn timings(&self) -> impl Iterator<Item = &Timing> {
        self.timings.iter().flatten()
    }
}

/// Hands the prompts out, pass after pass: a pass begins when the one before is over, so that the first alone is cold.
pub(super) struct Board {
    prompts: usize,
    passes: usize,
    state: Mutex<State>,
    /// Told when a pass begins, or no more prompts are handed out.
    turned: Condvar,
}

struct State {
    /// The next prompt of the last pass of `outcome`.
    next: usize,
    /// Prompts of that pass that were answered.
    done: usize,
    began: Instant,
    is_over: bool,
    outcome: Outcome,
    failure: Option<Error>,
}

/// A prompt to be answered. If it is dropped without an answer, no more are handed out.
pub(super) struct Turn<'a> {
    board: &'a Board,
    /// Which prompt.
    pub(super) prompt: usize,
    is_open: bool,
}

impl Board {
    pub(super) fn new(prompts: usize, passes: usize) -> Self {
        let first = Pass { timings: vec![None; prompts], wall: Duration::ZERO };
        let outcome = Outcome { answers: vec![None; prompts], passes: vec![first] };
        let state = State {
            next: 0,
            done: 0,
            began: Instant::now(),
            is_over: prompts == 0 || passes == 0,
            outcome,
            failure: None,
        };
        Self { prompts, passes, state: Mutex::new(state), turned: Condvar::new() }
    }

    /// Begins the first pass now, unless a prompt was handed out: the time before is not part of it.
    pub(super) fn begin(&self) {
        let mut state = self.state();
        if state.next == 0 && state.outcome.passes.len() == 1 {
            state.began = Instant::now();
        }
    }

    /// The next prompt, when there is one; `None` when all passes are over, or the run is interrupted.
    pub(super) fn take(&self) -> Option<Turn<'_>> {
        if let Some(interruption) = self.interruption() {
            self.fail(interruption);
        }
        let waits = |state: &mut State| !state.is_over && state.next == self.prompts;
        let state = self.turned.wait_while(self.state(), waits);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_over {
            return None;
        }
        state.next += 1;
        Some(Turn { board: self, prompt: state.next - 1, is_open: true })
    }

    /// The error of a run that a signal has asked to end; `None` if none has.
    pub(super) fn interruption(&self) -> Option<Error> {
        let signal = signals::received()?;
        let pass = self.state().outcome.passes.len();
        let during = format!("pass {pass} of {}", self.passes);
        Some(Error::Interrupted { signal, during, has_results: false })
    }

    /// Ends the session. The first of several failures is kept.
    pub(super) fn fail(&self, failure: Error) {
        let mut state = self.state();
        state.failure.get_or_insert(failure);
        self.end(&mut state);
    }

    /// The results, when all workers have come to their end, and why there are no more of them.
    pub(super) fn into_outcome(self) -> (Outcome, Option<Error>) {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have ended its prompt after the signal.
        if let Some(Error::Interrupted { has_results, .. }) = &mut state.failure {
            *has_results = state.outcome.has_answers();
        }
        (state.outcome, state.failure)
    }

    fn end(&self, state: &mut State) {
        if !std::mem::replace(&mut state.is_over, true) {
            state.end_pass();
        }
        self.turned.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A worker that panics gives no answer, and changes nothing here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn end_pass(&mut self) {
        let wall = self.began.elapsed();
        if let Some(pass) = self.outcome.passes.last_mut() {
            pass.wall = wall;
        }
    }
}

impl Turn<'_> {
    /// Gives the answer.
    ///
    /// # Errors
    /// [`Error::Deviation`] if an earlier pass had another: a cache must not change a result.
    pub(super) fn end(mut self, answer: Answer, timing: Timing) -> Result<(), Error> {
        let board = self.board;
        let mut state = board.state();
        let pass = state.outcome.passes.len();
        match &mut state.outcome.answers[self.prompt] {
            Some(first) if first.is_again(&answer) => {}
            Some(_) => {
                drop(state);
                return Err(Error::Deviation(format!(
                    "prompt {}: pass {pass} {}",
                    self.prompt + 1,
                    answer.differs()
                )));
            }
            none => *none = Some(answer),
        }
        self.is_open = false;
        if let Some(pass) = state.outcome.passes.last_mut() {
            pass.timings[self.prompt] = Some(timing);
        }
        state.done += 1;
        if state.done < board.prompts || state.is_over {
            return Ok(());
        }
        if pass == board.passes {
            board.end(&mut state);
            return Ok(());
        }
        state.end_pass();
        state.outcome.passes.push(Pass { timings: vec![None; board.prompts], wall: Duration::ZERO });
        (state.next, state.done, state.began) = (0, 0, Instant::now());
        board.turned.notify_all();
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.board.end(&mut self.board.state());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn answer(n: usize) -> Answer {
        Answer::Embedding(vec![n as f32])
    }

    #[test]
    fn every_prompt_is_answered_once_a_pass_and_a_pass_begins_when_the_one_before_is_over() {
        let board = Board::new(50, 3);
        let seen = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(turn) = board.take() {
                        let pass = board.state().outcome.passes.len();
                        seen.lock().expect("no worker panics").push((pass, turn.prompt));
                        thread::yield_now();
                        assert_eq!(board.state().outcome.passes.len(), pass);
                        let answer = answer(turn.prompt);
                        turn.end(answer, Timing::default()).expect("it is the same each time");
                    }
                });
            }
        });
        let mut seen = seen.into_inner().expect("no worker panicked");
        seen.sort_unstable();
        let all = (1..=3).flat_map(|pass| (0..50).map(move |prompt| (pass, prompt)));
        assert!(seen.into_iter().eq(all));
        let (outcome, failure) = board.into_outcome();
        assert!(
            failure.is_none() && outcome.passes.iter().all(|pass| pass.timings.iter().all(Option::is_some))
        );
        assert!(outcome.answers.into_iter().eq((0..50).map(|n| Some(answer(n)))));
    }

    #[test]
    fn a_worker_that_fails_or_panics_ends_the_session_for_all() {
        for panics in [false, true] {
            let board = Board::new(3, 2);
            thread::scope(|scope| {
                let first = board.take().expect("there are prompts");
                let waiting = scope.spawn(|| {
                    let mut taken = 0;
                    while let Some(turn) = board.take() {
                        taken += 1;
                        let answer = answer(turn.prompt);
                        turn.end(answer, Timing::default()).expect("it is the first");
                    }
                    taken
                });
                let failing = scope.spawn(|| {
                    let _turn = first;
                    while board.state().done < 2 {
                        thread::yield_now();
                    }
                    assert!(!panics, "as it should");
                    board.fail(Error::Deviation("it fails".to_owned()));
                });
                assert_eq!(waiting.join().expect("it does not panic"), 2);
                assert_eq!(failing.join().is_err(), panics);
            });
            assert!(board.take().is_none());
            let (outcome, failure) = board.into_outcome();
            assert_eq!(outcome.answers, [None, Some(answer(1)), Some(answer(2))]);
            assert_eq!((outcome.passes.len(), failure.is_some()), (1, !panics));
        }
    }

    #[test]
    fn an_answer_that_is_not_that_of_the_first_pass_is_an_error() {
        let board = Board::new(1, 2);
        let first = board.take().expect("there is a prompt");
        first.end(answer(1), Timing::default()).expect("it is the first");
        let second = board.take().expect("there is a second pass");
        let error = second.end(answer(2), Timing::default()).expect_err("it is another");
        assert_eq!(error.to_string(), "prompt 1: pass 2 has another vector than pass 1");
        assert!(board.take().is_none());
    }
}
