//! Reports of a cache to its sink, with the labels that were formatted before.

use std::fmt::{self, Debug};
use std::sync::Arc;

use metallic_instrumentation::{CacheName, SinkGuard};

use super::{KeyedCache, nothing_newer};
use crate::caching::cache::{Departures, Reservation};
use crate::caching::clock::TimeSource;
use crate::caching::order::EntryId;
use crate::caching::reporting::{Ended, Labels, Reporter, label};

/// The parts of a cache that reports need.
pub(super) struct Reporting {
    pub(super) reporter: Reporter,
    labels: Labels,
    wants_hits: bool,
}

impl Reporting {
    pub(super) fn new(sink: SinkGuard, cache: CacheName, time: TimeSource) -> Self {
        Self { reporter: Reporter::new(sink, cache, time), labels: Labels::default(), wants_hits: false }
    }

    /// Asks the sink whether it wants to hear of hits.
    pub(super) fn ask(&mut self) -> bool {
        self.wants_hits = self.reporter.wants_hits();
        self.wants_hits
    }
}

/// A key, formatted as its cache says.
pub(in crate::caching) struct Formatted<'a, Key>(
    pub(in crate::caching) &'a Key,
    pub(in crate::caching) super::LabelFormat<Key>,
);

impl<Key> Debug for Formatted<'_, Key> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.1(self.0, f)
    }
}

impl<Key, R> KeyedCache<Key, R> {
    pub(in crate::caching) fn format_label(&self, key: &Key) -> Arc<str> {
        label(&self.name, &Formatted(key, self.format))
    }

    /// Reports a hit that was counted.
    #[inline]
    pub(super) fn report_hit(&mut self, id: EntryId, now: u64) {
        let Self { cache, reporting, name, format, .. } = self;
        let Some(reporting) = reporting else { return };
        if !reporting.wants_hits {
            return;
        }
        let key = &cache.get(id).key;
        let labels = &mut reporting.labels;
        let label = || labels.get(id, || label(name, &Formatted(key, *format)));
        reporting.reporter.hit(label, cache.bytes(id), now);
        reporting.reporter.operation_complete(cache.counters().totals(cache.len()), now);
    }

    /// Completes the insertion of an entry in a cache that is not [silent](Self::is_silent).
    #[cold]
    pub(super) fn attend_to_created(&mut self, id: EntryId, ended: Ended) {
        self.cache.watch();
        self.report_created(id, ended);
        self.refresh_fast_path();
    }

    fn report_created(&mut self, id: EntryId, ended: Ended) {
        let Self { cache, reporting, name, format, .. } = self;
        let Some(reporting) = reporting else { return };
        let key = &cache.get(id).key;
        let labels = &mut reporting.labels;
        let label = || labels.get(id, || label(name, &Formatted(key, *format)));
        reporting.reporter.miss(label, ended, None);
        reporting.reporter.operation_complete(cache.counters().totals(cache.len()), ended.began);
    }

    /// Reports a miss whose creation failed or panicked.
    #[cold]
    pub(super) fn report_failed(&mut self, label: &Arc<str>, ended: Ended, error: Option<&str>) {
        let Self { cache, reporting, .. } = self;
        let Some(reporting) = reporting else { return };
        reporting.reporter.miss(|| label.clone(), ended, error);
        reporting.reporter.operation_complete(cache.counters().totals(cache.len()), ended.began);
    }

    /// Returns `true` if there is no one to tell of an insertion or a removal, and no moment that they would change.
    #[inline(always)]
    pub(super) fn is_silent(&self) -> bool {
        self.reporting.is_none() && !self.cache.expires()
    }

    /// Completes the removal of entries: they are reported, and memory is given back when most of it is vacant.
    #[inline]
    pub(super) fn depart(&mut self, departures: &Departures<Key, R>) {
        if !self.is_silent() || self.cache.is_sparse() {
            self.depart_slow(departures);
        }
    }

    #[inline(never)]
    fn depart_slow(&mut self, departures: &Departures<Key, R>) {
        if self.reporting.is_some() {
            self.report_departures(departures);
        }
        if let Some(map) = self.cache.compact() {
            if let Some(reporting) = &mut self.reporting {
                reporting.labels.renumber(&map);
            }
        }
        self.refresh_fast_path();
    }

    /// Makes room for an entry whose place was taken meanwhile. What is evicted is for the caller to drop.
    #[cold]
    pub(super) fn make_room_again(&mut self, reservation: &Reservation, now: u64) -> Departures<Key, R> {
        let mut departures = Departures::none(now);
        self.cache.make_room_again(reservation, nothing_newer, &mut departures);
        if !departures.is_empty() {
            self.depart(&departures);
        }
        departures
    }

    #[cold]
    fn report_departures(&mut self, departures: &Departures<Key, R>) {
        let policy = self.cache.policy();
        let Self { reporting, name, format, .. } = self;
        let Some(Reporting { reporter, labels, .. }) = reporting.as_deref_mut() else { return };
        for departed in departures.iter() {
            let known = labels.take(departed.id);
            let format = || label(name, &Formatted(&departed.entry.key, *format));
            let label = || known.unwrap_or_else(format);
            reporter.removed(label, &departed.history, departed.bytes, departed.cause, departures.at);
        }
        departures.report_reason(reporter, &policy);
    }
}
