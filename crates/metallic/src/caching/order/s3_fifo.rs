//! S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, Algorithm 1): newcomers pass through
//! a small queue, from which those used twice go on to the main queue. The others leave a ghost: a key that comes back
//! while its ghost is there goes to the main queue at once.

mod ghosts;

use ghosts::Ghosts;

use super::EntryId;
use super::links::{Link, link_last, reserve_one, unlink, validate};
use crate::caching::policy::EvictionPolicy;

const SMALL: u32 = 0;
const MAIN: u32 = 1;
/// The place of the entry with id 1, after the two sentinels, less 1.
const OFFSET: u32 = 1;

/// Counters end here.
const MAX_FREQUENCY: u64 = 3;
/// From this many hits on an entry is promoted.
const PROMOTION: u64 = 2;

/// The queues' state of an entry. A hit does not touch it: the counter is `frequency` and the hits since `counted`.
#[derive(Clone, Copy, Default)]
struct Seat {
    link: Link,
    /// [`SMALL`] or [`MAIN`].
    queue: u32,
    frequency: u32,
    /// The reuse count to which `frequency` belongs.
    counted: u64,
    hash: u64,
}

/// The state of the algorithm.
pub(super) struct S3Fifo {
    /// Two sentinels, then by id. Both queues go from the oldest entry to the newest.
    seats: Vec<Seat>,
    /// The lengths of the two queues.
    lens: [usize; 2],
    ghosts: Ghosts,
    small_capacity: usize,
    main_capacity: usize,
    min_entries: usize,
    /// The main queue evicted for an entry that was promoted; the small queue has still to evict.
    mid_eviction: bool,
}

impl S3Fifo {
    /// These entries, from the oldest to the newest, are the main queue, and no hit on them is known.
    pub(super) fn new(
        policy: &EvictionPolicy,
        places: usize,
        by_creation: &[EntryId],
        mut reuse_count: impl FnMut(EntryId) -> u64,
    ) -> Self {
        let mut new = Self {
            seats: vacant_seats(places),
            lens: [0, 0],
            ghosts: Ghosts::default(),
            small_capacity: 0,
            main_capacity: 0,
            min_entries: 0,
            mid_eviction: false,
        };
        new.resize(policy);
        for id in by_creation {
            new.seat(*id).counted = reuse_count(*id);
            new.enqueue(*id, MAIN);
        }
        new
    }

    /// Takes over the limits of a policy. The queues stay as they are.
    pub(super) fn resize(&mut self, policy: &EvictionPolicy) {
        let capacity = policy.capacity().unwrap_or(usize::MAX);
        self.small_capacity = (capacity / 10).max(1);
        self.main_capacity = capacity - self.small_capacity;
        self.min_entries = policy.min_entries();
        self.mid_eviction = false;
        self.ghosts.set_capacity(self.main_capacity);
    }

    pub(super) fn add_place(&mut self, capacity: usize) {
        reserve_one(&mut self.seats, capacity.saturating_add(OFFSET as usize));
        self.seats.push(Seat::default());
    }

    pub(super) fn insert(&mut self, id: EntryId, hash: u64) {
        *self.seat(id) = Seat { hash, ..Seat::default() };
        let queue = if self.ghosts.remove(hash) { MAIN } else { SMALL };
        self.enqueue(id, queue);
        self.mid_eviction = false;
    }

    pub(super) fn remove(&mut self, id: EntryId) {
        self.dequeue(id);
        self.mid_eviction &= self.lens[SMALL as usize] > 0;
    }

    /// Returns `true` if the eviction that evicted last has still to evict, wherever the limit is.
    pub(super) fn is_mid_eviction(&self) -> bool {
        self.mid_eviction
    }

    /// The entry to evict: the paper's EVICT, which may be continued by the next call if
    /// [`is_mid_eviction`](Self::is_mid_eviction). `reuse_count` is that of this moment.
    pub(super) fn next_victim(&mut self, mut reuse_count: impl FnMut(EntryId) -> u64) -> Option<EntryId> {
        let [small, main] = self.lens;
        if std::mem::take(&mut self.mid_eviction) || small >= self.small_capacity || main == 0 {
            let victim = self.evict_small(&mut reuse_count);
            if victim.is_some() {
                return victim;
            }
        }
        self.evict_main(&mut reuse_count)
    }

