//! From the figures that were kept to the report.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::mem;

use metallic_instrumentation::Skipped;
use rustc_hash::FxHashMap;

use super::collector::Collector;
use super::durations::IdleAges;
use super::figures::{
    Axis, CacheFigures, CountedBy, IdleBar, Key, KeyCoverage, Moment, RegistryFigures, Report, SkippedLines,
    Spread,
};
use super::keys::KeyFigures;
use super::kv::KvTally;
use super::member::Member;
use super::tally::{Lookups, Tally};
use crate::input::{Registries, SkippedIn};
use crate::units::total;

impl Collector {
    /// The report of what was read of these files. `lines` is the number of their lines, `skipped` those that are not events.
    pub fn report(mut self, files: &[String], lines: u64, skipped: &[SkippedIn]) -> Report {
        // Buckets of all caches are of one width, so that they can be added up.
        let shifts = self.caches.iter().map(|tally| tally.buckets.shift());
        let shift = shifts.chain(self.kv_caches.iter().map(|tally| tally.buckets.shift())).max().unwrap_or(0);
        for tally in &mut self.caches {
            tally.buckets.coarsen_to(shift);
        }
        for tally in &mut self.kv_caches {
            tally.buckets.coarsen_to(shift);
        }
        let mut kv_caches: Vec<_> = mem::take(&mut self.kv_caches).into_iter().map(KvTally::finish).collect();
        kv_caches.sort_by(|a, b| a.cache.cmp(&b.cache));
        let mut caches: Vec<_> =
            self.caches.iter().map(|tally| cache_figures(tally, &self.registries)).collect();
        caches.sort_by(|a, b| {
            (b.creation_ns.sum, b.misses)
                .cmp(&(a.creation_ns.sum, a.misses))
                .then_with(|| a.cache.cmp(&b.cache))
        });
        let dearest_keys = self.top_keys(self.named, |key| key.creation_ns);
        let rebuilt_keys = self.top_keys(self.named, |key| key.rebuilt_ns);
        Report {
            files: files.to_vec(),
            processes: self.registries.processes().to_vec(),
            lines,
            events: self.events,
            dropped_events: self.dropped,
            skipped: skipped.iter().map(|file| skipped_lines(&file.file, &file.skipped)).collect(),
            axis: if self.clock.timed == Some(false) { Axis::Events } else { Axis::Time },
            span: self.span,
            clock_steps_back: self.clock.steps,
            longest_step_back_ns: self.clock.longest_step,
            bucket: 1 << shift,
            steps: self.waits.figures(),
            keys: self.coverage(&dearest_keys, &rebuilt_keys),
            caches,
            kv_caches,
            violations: mem::take(&mut self.violations).finish(),
            dearest_keys,
            rebuilt_keys,
        }
    }

    /// All keys there are figures of that were created, or were to be, summed over the registries; the dearest first.
    pub fn created_keys(&self) -> Vec<Key> {
        self.top_keys(usize::MAX, |key| {
            key.created.saturating_add(key.failed).saturating_add(key.creation_ns)
        })
    }

    /// The `most` keys for which `cost` is highest, summed over the registries; those without any left out.
    pub(super) fn top_keys(&self, most: usize, cost: impl Fn(&KeyFigures) -> u64) -> Vec<Key> {
        let mut by_label: FxHashMap<&str, Cow<'_, KeyFigures>> = FxHashMap::default();
        for key in self.keys.iter().filter(|key| cost(key) > 0) {
            match by_label.entry(&key.label) {
                Entry::Occupied(mut sum) => sum.get_mut().to_mut().add(key),
                Entry::Vacant(place) => _ = place.insert(Cow::Borrowed(key)),
            }
        }
        let mut keys: Vec<_> = by_label.into_values().collect();
        let order = |a: &Cow<'_, KeyFigures>, b: &Cow<'_, KeyFigures>| {
            cost(b).cmp(&cost(a)).then_with(|| a.label.cmp(&b.label))
        };
        if keys.len() > most {
            keys.select_nth_unstable_by(most, order);
            keys.truncate(most);
        }
        keys.sort_by(order);
        keys.iter().map(|figures| key(figures)).collect()
    }

