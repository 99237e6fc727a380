//! A naive model of a cache and of a pool, which is to do, in some order of what the threads did, what they were seen to do.
//!
//! Each operation takes effect at one moment between its begin and its end, a creation at two: when its place is reserved, and
//! when its resource is inserted. The order of these moments is not seen, so that all are tried that the times allow.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use metallic::caching::{
    EvictionPolicy, EvictionStrategy, Lent, ManualClock, Pool, SharedCache, SharedRegistry,
};
use shuttle::rand::{Rng, thread_rng};

const THREADS: usize = 3;
const OPERATIONS: usize = 4;
const KEYS: u32 = 3;

/// One moment at which something took effect, and what was seen of it.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Hit {
        key: u32,
        serial: u64,
    },
    Reserve {
        key: u32,
    },
    Insert {
        key: u32,
        serial: u64,
    },
    Remove {
        key: u32,
        serial: Option<u64>,
    },
    Clear,
    NextGeneration,
    /// The following are the pool's: an item that was made belongs to its holder.
    Return {
        key: u32,
        serial: u64,
    },
    Detach,
}

/// An effect, no earlier than `begun` and no later than `done`.
#[derive(Clone, Copy, Debug)]
struct Seen {
    effect: Effect,
    begun: u64,
    done: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    key: u32,
    serial: u64,
    created: u64,
    used: u64,
    generation: u64,
}

/// A list of entries, and for every decision a look at all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Model {
    is_pool: bool,
    entries: Vec<Entry>,
    /// Keys whose creation was begun, each with the number of entries then. In a pool, places that are not free.
    begun: Vec<(u32, usize)>,
    lent: usize,
    generation: u64,
    sequence: u64,
    evictions: u64,
}

impl Model {
    /// Takes this effect; `false` if it could not have been.
    fn take(&mut self, policy: &EvictionPolicy, effect: Effect) -> bool {
        self.sequence += 1;
        let (used, generation) = (self.sequence, self.generation);
        if !matches!(effect, Effect::Insert { .. } | Effect::Clear | Effect::Detach) {
            self.expire(policy);
        }
        match effect {
            Effect::Hit { key, serial } if self.is_pool => {
                let last =
                    self.entries.iter().filter(|entry| entry.key == key).max_by_key(|entry| entry.used);
                let is_last = last.is_some_and(|entry| entry.serial == serial);
                self.entries.retain(|entry| entry.serial != serial);
                self.lent += 1;
                is_last
            }
            Effect::Hit { key, serial } => {
                let found = self.entries.iter_mut().find(|entry| entry.key == key && entry.serial == serial);
                found.map(|entry| (entry.used, entry.generation) = (used, generation)).is_some()
            }
            Effect::Reserve { key } => {
                let is_there = self.entries.iter().any(|entry| entry.key == key);
                // A pool makes an item if it finds none, and one may be returned right after.
                let is_possible =
                    self.is_pool || !(is_there || self.begun.iter().any(|(other, _)| *other == key));
                self.make_room(policy, 1);
                self.begun.push((key, self.entries.len()));
                is_possible
            }
            Effect::Insert { key, serial } => {
                let Some(place) = self.begun.iter().position(|(other, _)| *other == key) else {
                    return false;
                };
                let (_, size) = self.begun.remove(place);
                if self.is_pool {
                    self.lent += 1;
                    return true;
                }
                if self.entries.len() > size {
                    self.make_room(policy, 1);
                }
                self.entries.push(Entry { key, serial, created: used, used, generation });
                true
            }
            Effect::Remove { key, serial } => {
                let place = self.entries.iter().position(|entry| entry.key == key);
                place.map(|place| self.entries.remove(place).serial) == serial
            }
            Effect::Clear => {
                self.entries.clear();
                true
            }
            Effect::NextGeneration => {
                self.generation += u64::from(policy.max_idle_generations().is_some());
                self.expire(policy);
                true
            }
            Effect::Return { key, serial } => {
                self.lent -= 1;
                self.entries.push(Entry { key, serial, created: used, used, generation });
                self.make_room(policy, 0);
                true
            }
            Effect::Detach => {
                self.lent -= 1;
                true
            }
        }
    }

