//! Prepared tensors beside a list of them, over random operations.

use metallic::Dtype;
use metallic::caching::{CacheRegistrySlot, EvictionPolicy, ManualClock, SlotContext};
use metallic::error::MetalError;
use metallic::slots::{PreparedForm, TensorPreparationCache, TensorVersion, Versioned};
use proptest::prelude::*;
use std::time::Duration;

use crate::doubles::panics;
use crate::prepared_tensors::Values;

const TENSORS: usize = 4;
const FORMS: [PreparedForm; 3] = [
    PreparedForm::as_is(Dtype::F32),
    PreparedForm::transposed(Dtype::F32),
    PreparedForm::named("doubled", Dtype::F32),
];

#[derive(Clone, Copy, Debug)]
enum Ending {
    Success,
    Failure,
    Panic,
}

#[derive(Clone, Debug)]
enum Op {
    /// A tensor in a form, as the tensor is now.
    Get(usize, usize, Ending),
    /// As it was so many versions ago.
    GetOld(usize, usize, u64),
    Change(usize),
    Remove(usize, usize),
    Forget(usize),
    Clear,
    SetPolicy(Limits),
    Wait(u64),
    ExpireIdle,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    max: Option<usize>,
    max_idle: Option<u64>,
    fifo: bool,
}

impl Limits {
    fn policy(self) -> EvictionPolicy {
        let idle = self.max_idle.map(Duration::from_nanos);
        match (self.max, idle, self.fifo) {
            (None, None, _) => EvictionPolicy::none(),
            (Some(max), None, true) => EvictionPolicy::fifo().with_max_entries(max),
            (Some(max), None, false) => EvictionPolicy::lru().with_max_entries(max),
            (None, Some(idle), _) => EvictionPolicy::idle_timeout(idle),
            (Some(max), Some(idle), true) => {
                EvictionPolicy::fifo().with_max_entries(max).with_max_idle_duration(idle)
            }
            (Some(max), Some(idle), false) => {
                EvictionPolicy::lru().with_max_entries(max).with_max_idle_duration(idle)
            }
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let (tensor, form) = (0..TENSORS, 0..FORMS.len());
    let ending =
        prop_oneof![6 => Just(Ending::Success), 1 => Just(Ending::Failure), 1 => Just(Ending::Panic)];
    let limits = (prop::option::of(1_usize..8), prop::option::of(0_u64..20), any::<bool>())
        .prop_map(|(max, max_idle, fifo)| Limits { max, max_idle, fifo });
    prop_oneof![
        12 => (tensor.clone(), form.clone(), ending).prop_map(|(tensor, form, ending)| Op::Get(tensor, form, ending)),
        2 => (tensor.clone(), form.clone(), 1_u64..3).prop_map(|(tensor, form, ago)| Op::GetOld(tensor, form, ago)),
        3 => tensor.clone().prop_map(Op::Change),
        1 => (tensor.clone(), form).prop_map(|(tensor, form)| Op::Remove(tensor, form)),
        1 => tensor.prop_map(Op::Forget),
        1 => Just(Op::Clear),
        1 => limits.prop_map(Op::SetPolicy),
        3 => (1_u64..15).prop_map(Op::Wait),
        1 => Just(Op::ExpireIdle),
    ]
}

#[derive(Clone, Debug)]
struct Entry {
    tensor: usize,
    form: usize,
    version: u64,
    used: (u64, u64),
    created: u64,
}

/// The entries, and what happened so far.
#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    limits: Option<Limits>,
    now: u64,
    sequence: u64,
    hits: u64,
    misses: u64,
    failures: u64,
    evictions: u64,
    removals: u64,
    stale: u64,
}

/// The duration of each preparation, by the form.
fn cost(form: usize) -> u64 {
    form as u64
}

#[derive(Debug, PartialEq)]
enum Answer {
    Version(u64),
    Outdated { latest: u64 },
    Failed,
    Panicked,
}

impl Model {
    fn is_idle(&self, entry: &Entry) -> bool {
        let max_idle = self.limits.and_then(|limits| limits.max_idle);
        max_idle.is_some_and(|max_idle| self.now - entry.used.0 > max_idle)
    }

    fn expire(&mut self) {
        let before = self.entries.len();
        let idle: Vec<_> = self.entries.iter().map(|entry| self.is_idle(entry)).collect();
        let mut idle = idle.into_iter();
        self.entries.retain(|_| !idle.next().unwrap());
        self.evictions += (before - self.entries.len()) as u64;
    }

