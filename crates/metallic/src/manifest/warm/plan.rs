//! Which keys are to be created, in which order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::WarmTarget;
use super::report::{WarmProgress, WarmReport};
use crate::caching::caught;
use crate::creation::{Supervisor, Warmth};
use crate::error::{Error, chain};
use crate::manifest::kernels::{Job, Warmable};
use crate::manifest::read::Manifest;
use crate::manifest::record::Record;

/// The keys that are to be created, the costliest first.
pub(super) struct Plan<R> {
    /// Those whose turn has not come, and which may still fit into the memory.
    open: BTreeMap<Rank, Planned<R>>,
    /// None of them is larger.
    largest: u64,
    done: usize,
    of: usize,
    /// Bytes that resources may still take.
    memory: Option<u64>,
    /// The part of it that is reserved for keys that are being created: some of it may come back.
    reserved: u64,
    supervisor: Supervisor,
    report: WarmReport,
}

/// The costliest first, then those that the program needed first. The last number makes it one key's.
type Rank = (Reverse<u64>, u64, usize);

/// A key whose turn it is.
pub(super) struct Planned<R> {
    job: Box<dyn Job<R>>,
    label: Arc<str>,
    cache: String,
    cost_ns: u64,
    bytes: u64,
    order: u64,
    phase: Option<String>,
}

/// How much time there is for a turn.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) limit_ns: Option<u64>,
    /// `true` if a key is to be returned even if none fits.
    pub(super) may_exceed: bool,
}

/// How the turn of a key ended.
pub(super) enum Ended {
    Present,
    Created { bytes: u64, duration_ns: u64 },
    Refused,
    Failed(String),
}

impl<R: WarmTarget> Plan<R> {
    pub(super) fn new(registry: &mut R, manifest: &Manifest, memory: Option<u64>) -> Self {
        let supervisor = registry.watched_by();
        supervisor.note_manifest();
        let mut plan = Self {
            open: BTreeMap::new(),
            largest: u64::MAX,
            done: 0,
            of: 0,
            memory,
            reserved: 0,
            supervisor,
            report: WarmReport::default(),
        };
        for (reason, count) in manifest.skipped() {
            *plan.report.skipped.entry(reason.clone()).or_default() += count;
        }
        let mut by_cache: HashMap<&str, Vec<Planned<R>>> = HashMap::new();
        for record in manifest.records() {
            if let Some(planned) = plan.take(record) {
                by_cache.entry(&record.cache).or_default().push(planned);
            }
        }
        for (cache, mut keys) in by_cache {
            keys.sort_by_key(|key| key.rank(0));
            // More than a cache holds would push out what was warmed first.
            let room = plan.warmable(cache).and_then(|kernel| (kernel.room)(registry)).unwrap_or(usize::MAX);
            let missing = keys.iter().filter(|key| !key.job.is_present(registry)).count();
            plan.report.leave_out("the cache has no room", missing.saturating_sub(room));
            let mut room = room;
            keys.retain(|key| {
                let fits = key.job.is_present(registry) || room > 0;
                room -= usize::from(room > 0 && !key.job.is_present(registry));
                fits
            });
            for key in keys {
                plan.open.insert(key.rank(plan.open.len()), key);
            }
        }
        plan.of = plan.open.len();
        plan
    }

    /// The key of a record, if it can be warmed up.
    fn take(&mut self, record: &Record) -> Option<Planned<R>> {
        let cache = &record.cache;
        let Some(kernel) = self.warmable(cache) else {
            self.report.skip(format!("no kernel `{cache}` is registered"));
            return None;
        };
        if kernel.schema != record.schema {
            self.supervisor.note_warmth(record.label.as_str().into(), Warmth::OtherSchema);
            self.report
                .skip(format!("`{cache}` of schema {}, which is {} here", record.schema, kernel.schema));
            return None;
        }
        let Ok(job) = (kernel.read)(record.key()) else {
            self.report.skip(format!("keys of `{cache}` that cannot be read"));
            return None;
        };
        let label = job.label(cache);
        self.supervisor.note_warmth(label.clone(), Warmth::Pending);
        let (cost_ns, bytes, order) = (record.cost_ns, record.bytes, record.order);
        Some(Planned { job, label, cache: cache.clone(), cost_ns, bytes, order, phase: record.phase.clone() })
    }

    fn warmable(&self, cache: &str) -> Option<Arc<Warmable<R>>> {
        self.supervisor.warming().warmable(cache)
    }
}

