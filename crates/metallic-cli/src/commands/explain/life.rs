//! The life of one key, collected event by event.

use std::sync::Arc;

use metallic_instrumentation::{
    CreationOutcome, CreationViolation, Event, EventData, RemovalCause, ViolationMode,
};
use rustc_hash::FxHashSet;
use serde::Serialize;

/// One event in the life of a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LifeEvent {
    /// The line of the log, counted over all files.
    pub line: u64,
    /// When, in nanoseconds, if the log says.
    pub at_ns: Option<u64>,
    /// The kind of event.
    #[serde(flatten)]
    pub kind: LifeEventKind,
}

/// See [`LifeEvent`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LifeEventKind {
    /// The look-up found nothing.
    Missed {
        /// `first`, `failed`, `refused`, the cause of the last departure, or `unknown`.
        why: &'static str,
        /// Time since its removal, in nanoseconds.
        away_ns: Option<u64>,
        /// The entries with which an LRU cache would still have had it.
        would_keep: Option<usize>,
    },
    /// The resource was made.
    Created {
        /// Its duration.
        seconds: f64,
    },
    /// The creation ended badly.
    Failed {
        /// Its duration.
        seconds: f64,
        /// The error's message.
        error: Option<String>,
    },
    /// It was to be created in an armed scope.
    Violated {
        /// The name of the scope.
        scope: String,
        /// `refuse`, `warn` or `count`: what became of the creation.
        mode: &'static str,
        /// The reason why it was not in its cache, as in the log.
        verdict: &'static str,
        /// The strategy that evicted it, if one did.
        evicted_by: Option<String>,
        /// The nearest key that was in the cache.
        nearest_key: Option<String>,
        /// The fields in which the two differ.
        differing_fields: Vec<String>,
        /// The caller, as `file:line`.
        caller: Option<String>,
    },
    /// It was found, this many times.
    Hits {
        /// The number of hits.
        count: u64,
        /// The time of the last, in nanoseconds.
        until_ns: Option<u64>,
    },
    /// It was removed from the cache.
    Left {
        /// As in the log.
        cause: &'static str,
        /// The strategy of the policy that evicted it.
        strategy: Option<String>,
        /// The reason that the eviction gives.
        reason: Option<String>,
        /// The key whose miss evicted it.
        for_key: Option<String>,
        /// Time since its last use.
        idle_seconds: f64,
        /// Time since its creation.
        age_seconds: f64,
        /// Hits it served.
        reuse_count: u64,
    },
}

/// The sums over a life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Accesses that found it.
    pub hits: u64,
    /// Accesses that did not.
    pub misses: u64,
    /// Creations that ended badly.
    pub failures: u64,
    /// The number of removals.
    pub departures: u64,
    /// Creations in armed scopes, refused ones included.
    pub violations: u64,
    /// Time spent in its creations.
    pub creation_seconds: f64,
}

/// Collects the life of one key of one cache. Runs of hits are one event, so that memory is bounded by what happened to
/// the key otherwise, and by the keys used between two uses of it.
#[derive(Debug)]
pub struct Life {
    label: Arc<str>,
    cache: String,
    /// The events so far.
    pub events: Vec<LifeEvent>,
    /// The sums so far.
    pub totals: Totals,
    /// The last departure: its cause and time.
    departed: Option<(&'static str, Option<u64>)>,
    failed: bool,
    /// `true` if its creation was refused since its last look-up that was let go on.
    refused: bool,
    /// Chapters of departures whose eviction, and whose newcomer, are still to come.
    awaits_eviction: Option<usize>,
    awaits_newcomer: Option<usize>,
    /// The other keys used since this one was; `None` before its first use.
    used_since: Option<FxHashSet<Arc<str>>>,
}

impl Life {
    /// The life of the key with this label, in the cache with this name.
    pub fn new(label: Arc<str>, cache: String) -> Self {
        Self {
            label,
            cache,
            events: Vec::new(),
            totals: Totals::default(),
            departed: None,
            failed: false,
            refused: false,
            awaits_eviction: None,
            awaits_newcomer: None,
            used_since: None,
        }
    }

    /// Returns `true` if it is the life of the key with this label.
    pub fn is_of(&self, label: &str) -> bool {
        *self.label == *label
    }

