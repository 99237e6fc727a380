//! Reads without the lock, under all the orders that the memory model allows: shuttle's threads see each other's writes at
//! once.
//!
//! The writer is the first thread in each model. Of the accesses to one atomic, loom tries other orders than the last one's alone:
//! were the reader first, the writer's own reading of the generation would stand between.

use std::sync::Arc;

use loom::thread;

use super::head::Head;
use super::made_on::MadeOn;
use super::node::Node;

/// Runs `write` and `read` on two threads over what `new` makes, in all orders.
fn model<T: Send + Sync + 'static>(new: fn() -> T, write: fn(&T), read: fn(&T)) {
    loom::model(move || {
        let shared = Arc::new(new());
        let reader = {
            let shared = shared.clone();
            thread::spawn(move || read(&shared))
        };
        write(&shared);
        reader.join().unwrap();
    });
}

#[test]
fn whoever_catches_up_hears_of_each_departure_or_that_some_are_forgotten() {
    let read = |head: &Head| {
        let mut hashes = Vec::new();
        let (generation, complete) = head.departed_since(0, |hash| hashes.push(hash));
        assert!(!complete || hashes == (1..=generation).collect::<Vec<_>>(), "{generation}: {hashes:?}");
    };
    model(Head::default, |head| (1..=3).for_each(|hash| head.depart(hash)), read);
}

#[test]
fn whoever_learns_of_a_departure_sees_the_entry_removed() {
    let write = |(head, node): &(Head, Node<()>)| {
        node.remove();
        head.depart(7);
    };
    let read = |(head, node): &(Head, Node<()>)| {
        if head.generation() == 1 {
            assert!(node.is_removed());
        }
    };
    model(|| (Head::default(), Node::new((), 7, 0, 0, 0)), write, read);
}

#[test]
fn whoever_finds_another_device_or_none_knows_what_departed_with_the_one_before() {
    let new = || {
        let made_on = MadeOn::default();
        made_on.note_device(1);
        (Head::default(), made_on)
    };
    let write = |(head, made_on): &(Head, MadeOn)| {
        head.depart(7);
        made_on.forget();
        made_on.note_device(2);
    };
    let read = |(head, made_on): &(Head, MadeOn)| {
        if made_on.get() != Some(1) {
            assert!(!head.is_at(0), "a copy from the lost device would be handed out");
        }
    };
    model(new, write, read);
}
