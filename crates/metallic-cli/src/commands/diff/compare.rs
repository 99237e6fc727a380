//! Compares two sides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::figures::{CacheChange, Change, Condition, Diff, Figures, KeyChange, KeyCounts, KeySide};
use super::side::Side;
use crate::commands::report::{CacheFigures, Report, TOTAL};
use crate::label::CacheNames;

/// The least difference of times that is more than noise: the mean time of a creation is `ratio` times the other, and all
/// creations of the key together are at least `least_ns` away from what they would have taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// How many times as long.
    pub ratio: f64,
    /// Nanoseconds, over all creations of the key.
    pub least_ns: f64,
}

impl Threshold {
    fn is_dearer(&self, before: KeySide, after: KeySide) -> bool {
        let (was, is) = (before.mean_ns(), after.mean_ns());
        is >= was * self.ratio && is > was && (is - was) * after.creations as f64 >= self.least_ns
    }
}

pub(super) fn compare(before: &Side, after: &Side, threshold: Threshold) -> Diff {
    let both: BTreeSet<&str> = caches(&before.report).chain(caches(&after.report)).collect();
    let names = names(both.iter().copied());
    let mut keys = Vec::new();
    let labels: BTreeSet<&String> = before.keys.keys().chain(after.keys.keys()).collect();
    for label in labels {
        let sides = (before.keys.get(label).copied(), after.keys.get(label).copied());
        let changes = changes(sides, (before.is_whole, after.is_whole), threshold);
        if !changes.is_empty() {
            let cache = names.split(label).0.to_owned();
            keys.push(KeyChange { key: label.clone(), cache, changes, before: sides.0, after: sides.1 });
        }
    }
    let cost = |side: Option<KeySide>| side.map_or(0, |side| side.creation_ns);
    keys.sort_by_key(|key| Reverse(cost(key.before).max(cost(key.after))));

    let mut counts: BTreeMap<&str, KeyCounts> = BTreeMap::new();
    let mut all = KeyCounts::default();
    for key in &keys {
        for change in &key.changes {
            counts.entry(&key.cache).or_default().add(*change);
            all.add(*change);
        }
    }
    let mut caches: Vec<CacheChange> = both
        .iter()
        .map(|name| CacheChange {
            cache: (*name).to_owned(),
            before: figures(&before.report, name),
            after: figures(&after.report, name),
            keys: counts.get(name).copied().unwrap_or_default(),
        })
        .collect();
    let cost = |figures: Option<Figures>| figures.map_or(0, |figures| figures.creation_ns);
    caches.sort_by_key(|cache| Reverse(cost(cache.before).max(cost(cache.after))));
    Diff {
        before: before.figures(),
        after: after.figures(),
        conditions: conditions(before, after, &both),
        total: CacheChange {
            cache: TOTAL.to_owned(),
            before: Some(sum(&before.report)),
            after: Some(sum(&after.report)),
            keys: all,
        },
        caches,
        keys,
        new_known: before.is_whole,
        gone_known: after.is_whole,
    }
}

fn changes(
    sides: (Option<KeySide>, Option<KeySide>),
    are_whole: (bool, bool),
    threshold: Threshold,
) -> Vec<Change> {
    let mut changes = Vec::new();
    match sides {
        (None, Some(_)) if are_whole.0 => changes.push(Change::New),
        (Some(_), None) if are_whole.1 => changes.push(Change::Gone),
        (Some(before), Some(after)) => {
            match before.creations.cmp(&after.creations) {
                std::cmp::Ordering::Less => changes.push(Change::More),
                std::cmp::Ordering::Greater => changes.push(Change::Fewer),
                std::cmp::Ordering::Equal => {}
            }
            if threshold.is_dearer(before, after) {
                changes.push(Change::Dearer);
            } else if threshold.is_dearer(after, before) {
                changes.push(Change::Cheaper);
            }
        }
        _ => {}
    }
    changes
}