    /// Takes the next event of the log, which is in this line; those of other caches are passed over. `cache` is the
    /// name of the cache that an access is of.
    pub fn take(&mut self, event: &Event, line: u64, cache: &str) {
        if cache != self.cache {
            return;
        }
        let at_ns = event.timestamp;
        let event_of = |kind| LifeEvent { line, at_ns, kind };
        match &event.data {
            EventData::ResourceCacheAccess(access) if access.cache_key == self.label => {
                if access.hit {
                    self.totals.hits += 1;
                    if let Some(LifeEventKind::Hits { count, until_ns }) =
                        self.events.last_mut().map(|event| &mut event.kind)
                    {
                        *count += 1;
                        *until_ns = at_ns;
                    } else {
                        self.events.push(event_of(LifeEventKind::Hits { count: 1, until_ns: at_ns }));
                    }
                } else {
                    self.missed(line, at_ns);
                }
                self.used_since = Some(FxHashSet::default());
            }
            EventData::ResourceCacheAccess(access) => {
                if let Some(used) = &mut self.used_since
                    && !used.contains(&access.cache_key)
                {
                    used.insert(access.cache_key.clone());
                }
                self.newcomer(&access.cache_key, access.hit);
            }
            EventData::ResourceCreated(created) if created.cache_key == self.label => {
                let seconds = created.duration_ns as f64 / 1e9;
                self.totals.creation_seconds += seconds;
                if created.outcome == CreationOutcome::Created {
                    self.events.push(event_of(LifeEventKind::Created { seconds }));
                } else {
                    self.totals.failures += 1;
                    self.events
                        .push(event_of(LifeEventKind::Failed { seconds, error: created.error.clone() }));
                }
            }
            EventData::ResourceCreated(created) => self.newcomer(&created.cache_key, false),
            EventData::EntryRemoved(removed) if removed.cache_key == self.label => {
                self.events.push(event_of(LifeEventKind::Left {
                    cause: removed.cause.name(),
                    strategy: None,
                    reason: None,
                    for_key: None,
                    idle_seconds: removed.idle_ns as f64 / 1e9,
                    age_seconds: removed.age_ns as f64 / 1e9,
                    reuse_count: removed.reuse_count,
                }));
                let at = self.events.len() - 1;
                self.totals.departures += 1;
                self.departed = Some((removed.cause.name(), at_ns));
                let by_policy = matches!(removed.cause, RemovalCause::SizeLimit | RemovalCause::IdleTimeout);
                self.awaits_eviction = by_policy.then_some(at);
                self.awaits_newcomer = (removed.cause == RemovalCause::SizeLimit).then_some(at);
            }
            EventData::CreationViolation(violation) if violation.cache_key == self.label => {
                self.totals.violations += 1;
                self.refused |= violation.mode == ViolationMode::Refuse;
                // In the log, one that was let go on comes after its creation; it is told before it.
                let goes_on = violation.mode != ViolationMode::Refuse;
                let at = self.events.len() - usize::from(goes_on && self.ends_in_creation());
                self.events.insert(at, event_of(violated(violation)));
            }
            EventData::CacheEviction(eviction) => {
                if let Some(LifeEventKind::Left { strategy, reason, .. }) = self.awaited(self.awaits_eviction)
                {
                    *strategy = Some(eviction.strategy.clone().into_owned());
                    *reason = Some(eviction.reason.clone().into_owned());
                }
                self.awaits_eviction = None;
            }
            _ => {}
        }
    }

    /// In the log a miss comes after its creation; it is told before it.
    fn missed(&mut self, line: u64, at_ns: Option<u64>) {
        self.totals.misses += 1;
        let (why, away_ns) = match self.departed.take() {
            Some((cause, left_at)) => (cause, at_ns.zip(left_at).map(|(now, then)| now.saturating_sub(then))),
            None if self.failed => ("failed", None),
            None if self.refused => ("refused", None),
            None if self.totals.hits == 0 && self.totals.misses == 1 => ("first", None),
            None => ("unknown", None),
        };
        // Removed entries are gone under every policy.
        let by_policy = matches!(why, "size_limit" | "idle_timeout");
        let would_keep = self.used_since.as_ref().filter(|_| by_policy).map(|used| used.len() + 1);
        let missed = LifeEvent { line, at_ns, kind: LifeEventKind::Missed { why, away_ns, would_keep } };
        self.failed =
            matches!(self.events.last(), Some(LifeEvent { kind: LifeEventKind::Failed { .. }, .. }));
        self.refused = false;
        self.events.insert(self.place_of_miss(), missed);
    }

    /// The place of a miss: before the creation that the life ends in, and its violation, if their miss was not told yet.
    fn place_of_miss(&self) -> usize {
        let end = self.events.len();
        if !self.ends_in_creation() {
            return end;
        }
        let kind_before = |at: usize| at.checked_sub(1).map(|at| &self.events[at].kind);
        let goes_on =
            |kind: &LifeEventKind| matches!(kind, LifeEventKind::Violated { mode, .. } if *mode != "refuse");
        let creation = end - 1;
        let at = creation - usize::from(kind_before(creation).is_some_and(goes_on));
        if matches!(kind_before(at), Some(LifeEventKind::Missed { .. })) { end } else { at }
    }

    fn ends_in_creation(&self) -> bool {
        let last = self.events.last().map(|event| &event.kind);
        matches!(last, Some(LifeEventKind::Created { .. } | LifeEventKind::Failed { .. }))
    }

    /// Another key was created or missed: if this one made room, then for that.
    fn newcomer(&mut self, label: &Arc<str>, hit: bool) {
        if let Some(LifeEventKind::Left { for_key, .. }) = self.awaited(self.awaits_newcomer)
            && !hit
        {
            *for_key = Some(label.to_string());
        }
        self.awaits_newcomer = None;
    }

    fn awaited(&mut self, at: Option<usize>) -> Option<&mut LifeEventKind> {
        self.events.get_mut(at?).map(|event| &mut event.kind)
    }
}

fn violated(violation: &CreationViolation) -> LifeEventKind {
    LifeEventKind::Violated {
        scope: violation.scope.clone().into_owned(),
        mode: violation.mode.name(),
        verdict: violation.verdict.name(),
        evicted_by: violation.evicted_by.clone().map(Into::into),
        nearest_key: violation.nearest_key.as_deref().map(str::to_owned),
        differing_fields: violation.differing_fields.clone(),
        caller: violation.caller.clone().map(Into::into),
    }
}