impl<R> Plan<R> {
    /// The costliest key that fits into the time and the memory. The memory is taken.
    pub(super) fn next(&mut self, turn: Turn) -> Option<Planned<R>> {
        self.leave_out_the_largest();
        let has_room = |(_, key): &(_, &Planned<R>)| self.memory.is_none_or(|memory| key.bytes <= memory);
        let limit = Reverse(turn.limit_ns.unwrap_or(u64::MAX));
        let fitting = self.open.range((limit, 0, 0)..).find(has_room);
        // The cheapest is the one that exceeds the least.
        let cheapest = || self.open.iter().rev().find(has_room).filter(|_| turn.may_exceed);
        let rank = *fitting.or_else(cheapest)?.0;
        let key = self.open.remove(&rank)?;
        if let Some(memory) = &mut self.memory {
            *memory -= key.bytes;
            self.reserved += key.bytes;
        }
        Some(key)
    }

    /// Leaves out what fits into the memory no more, even if all that is being created fails.
    fn leave_out_the_largest(&mut self) {
        let Some(most) = self.memory.map(|memory| memory + self.reserved).filter(|most| *most < self.largest)
        else {
            return;
        };
        let before = self.open.len();
        self.open.retain(|_, key| key.bytes <= most);
        self.largest = self.open.values().map(|key| key.bytes).max().unwrap_or(0);
        self.report.leave_out("no memory is left", before - self.open.len());
        self.done += before - self.open.len();
    }

    pub(super) fn ended(&mut self, key: &Planned<R>, ended: Ended) {
        self.done += 1;
        let mut warmth = Warmth::Ready;
        let mut taken = 0;
        if let Ended::Present | Ended::Created { .. } = ended {
            let was_present = matches!(ended, Ended::Present);
            self.supervisor.warming().seen().warmed(&key.cache, &key.label, was_present);
        }
        match ended {
            Ended::Present => self.report.present += 1,
            Ended::Created { bytes, duration_ns } => {
                if self.supervisor.was_loaded(&key.label) {
                    self.report.loaded += 1;
                } else {
                    self.report.created += 1;
                }
                self.report.creating += Duration::from_nanos(duration_ns);
                taken = bytes;
            }
            Ended::Refused => {
                warmth = Warmth::Failed;
                self.report.skip(format!("keys of `{}` that the device refuses", key.cache));
            }
            Ended::Failed(error) => {
                warmth = Warmth::Failed;
                self.report.failed.push((key.label.clone(), error));
            }
        }
        if let Some(memory) = &mut self.memory {
            // What was recorded was taken already.
            *memory = (*memory + key.bytes).saturating_sub(taken);
            self.reserved -= key.bytes;
        }
        self.supervisor.note_warmth(key.label.clone(), warmth);
    }

    /// Leaves out all keys whose turn has not come.
    pub(super) fn stop(&mut self) {
        self.report.leave_out("the warm-up was stopped", self.open.len());
        self.done += self.open.len();
        self.open.clear();
    }

    pub(super) fn progress(&self) -> WarmProgress {
        WarmProgress { done: self.done, of: self.of }
    }

    /// The report, in which all keys whose turn has not come are left out.
    pub(super) fn into_report(mut self) -> WarmReport {
        self.report.leave_out("the time was over", self.open.len());
        self.report.failed.sort();
        self.report
    }
}

impl<R> Planned<R> {
    fn rank(&self, number: usize) -> Rank {
        (Reverse(self.cost_ns), self.order, number)
    }
}

impl<R: WarmTarget> Planned<R> {
    pub(super) fn run(&self, registry: &mut R) -> Ended {
        caught(|| self.try_run(registry)).unwrap_or_else(|| Ended::Failed("the creation panicked".to_owned()))
    }

    fn try_run(&self, registry: &mut R) -> Ended {
        if self.job.is_present(registry) {
            return Ended::Present;
        }
        // If it is recorded again, then in the phase in which it was needed first.
        let _phase = self.phase.clone().map(|phase| registry.watched_by().enter_phase(phase));
        let context = registry.reports();
        let began = context.now();
        match self.job.create(registry) {
            Ok(bytes) => Ended::Created { bytes, duration_ns: context.ns_since(began) },
            Err(error) if matches!(error.root(), Error::InvalidParams { .. }) => Ended::Refused,
            Err(error) => Ended::Failed(chain(&error)),
        }
    }
}