    fn coverage(&self, dearest: &[Key], rebuilt: &[Key]) -> KeyCoverage {
        let forgotten = (0..self.caches.len()).map(|cache| self.keys.forgotten(cache));
        let total_ns: u64 = total(self.caches.iter().map(|tally| tally.creations.sum()));
        let rebuilt_ns: u64 = total(self.caches.iter().map(|tally| tally.rebuilt.ns));
        let named = |keys: &[Key], cost: fn(&Key) -> u64| total(keys.iter().map(cost));
        KeyCoverage {
            tracked: self.keys.iter().count() as u64,
            limit: self.keys.limit() as u64,
            forgotten: total(forgotten.clone().map(|sums| sums.keys)),
            forgotten_misses: total(forgotten.clone().map(|sums| sums.misses)),
            forgotten_creation_ns: total(forgotten.clone().map(|sums| sums.creation_ns)),
            forgotten_rebuilt_ns: total(forgotten.map(|sums| sums.rebuilt_ns)),
            lacking_ns: self.keys.lacking_ns(),
            other_creation_ns: total_ns.saturating_sub(named(dearest, |key| key.creation_ns)),
            other_rebuilt_ns: rebuilt_ns.saturating_sub(named(rebuilt, |key| key.rebuilt_ns)),
        }
    }
}

fn cache_figures(tally: &Tally, registries: &Registries) -> CacheFigures {
    let by_summaries = tally.counts_by_summaries();
    let (mut lookups, mut logged) = (Lookups::default(), Lookups::default());
    for member in &tally.members {
        lookups.add(member.lookups());
        logged.add(member.accesses);
    }
    let departed = |cause| tally.departures.get(cause).copied().unwrap_or(0);
    // What an eviction sums up, its entries say one by one; a filtered log may have only one of the two.
    let mut reasons: Vec<(String, u64)> = if tally.reasons.is_empty() {
        let causes = ["size_limit", "idle_timeout"].map(|cause| (cause.to_owned(), departed(cause)));
        causes.into_iter().filter(|(_, count)| *count > 0).collect()
    } else {
        tally.reasons.iter().map(|(reason, count)| (reason.to_string(), *count)).collect()
    };
    reasons.sort_by_key(|(_, count)| Reverse(*count));
    // Memory is known only if each entry that went was named, with its size.
    let gone = total(reasons.iter().map(|(_, count)| *count)).saturating_add(tally.cleared);
    let is_sized = tally.peak_bytes > 0 && total(tally.departures.values().copied()) >= gone;
    CacheFigures {
        cache: tally.name.to_string(),
        policy: policies(tally),
        registries: tally.members.iter().map(|member| registry_figures(member, registries)).collect(),
        entries: tally.entries,
        peak_entries: tally.peak_entries,
        bytes: is_sized.then_some(tally.bytes),
        peak_bytes: is_sized.then_some(tally.peak_bytes),
        hits: lookups.hits,
        misses: lookups.misses,
        hit_rate: rate(lookups),
        counted_by: if by_summaries { CountedBy::Summaries } else { CountedBy::Accesses },
        logged_accesses: logged.count(),
        evictions: total(reasons.iter().map(|(_, count)| *count)),
        evictions_by_reason: reasons,
        removals: tally.cleared.max(departed("removed") + departed("cleared") + departed("stale")),
        creations: tally.creations.count(),
        failed: tally.failed,
        loads: tally.loads.count,
        load_ns: tally.loads.ns,
        created_bytes: tally.created_bytes,
        creation_ns: Spread {
            sum: tally.creations.sum(),
            p50: tally.creations.quantile(0.5),
            p95: tally.creations.quantile(0.95),
            max: tally.creations.max(),
        },
        rebuilt: tally.rebuilt.count,
        rebuilt_ns: tally.rebuilt.ns,
        unexplained: tally.unexplained.count,
        unexplained_ns: tally.unexplained.ns,
        restarts: tally.members.iter().map(Member::restarts).sum(),
        idle_at_eviction: idle_bars(&tally.idle_at_eviction),
        idle_at_hit: idle_bars(&tally.idle_at_hit),
        series: series(tally, by_summaries),
    }
}

