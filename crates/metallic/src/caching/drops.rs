//! Panics of callers' code are kept from ending the process, and from keeping the rest from being done.

use std::mem::{self, needs_drop};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::panicking;

/// Takes `step` with every item, whichever of them panics. The first panic goes on then, unless another one is under way.
pub(super) fn run_each<T>(items: impl IntoIterator<Item = T>, mut step: impl FnMut(T)) {
    let mut first_panic = None;
    for item in items {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| step(item))) {
            match first_panic {
                None => first_panic = Some(payload),
                // Its `Drop` may panic, too.
                Some(_) => mem::forget(payload),
            }
        }
    }
    match first_panic {
        Some(payload) if panicking() => mem::forget(payload),
        Some(payload) => resume_unwind(payload),
        None => {}
    }
}

/// The result of `work`; `None` if it panicked.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    // The payload's `Drop` may panic, too.
    catch_unwind(AssertUnwindSafe(work)).map_err(mem::forget).ok()
}

/// Drops `other` first, and then returns `value`.
///
/// For what a function is about to return: if something that it still holds panics in its `Drop` after that, the value is never
/// dropped (rust-lang/rust#47949). Costs nothing where `other` is nothing to drop.
#[inline(always)]
pub(crate) fn drop_first<T, O>(other: O, value: T) -> T {
    if !needs_drop::<O>() {
        return value;
    }
    let value = Foreign::new(value);
    drop(other);
    value.into_inner()
}

/// Asks something of a caller's value of this type that a variable has, in code that may panic: then the value's `Drop` may as
/// well. A macro, so that the value stays where it is if it is nothing to drop: then it costs nothing.
/// For files that import [`Foreign`].
macro_rules! ask_of {
    ($type:ty, $value:ident, $ask:expr) => {
        if const { ::std::mem::needs_drop::<$type>() } {
            let held = Foreign::new($value);
            let answer = $ask(&*held);
            $value = held.into_inner();
            answer
        } else {
            $ask(&$value)
        }
    };
}
pub(super) use ask_of;

/// A value of a caller, whose `Drop` may panic: while another panic is under way, as from the value before it in a vector, that
/// would end the process, and is lost instead.
///
/// So is every value of a caller held that may be dropped after another one: of those that are in one structure, or that one
/// function has, all but the first. A structure that may be dropped by a panic holds each so.
#[derive(Clone)]
pub(crate) struct Foreign<T>(Option<T>);

impl<T> Foreign<T> {
    #[inline]
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    /// The value, unless it was taken.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take()
    }

    /// The value, which is in the caller's care from now on.
    #[inline]
    pub(crate) fn into_inner(mut self) -> T {
        self.take().expect("it was not taken")
    }
}

impl<T> Deref for Foreign<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("it was not taken")
    }
}

impl<T> DerefMut for Foreign<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it was not taken")
    }
}

impl<T> Drop for Foreign<T> {
    #[inline(always)]
    fn drop(&mut self) {
        if needs_drop::<T>() && self.0.is_some() && panicking() {
            drop_in_panic(self.0.take());
        }
    }
}

/// By value and out of line, so that what is guarded can stay in a register.
#[cold]
#[inline(never)]
fn drop_in_panic<T>(value: Option<T>) {
    run_each(value, drop);
}
