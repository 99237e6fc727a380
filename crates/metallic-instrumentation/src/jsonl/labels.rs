//! Labels as small numbers.

use std::sync::Arc;

const SLOT_BITS: u32 = 12;

/// The number of labels known at a time.
pub(super) const SLOTS: usize = 1 << SLOT_BITS;

/// The longest label that is given a slot, in bytes. The slots hold what they hold until others come, in two threads: at
/// most 4 MiB in all here, and as much, or more where it has to be escaped, as lines.
pub(super) const LONGEST: usize = 1 << 10;

/// The labels that were queued lately, each in a numbered slot.
///
/// An access in the queue names a slot, not a label. So the reference count of a hot label is not pulled back and forth
/// between the cores of the two threads, an entry of the queue is small, and the writer escapes a label once, not once an
/// access: a third of the caller's time and two thirds of the writer's.
pub(super) struct Labels {
    slots: Box<[Option<Known>]>,
}

#[derive(Clone)]
struct Known {
    label: Arc<str>,
    registry: Option<u32>,
}

impl Labels {
    pub(super) fn new() -> Self {
        Self { slots: vec![None; SLOTS].into() }
    }

    /// The slot of this label, and whether it was given to it right now, in place of another.
    ///
    /// A slot also has the registry, since the entry of an access has no room for it; a label rarely has more than one.
    /// A label has two possible slots, found from its address. That address is not reused while the slot holds the
    /// label, and another allocation with equal text merely gets another slot.
    pub(super) fn slot_of(&mut self, label: &Arc<str>, registry: Option<u32>) -> (u32, bool) {
        let address = Arc::as_ptr(label).cast::<u8>() as usize as u64;
        // Fibonacci hashing: the high bits of the product depend on all the bits of the address.
        let first = (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOT_BITS)) as usize;
        let second = first ^ 1;
        let holds = |slot: usize| self.slots[slot].as_ref().is_some_and(|held| held.is(label, registry));
        if holds(first) {
            return (first as u32, false);
        }
        if holds(second) {
            return (second as u32, false);
        }
        let slot = if self.slots[first].is_some() && self.slots[second].is_none() { second } else { first };
        self.slots[slot] = Some(Known { label: Arc::clone(label), registry });
        (slot as u32, true)
    }
}

impl Known {
    fn is(&self, label: &Arc<str>, registry: Option<u32>) -> bool {
        Arc::ptr_eq(&self.label, label) && self.registry == registry
    }
}