    /// Evicts until there is room for so many more.
    fn make_room(&mut self, policy: &EvictionPolicy, more: usize) {
        let Some(capacity) = policy.capacity() else { return };
        let strategy = policy.strategy();
        while self.entries.len() + self.begun.len() + self.lent + more > capacity
            && self.entries.len() > policy.min_entries()
        {
            self.evict(|entry| if strategy == EvictionStrategy::Fifo { entry.created } else { entry.used });
            if matches!(strategy, EvictionStrategy::Lru | EvictionStrategy::Fifo) {
                break;
            }
        }
    }

    /// Evicts what was idle for too many generations, as every operation does first.
    fn expire(&mut self, policy: &EvictionPolicy) {
        let Some(max) = policy.max_idle_generations() else { return };
        while self.entries.len() > policy.min_entries() {
            let Some(oldest) = self.entries.iter().min_by_key(|entry| entry.used) else { break };
            if self.generation - oldest.generation <= u64::from(max) {
                break;
            }
            self.evict(|entry| entry.used);
        }
    }

    fn evict(&mut self, order: impl Fn(&Entry) -> u64) {
        let first = (0..self.entries.len()).min_by_key(|place| order(&self.entries[*place]));
        self.entries.remove(first.expect("there is one to evict"));
        self.evictions += 1;
    }
}

/// The state of the cache at the end.
struct End {
    residents: Vec<(u32, u64)>,
    evictions: u64,
}

/// Returns `true` if the model, in some order of these effects, does what was seen and ends like this.
struct Search<'a> {
    policy: EvictionPolicy,
    threads: &'a [Vec<Seen>],
    end: End,
    tried: HashSet<([usize; THREADS], Model)>,
}

impl Search<'_> {
    fn find(&mut self, places: [usize; THREADS], model: &Model) -> bool {
        let next = |thread: usize| self.threads[thread].get(places[thread]);
        let waiting: Vec<_> = (0..THREADS).filter_map(|thread| Some((thread, *next(thread)?))).collect();
        if waiting.is_empty() {
            // Looking at what is there is an operation, too.
            let mut model = model.clone();
            model.expire(&self.policy);
            let mut residents: Vec<_> = model.entries.iter().map(|entry| (entry.key, entry.serial)).collect();
            residents.sort_unstable();
            return residents == self.end.residents && model.evictions == self.end.evictions;
        }
        if !self.tried.insert((places, model.clone())) {
            return false;
        }
        // A look-up that finds nothing is not seen, and lets entries expire.
        let mut expired = model.clone();
        expired.expire(&self.policy);
        if expired != *model && self.find(places, &expired) {
            return true;
        }
        // None may take effect after another that was done before it began.
        let first_done = waiting.iter().map(|(_, seen)| seen.done).min().unwrap_or(u64::MAX);
        waiting.into_iter().filter(|(_, seen)| seen.begun <= first_done).any(|(thread, seen)| {
            let mut model = model.clone();
            let mut places = places;
            places[thread] += 1;
            model.take(&self.policy, seen.effect) && self.find(places, &model)
        })
    }
}

/// The look-ups of one thread, with times that order operations that do not overlap.
struct Watch {
    now: Arc<AtomicU64>,
    serial: Arc<AtomicU64>,
    seen: Vec<Seen>,
}

impl Watch {
    fn now(&self) -> u64 {
        self.now.fetch_add(1, SeqCst)
    }

    fn note(&mut self, begun: u64, effect: Effect) {
        let done = self.now();
        self.seen.push(Seen { effect, begun, done });
    }

    fn on_cache(&mut self, cache: &SharedCache<u32, u64>, registry: &SharedRegistry<()>) {
        let (dice, key, begun) = (thread_rng().gen_range(0..10), thread_rng().gen_range(0..KEYS), self.now());
        match dice {
            0..6 => {
                let mut made = None;
                let got = cache.get_or_make(&key, || {
                    self.note(begun, Effect::Reserve { key });
                    shuttle::thread::yield_now();
                    made = Some(self.now());
                    self.serial.fetch_add(1, SeqCst)
                });
                let serial = got.expect("nothing is lost or needs itself");
                match made {
                    Some(made) => self.note(made, Effect::Insert { key, serial }),
                    None => self.note(begun, Effect::Hit { key, serial }),
                }
            }
            6..8 => {
                let serial = cache.remove(&key);
                self.note(begun, Effect::Remove { key, serial });
            }
            8 => {
                registry.next_generation();
                self.note(begun, Effect::NextGeneration);
            }
            _ => {
                cache.clear();
                self.note(begun, Effect::Clear);
            }
        }
    }

