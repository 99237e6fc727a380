//! S3-FIFO and SIEVE as their papers have them, on the model's list of entries.

use std::mem::discriminant;

use super::naive::Naive;
use super::op::Start;

/// The queues of S3-FIFO.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Queue {
    Small,
    Main,
}

/// The state of the two algorithms besides the entries.
#[derive(Default)]
pub(super) struct Queues {
    /// Hashes of keys, from the oldest ghost to the newest.
    ghosts: Vec<u16>,
    /// The entry that SIEVE's hand points at, by the number of its creation.
    hand: Option<u64>,
}

impl Naive {
    /// Where a newcomer goes: a ghost is looked up, and gone then.
    pub(super) fn queue_of_newcomer(&mut self, key: u16) -> Queue {
        let ghosts = &mut self.queues.ghosts;
        match ghosts.iter().position(|ghost| *ghost == hash(key)) {
            Some(ghost) => {
                ghosts.remove(ghost);
                Queue::Main
            }
            None => Queue::Small,
        }
    }

    /// A strategy begins anew; the same one with other limits goes on.
    pub(super) fn change_queues(&mut self, before: Start) {
        if discriminant(&before) != discriminant(&self.policy.start) {
            self.queues = Queues::default();
            for entry in &mut self.entries {
                (entry.visited, entry.frequency) = (false, 0);
                (entry.queue, entry.queued_seq) = (Queue::Main, entry.created_seq);
            }
        }
        self.forget_ghosts();
    }

    /// SIEVE: "if hand is NULL, hand = tail; while visited: unset, hand = prev; evict". The tail is the oldest entry.
    pub(super) fn sieve_evict(&mut self) -> u64 {
        loop {
            let oldest = self.lowest(|entry| entry.created_seq).expect("a full cache has entries");
            let at_hand = |hand| self.entries.iter().position(|entry| entry.created_seq == hand);
            let position = self.queues.hand.and_then(at_hand).unwrap_or(oldest);
            let entry = &mut self.entries[position];
            let was_visited = std::mem::take(&mut entry.visited);
            self.queues.hand = Some(entry.created_seq);
            if !was_visited {
                return self.evict(Some(position));
            }
            self.hand_leaves(position);
        }
    }

    /// The hand does not stay at this entry: it goes to the next newer one.
    pub(super) fn hand_leaves(&mut self, position: usize) {
        let here = self.entries[position].created_seq;
        if self.queues.hand == Some(here) {
            let numbers = self.entries.iter().map(|entry| entry.created_seq);
            self.queues.hand = numbers.filter(|number| *number > here).min();
        }
    }

    /// S3-FIFO, Algorithm 1: EVICT.
    pub(super) fn s3_fifo_evict(&mut self) -> u64 {
        if self.queue_len(Queue::Small) >= self.small_share() {
            self.evict_small()
        } else {
            self.evict_main()
        }
    }

    /// EVICTS, which ends early rather than leave fewer than `min_entries`.
    fn evict_small(&mut self) -> u64 {
        let mut evicted = 0;
        while let Some(tail) = self.tail(Queue::Small) {
            if evicted > 0 && self.entries.len() <= self.policy.min_entries() {
                break;
            }
            if self.entries[tail].frequency > 1 {
                let queued_seq = self.next_in_sequence();
                let entry = &mut self.entries[tail];
                (entry.queue, entry.queued_seq, entry.frequency) = (Queue::Main, queued_seq, 0);
                if self.queue_len(Queue::Main) > self.main_share() {
                    evicted += self.evict_main();
                }
            } else {
                let ghost = hash(self.entries[tail].key);
                self.queues.ghosts.retain(|other| *other != ghost);
                self.queues.ghosts.push(ghost);
                self.forget_ghosts();
                return evicted + self.evict(Some(tail));
            }
        }
        evicted
    }

    /// EVICTM.
    fn evict_main(&mut self) -> u64 {
        while let Some(tail) = self.tail(Queue::Main) {
            if self.entries[tail].frequency == 0 {
                return self.evict(Some(tail));
            }
            let queued_seq = self.next_in_sequence();
            self.entries[tail].frequency -= 1;
            self.entries[tail].queued_seq = queued_seq;
        }
        0
    }

    fn forget_ghosts(&mut self) {
        let too_many = self.queues.ghosts.len().saturating_sub(self.main_share());
        self.queues.ghosts.drain(..too_many);
    }

    fn small_share(&self) -> usize {
        (self.capacity().unwrap_or(usize::MAX) / 10).max(1)
    }

    fn main_share(&self) -> usize {
        self.capacity().unwrap_or(usize::MAX) - self.small_share()
    }

    fn queue_len(&self, queue: Queue) -> usize {
        self.entries.iter().filter(|entry| entry.queue == queue).count()
    }

    /// The position of the entry that has been in the queue for longest.
    fn tail(&self, queue: Queue) -> Option<usize> {
        let positions = (0..self.entries.len()).filter(|position| self.entries[*position].queue == queue);
        positions.min_by_key(|position| self.entries[*position].queued_seq)
    }
}

/// Stands for the hash of a key: four keys share one.
fn hash(key: u16) -> u16 {
    key / 4
}