/// The names of the caches of a report: of some, such as slots, it may have violations alone.
fn caches(report: &Report) -> impl Iterator<Item = &str> {
    let violated = report.violations.iter().map(|violations| &*violations.cache);
    report.caches.iter().map(|cache| &*cache.cache).chain(violated)
}

/// The figures of the cache of this name, if the report has any.
fn figures(report: &Report, name: &str) -> Option<Figures> {
    let cache = report.caches.iter().find(|cache| cache.cache == name).map(Figures::from);
    let Some(violations) = report.violations.iter().find(|violations| violations.cache == name) else {
        return cache;
    };
    let (violations, refused) = (violations.all(), violations.refused);
    Some(Figures { violations, refused, ..cache.unwrap_or_default() })
}

fn names<'a>(caches: impl Iterator<Item = &'a str>) -> CacheNames {
    let mut names = CacheNames::default();
    caches.for_each(|name| names.learn(name));
    names
}

impl From<&CacheFigures> for Figures {
    fn from(cache: &CacheFigures) -> Self {
        let &CacheFigures { hits, misses, hit_rate, evictions, creations, failed, created_bytes, .. } = cache;
        let &CacheFigures { rebuilt, rebuilt_ns, .. } = cache;
        let creation_ns = cache.creation_ns.sum;
        Self {
            hits,
            misses,
            hit_rate,
            evictions,
            creations,
            failed,
            creation_ns,
            created_bytes,
            rebuilt,
            rebuilt_ns,
            violations: 0,
            refused: 0,
        }
    }
}

fn sum(report: &Report) -> Figures {
    let mut sum = Figures::default();
    let names: BTreeSet<&str> = caches(report).collect();
    for cache in names.into_iter().filter_map(|name| figures(report, name)) {
        let add = |sum: &mut u64, figure: u64| *sum = sum.saturating_add(figure);
        add(&mut sum.hits, cache.hits);
        add(&mut sum.misses, cache.misses);
        add(&mut sum.evictions, cache.evictions);
        add(&mut sum.creations, cache.creations);
        add(&mut sum.failed, cache.failed);
        add(&mut sum.creation_ns, cache.creation_ns);
        add(&mut sum.created_bytes, cache.created_bytes);
        add(&mut sum.rebuilt, cache.rebuilt);
        add(&mut sum.rebuilt_ns, cache.rebuilt_ns);
        add(&mut sum.violations, cache.violations);
        add(&mut sum.refused, cache.refused);
    }
    let lookups = sum.hits.saturating_add(sum.misses);
    sum.hit_rate = (lookups > 0).then(|| sum.hits as f64 / lookups as f64);
    sum
}

/// Lists what is not the same around the caches, where both logs say what it is.
fn conditions(before: &Side, after: &Side, caches: &BTreeSet<&str>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let mut note = |what: String, before: BTreeSet<String>, after: BTreeSet<String>| {
        if before != after && !before.is_empty() && !after.is_empty() {
            let text = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join(", ");
            conditions.push(Condition { what, before: text(before), after: text(after) });
        }
    };
    let programs = |side: &Side| {
        let name = |process: &crate::input::ProcessFigures| match &process.version {
            Some(version) => format!("{} {version}", process.program),
            None => process.program.clone(),
        };
        side.report.processes.iter().map(name).collect()
    };
    note("program".to_owned(), programs(before), programs(after));
    let libraries = |side: &Side| {
        side.report.processes.iter().map(|process| format!("metallic {}", process.library)).collect()
    };
    note("library".to_owned(), libraries(before), libraries(after));
    let devices =
        |side: &Side| side.report.processes.iter().flat_map(|process| process.devices.clone()).collect();
    note("device".to_owned(), devices(before), devices(after));
    for name in caches {
        let policy = |side: &Side| {
            let cache = side.report.caches.iter().find(|cache| cache.cache == *name);
            cache.and_then(|cache| cache.policy.clone()).into_iter().collect()
        };
        note(format!("policy of {name}"), policy(before), policy(after));
    }
    conditions
}