    fn on_pool(&mut self, pool: &Pool<u32, u64>, registry: &SharedRegistry<()>) {
        let (dice, key, begun) = (thread_rng().gen_range(0..10), thread_rng().gen_range(0..KEYS), self.now());
        match dice {
            0..8 => {
                let mut made = None;
                let lent = pool.checkout(&key, || {
                    self.note(begun, Effect::Reserve { key });
                    shuttle::thread::yield_now();
                    made = Some(self.now());
                    self.serial.fetch_add(1, SeqCst)
                });
                let serial = *lent;
                match made {
                    Some(made) => self.note(made, Effect::Insert { key, serial }),
                    None => self.note(begun, Effect::Hit { key, serial }),
                }
                shuttle::thread::yield_now();
                let begun = self.now();
                if dice == 0 {
                    Lent::detach(lent);
                    self.note(begun, Effect::Detach);
                } else {
                    drop(lent);
                    self.note(begun, Effect::Return { key, serial });
                }
            }
            8 => {
                registry.next_generation();
                self.note(begun, Effect::NextGeneration);
            }
            _ => {
                pool.clear();
                self.note(begun, Effect::Clear);
            }
        }
    }
}

fn policy() -> EvictionPolicy {
    let policies = [
        EvictionPolicy::none(),
        EvictionPolicy::size_limited_lru(1),
        EvictionPolicy::size_limited_lru(2),
        EvictionPolicy::lru().with_max_entries(2),
        EvictionPolicy::fifo().with_max_entries(2),
        EvictionPolicy::size_limited_lru(1).with_min_entries(1),
        EvictionPolicy::none().with_max_idle_generations(0),
        EvictionPolicy::none().with_max_idle_generations(1),
        EvictionPolicy::size_limited_lru(2).with_max_idle_generations(1).with_min_entries(1),
    ];
    policies[thread_rng().gen_range(0..policies.len())]
}

pub(crate) fn scenario() {
    // While the clock stands still, the order of use is exact.
    let registry = SharedRegistry::with_clock(Some(()), ManualClock::new());
    let (policy, is_pool) = (policy(), thread_rng().gen_bool(0.5));
    let cache = registry.cache::<u32, u64>("cache").expect("the name is free");
    let pool = registry.pool::<u32, u64>("pool").expect("the name is free");
    cache.set_eviction_policy(policy);
    pool.set_eviction_policy(policy);
    let (now, serial) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let seen = Arc::new(Mutex::new(vec![Vec::new(); THREADS]));
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (registry, cache, pool, seen) = (registry.clone(), cache.clone(), pool.clone(), seen.clone());
            let mut watch = Watch { now: now.clone(), serial: serial.clone(), seen: Vec::new() };
            shuttle::thread::spawn(move || {
                for _ in 0..OPERATIONS {
                    if is_pool { watch.on_pool(&pool, &registry) } else { watch.on_cache(&cache, &registry) }
                }
                seen.lock().unwrap()[thread] = watch.seen;
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let threads = std::mem::take(&mut *seen.lock().unwrap());
    let mut residents = Vec::new();
    for key in 0..KEYS {
        if is_pool {
            let lent: Vec<_> = std::iter::from_fn(|| pool.try_checkout(&key)).collect();
            residents.extend(lent.iter().map(|lent| (key, **lent)));
        } else {
            residents.extend(cache.get(&key).map(|serial| (key, serial)));
        }
    }
    residents.sort_unstable();
    let evictions = if is_pool { pool.counters().evictions } else { cache.counters().evictions };
    let model = Model {
        is_pool,
        entries: Vec::new(),
        begun: Vec::new(),
        lent: 0,
        generation: 0,
        sequence: 0,
        evictions: 0,
    };
    let end = End { residents, evictions };
    let mut search = Search { policy, threads: &threads, end, tried: HashSet::new() };
    let found = search.find([0; THREADS], &model);
    assert!(
        found,
        "{policy}, pool: {is_pool}: no order explains {threads:#?}, and in the end {:?}",
        search.end.residents
    );
}