    /// Forgets entries and ghosts. `places` remain.
    pub(super) fn clear(&mut self, places: usize) {
        self.seats = vacant_seats(places);
        self.lens = [0, 0];
        self.ghosts.clear();
        self.mid_eviction = false;
    }

    pub(super) fn renumber(&mut self, map: &[u32], places: usize) {
        let to = |place: u32| if place <= MAIN { place } else { map[(place - OFFSET) as usize] + OFFSET };
        let mut seats = vec![Seat::default(); places + OFFSET as usize];
        for (old, seat) in (0_u32..).zip(&self.seats) {
            if old <= MAIN || to(old) > MAIN {
                seats[to(old) as usize] = Seat { link: seat.link.map(to), ..*seat };
            }
        }
        self.seats = seats;
    }

    pub(super) fn validate(&self, len: usize, reuse_count: impl Fn(EntryId) -> u64) {
        assert_eq!(self.lens.iter().sum::<usize>(), len, "an entry is in one of the queues");
        for queue in [SMALL, MAIN] {
            for place in validate(&self.seats, queue, self.lens[queue as usize], |seat| seat.link) {
                let seat = self.seats[place as usize];
                assert_eq!(seat.queue, queue, "an entry is in the queue that it names");
                let counted = seat.counted <= reuse_count(EntryId(place - OFFSET));
                assert!(counted, "no hit was counted that was not");
            }
        }
        self.ghosts.validate();
    }

    /// EVICTS.
    fn evict_small(&mut self, reuse_count: &mut impl FnMut(EntryId) -> u64) -> Option<EntryId> {
        while let Some(id) = self.oldest(SMALL) {
            if self.frequency(id, reuse_count(id)) < PROMOTION {
                let hash = self.seat(id).hash;
                self.ghosts.insert(hash);
                return Some(id);
            }
            self.dequeue(id);
            // "Its access bits are cleared during the move" (section 4.1).
            self.set_frequency(id, 0, reuse_count(id));
            self.enqueue(id, MAIN);
            let [small, main] = self.lens;
            if main > self.main_capacity {
                let victim = self.evict_main(reuse_count);
                self.mid_eviction = small > 0 && small + main > self.min_entries + 1;
                return victim;
            }
        }
        None
    }

    /// EVICTM.
    fn evict_main(&mut self, reuse_count: &mut impl FnMut(EntryId) -> u64) -> Option<EntryId> {
        // So many steps count all hits down. Those of other threads meanwhile must not keep the search going.
        for _ in 0..MAX_FREQUENCY * self.lens[MAIN as usize] as u64 {
            let id = self.oldest(MAIN)?;
            let count = reuse_count(id);
            let frequency = self.frequency(id, count);
            if frequency == 0 {
                break;
            }
            self.set_frequency(id, frequency - 1, count);
            self.dequeue(id);
            self.enqueue(id, MAIN);
        }
        self.oldest(MAIN)
    }

    fn frequency(&mut self, id: EntryId, reuse_count: u64) -> u64 {
        let seat = self.seat(id);
        MAX_FREQUENCY.min(u64::from(seat.frequency) + (reuse_count - seat.counted))
    }

    fn set_frequency(&mut self, id: EntryId, frequency: u64, reuse_count: u64) {
        let seat = self.seat(id);
        (seat.frequency, seat.counted) = (frequency as u32, reuse_count);
    }

    fn oldest(&self, queue: u32) -> Option<EntryId> {
        let first = self.seats[queue as usize].link.next;
        (first != queue).then(|| EntryId(first - OFFSET))
    }

    fn enqueue(&mut self, id: EntryId, queue: u32) {
        self.seat(id).queue = queue;
        self.lens[queue as usize] += 1;
        link_last(&mut self.seats, queue, id.0 + OFFSET, |seat| &mut seat.link);
    }

    fn dequeue(&mut self, id: EntryId) {
        let queue = self.seat(id).queue;
        self.lens[queue as usize] -= 1;
        unlink(&mut self.seats, id.0 + OFFSET, |seat| &mut seat.link);
    }

    fn seat(&mut self, id: EntryId) -> &mut Seat {
        &mut self.seats[(id.0 + OFFSET) as usize]
    }
}

fn vacant_seats(places: usize) -> Vec<Seat> {
    let mut seats = vec![Seat::default(); places + OFFSET as usize];
    for sentinel in [SMALL, MAIN] {
        seats[sentinel as usize].link = Link::to_itself(sentinel);
    }
    seats
}