    fn get(&mut self, tensor: usize, form: usize, version: u64, ending: Ending) -> Answer {
        self.expire();
        self.sequence += 1;
        let used = (self.now, self.sequence);
        if let Some(at) = self.entries.iter().position(|entry| (entry.tensor, entry.form) == (tensor, form)) {
            let entry = &mut self.entries[at];
            if entry.version > version {
                return Answer::Outdated { latest: entry.version };
            }
            if entry.version == version {
                entry.used = used;
                self.hits += 1;
                return Answer::Version(version);
            }
            self.entries.remove(at);
            self.removals += 1;
            self.stale += 1;
        }
        self.misses += 1;
        // Plain policies let go of one entry a miss.
        if let Some(Limits { max: Some(max), fifo, .. }) = self.limits
            && self.entries.len() >= max
        {
            let key = |entry: &Entry| if fifo { entry.created } else { entry.used.1 };
            let victim = (0..self.entries.len()).min_by_key(|at| key(&self.entries[*at])).unwrap();
            self.entries.remove(victim);
            self.evictions += 1;
        }
        self.now += cost(form);
        match ending {
            Ending::Success => {
                let used = (self.now, self.sequence);
                self.entries.push(Entry { tensor, form, version, used, created: self.sequence });
                Answer::Version(version)
            }
            Ending::Failure => {
                self.failures += 1;
                Answer::Failed
            }
            Ending::Panic => {
                self.failures += 1;
                Answer::Panicked
            }
        }
    }

    fn remove(&mut self, leaves: impl Fn(&Entry) -> bool) -> usize {
        self.expire();
        let before = self.entries.len();
        self.entries.retain(|entry| !leaves(entry));
        let count = before - self.entries.len();
        self.removals += count as u64;
        count
    }
}

/// The form of a tensor's preparation, that a stale one would differ from.
fn contents(tensor: usize, version: u64, form: usize) -> Vec<f32> {
    vec![tensor as f32, version as f32, form as f32]
}

fn get(
    cache: &mut TensorPreparationCache<Values>,
    clock: &ManualClock,
    source: TensorVersion,
    (tensor, form): (usize, usize),
    ending: Ending,
) -> Answer {
    let mut answer = Answer::Panicked;
    let prepare = || {
        clock.advance(Duration::from_nanos(cost(form)));
        match ending {
            Ending::Success => Ok(Values(contents(tensor, source.version, form))),
            Ending::Failure => Err(MetalError::invalid_params("no")),
            Ending::Panic => panic!("the preparation panics"),
        }
    };
    let _ = panics(|| {
        answer = match cache.get_or_prepare(source, FORMS[form], prepare) {
            Ok(prepared) => {
                assert_eq!(prepared.0, contents(tensor, source.version, form), "stale, or another's");
                Answer::Version(source.version)
            }
            Err(MetalError::OutdatedTensor { latest, .. }) => Answer::Outdated { latest },
            Err(_) => Answer::Failed,
        };
    });
    answer
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn they_are_those_of_a_list_and_never_stale(ops in prop::collection::vec(op(), 1..120)) {
        let clock = ManualClock::new();
        let mut cache = TensorPreparationCache::<Values>::default();
        cache.connect(&SlotContext::default().with_clock(clock.clone()));
        let mut sources: Vec<_> = (0..TENSORS).map(|_| Versioned::new(())).collect();
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Get(tensor, form, ending) => {
                    let source = sources[tensor].version();
                    let answer = get(&mut cache, &clock, source, (tensor, form), ending);
                    prop_assert_eq!(answer, model.get(tensor, form, source.version, ending));
                }
                Op::GetOld(tensor, form, ago) => {
                    let mut source = sources[tensor].version();
                    source.version = source.version.saturating_sub(ago);
                    let answer = get(&mut cache, &clock, source, (tensor, form), Ending::Success);
                    prop_assert_eq!(answer, model.get(tensor, form, source.version, Ending::Success));
                }
                Op::Change(tensor) => drop(sources[tensor].get_mut()),
                Op::Remove(tensor, form) => {
                    let removed = cache.remove(sources[tensor].version().id, FORMS[form]);
                    let expected = model.remove(|entry| (entry.tensor, entry.form) == (tensor, form));
                    prop_assert_eq!(usize::from(removed.is_some()), expected);
                }
                Op::Forget(tensor) => {
                    let removed = cache.forget(sources[tensor].version().id);
                    prop_assert_eq!(removed, model.remove(|entry| entry.tensor == tensor));
                }
                Op::Clear => {
                    cache.clear_slot();
                    model.removals += model.entries.drain(..).len() as u64;
                }
                Op::SetPolicy(limits) => {
                    cache.set_eviction_policy(limits.policy());
                    model.limits = Some(limits);
                }
                Op::Wait(ns) => {
                    clock.advance(Duration::from_nanos(ns));
                    model.now += ns;
                }
                Op::ExpireIdle => {
                    cache.expire_idle();
                    model.expire();
                }
            }
            cache.validate();
            let metrics = cache.metrics();
            prop_assert_eq!((metrics.hits, metrics.misses), (model.hits, model.misses));
            prop_assert_eq!((metrics.evictions, metrics.removals), (model.evictions, model.removals));
            prop_assert_eq!((metrics.failed_creations, cache.stale_removals()), (model.failures, model.stale));
            prop_assert_eq!((metrics.size, metrics.bytes), (model.entries.len(), 12 * model.entries.len() as u64));
            for entry in &model.entries {
                let source = TensorVersion { version: entry.version, ..sources[entry.tensor].version() };
                prop_assert_eq!(cache.peek(source, FORMS[entry.form]).is_some(), !model.is_idle(entry));
            }
        }
    }
}
