//! The algorithm that chooses who is evicted to make room.

use super::EntryId;
use super::links::CreationList;
use super::s3_fifo::S3Fifo;
use super::sieve::Sieve;

/// The state of an algorithm besides the histories.
pub(super) enum Victims {
    LeastRecent,
    Oldest(CreationList),
    Sieve(Sieve),
    S3Fifo(Box<S3Fifo>),
}

impl Victims {
    pub(super) fn insert(&mut self, id: EntryId, hash: u64) {
        match self {
            Self::LeastRecent => {}
            Self::Oldest(list) => list.insert(id),
            Self::Sieve(sieve) => sieve.insert(id),
            Self::S3Fifo(queues) => queues.insert(id, hash),
        }
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        match self {
            Self::LeastRecent => {}
            Self::Oldest(list) => list.remove(id),
            Self::Sieve(sieve) => sieve.remove(id),
            Self::S3Fifo(queues) => queues.remove(id),
        }
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        match self {
            Self::LeastRecent => {}
            Self::Oldest(list) => list.add_place(capacity),
            Self::Sieve(sieve) => sieve.add_place(capacity),
            Self::S3Fifo(queues) => queues.add_place(capacity),
        }
    }

    /// Forgets all entries, and those that were evicted.
    pub(super) fn clear(&mut self, places: usize) {
        match self {
            Self::LeastRecent => {}
            Self::Oldest(list) => *list = CreationList::new(places, &[]),
            Self::Sieve(sieve) => *sieve = Sieve::new(places, &[], |_| 0),
            Self::S3Fifo(queues) => queues.clear(places),
        }
    }

    pub(super) fn renumber(&mut self, map: &[u32], places: usize) {
        match self {
            Self::LeastRecent => {}
            Self::Oldest(list) => list.renumber(map, places),
            Self::Sieve(sieve) => sieve.renumber(map, places),
            Self::S3Fifo(queues) => queues.renumber(map, places),
        }
    }
}
