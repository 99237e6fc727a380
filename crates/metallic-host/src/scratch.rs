//! Memory for intermediate results, kept by each thread from call to call.

use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The largest scratch that a thread keeps, in elements. Larger memory is given back after use.
const KEPT_AT_MOST: usize = 1 << 20;

/// Calls `work` with so many elements, of any value. A call within it gets memory of its own.
pub(crate) fn with_scratch<R>(elements: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    if elements == 0 {
        return work(&mut []);
    }
    let mut memory = KEPT.take();
    if memory.len() < elements {
        memory.resize(elements, 0.0);
    }
    let result = work(&mut memory[..elements]);
    if memory.len() <= KEPT_AT_MOST {
        KEPT.set(memory);
    }
    result
}