/// The policies of all registries, each once.
fn policies(tally: &Tally) -> Option<String> {
    let all: BTreeSet<&str> = tally.members.iter().filter_map(|member| member.policy.as_deref()).collect();
    (!all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join("; "))
}

fn registry_figures(member: &Member, registries: &Registries) -> RegistryFigures {
    let Lookups { hits, misses } = member.lookups();
    RegistryFigures {
        name: registries.name_of(member.registry),
        process: member.registry.process,
        number: member.registry.number,
        policy: member.policy.as_deref().map(str::to_owned),
        hits,
        misses,
        entries: member.entries,
        evictions: member.evicted,
        creations: member.creations.count,
        creation_ns: member.creations.ns,
    }
}

fn rate(lookups: Lookups) -> Option<f64> {
    (lookups.count() > 0).then(|| lookups.hits as f64 / lookups.count() as f64)
}

fn series(tally: &Tally, by_summaries: bool) -> Vec<Moment> {
    let mut entries = None;
    let mut moments = Vec::new();
    for (at, bucket) in tally.buckets.iter() {
        let lookups = if by_summaries { bucket.summaries } else { bucket.accesses };
        let quiet =
            lookups.count() == 0 && bucket.creation_ns == 0 && bucket.evicted == 0 && bucket.created == 0;
        let last = bucket.entries.map(|level| level.last);
        let peak = bucket.entries.map(|level| level.peak);
        if quiet && (last.is_none() || (last == entries && peak == entries)) && bucket.bytes.is_none() {
            continue;
        }
        entries = last.or(entries);
        moments.push(Moment {
            at,
            hits: lookups.hits,
            misses: lookups.misses,
            created: bucket.created,
            creation_ns: bucket.creation_ns,
            evicted: bucket.evicted,
            entries,
            peak_entries: peak,
            bytes: bucket.bytes,
        });
    }
    moments
}

fn idle_bars(ages: &IdleAges) -> Vec<IdleBar> {
    let counts = ages.counts();
    let bar = |at: usize| IdleBar {
        from: at.checked_sub(1).map_or(0, |edge| IdleAges::EDGES[edge]),
        below: IdleAges::EDGES.get(at).copied(),
        count: counts[at],
    };
    let first = counts.iter().position(|&count| count > 0);
    let last = counts.iter().rposition(|&count| count > 0);
    first.zip(last).map(|(first, last)| (first..=last).map(bar).collect()).unwrap_or_default()
}

fn key(figures: &KeyFigures) -> Key {
    Key {
        key: figures.label.to_string(),
        hits: figures.hits,
        misses: figures.misses,
        created: figures.created,
        failed: figures.failed,
        creation_ns: figures.creation_ns,
        evicted: figures.evicted,
        rebuilt: figures.rebuilt,
        rebuilt_ns: figures.rebuilt_ns,
    }
}

fn skipped_lines(file: &str, skipped: &Skipped) -> SkippedLines {
    let reasons = [
        ("torn", skipped.torn),
        ("not events", skipped.malformed),
        ("not UTF-8", skipped.invalid_utf8),
        ("too long", skipped.too_long),
        ("blank", skipped.blank),
        ("of unknown type", skipped.unknown_type),
    ];
    SkippedLines {
        file: file.to_owned(),
        lines: skipped.total(),
        reasons: reasons.iter().filter(|(_, n)| *n > 0).map(|(why, n)| ((*why).to_owned(), *n)).collect(),
        first: skipped.first.iter().map(ToString::to_string).collect(),
    }
}
