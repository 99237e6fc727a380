//! Which keys a warm-up and the program have in common.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

/// The keys that were warmed up and those that were used: where they differ, the manifest should.
///
/// [`SharedRegistry::coverage`](crate::caching::SharedRegistry::coverage) returns that of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Coverage {
    /// `true` if a warm-up is over. Otherwise no use is before its end.
    pub has_warm_up: bool,
    /// By cache.
    pub caches: BTreeMap<String, CacheCoverage>,
    /// All caches together.
    pub total: CacheCoverage,
    /// The labels of the keys that were warmed and never used.
    pub never_used: BTreeSet<String>,
    /// The labels of the keys that were used and never warmed.
    pub never_warmed: BTreeSet<String>,
    /// The labels of the keys that were used before warm-up was over.
    pub used_before_ready: BTreeSet<String>,
}

/// Numbers of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CacheCoverage {
    /// Warmed, and used.
    pub warmed_and_used: u64,
    /// Warmed, and not used.
    pub never_used: u64,
    /// Used, and not warmed.
    pub never_warmed: u64,
    /// Used before warm-up was over.
    pub used_before_ready: u64,
    /// Warmed, and no longer in the cache: uses are known of what is there alone.
    pub gone: u64,
}

/// The state of one key, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCoverage {
    /// It was warmed up.
    pub is_warmed: bool,
    /// It was used; `None` if that is not known.
    pub is_used: Option<bool>,
    /// It was used before warm-up was over.
    pub is_used_before_ready: bool,
}

impl Coverage {
    /// Coverage of no keys yet.
    pub fn new(has_warm_up: bool) -> Self {
        Self { has_warm_up, ..Self::default() }
    }

    /// Adds a key, which is named by its label.
    pub fn note(&mut self, cache: &str, label: &str, key: KeyCoverage) {
        let KeyCoverage { is_warmed, is_used, is_used_before_ready } = key;
        let (never_used, never_warmed) = (is_warmed && is_used == Some(false), !is_warmed);
        for figures in [self.caches.entry(cache.to_owned()).or_default(), &mut self.total] {
            figures.warmed_and_used += u64::from(is_warmed && is_used == Some(true));
            figures.never_used += u64::from(never_used);
            figures.never_warmed += u64::from(never_warmed);
            figures.used_before_ready += u64::from(is_used_before_ready);
            figures.gone += u64::from(is_warmed && is_used.is_none());
        }
        for (is_in, labels) in [
            (never_used, &mut self.never_used),
            (never_warmed, &mut self.never_warmed),
            (is_used_before_ready, &mut self.used_before_ready),
        ] {
            if is_in {
                labels.insert(label.to_owned());
            }
        }
    }
}

impl fmt::Display for Coverage {
    /// A line for all, and one for each cache.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total)?;
        self.caches.iter().try_for_each(|(cache, figures)| write!(f, "\n{cache}: {figures}"))
    }
}

impl fmt::Display for CacheCoverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { warmed_and_used, never_used, never_warmed, used_before_ready, gone } = self;
        write!(
            f,
            "{warmed_and_used} warmed and used, {never_used} never used, {never_warmed} never warmed, \
             {used_before_ready} used before ready"
        )?;
        if *gone > 0 { write!(f, ", {gone} gone") } else { Ok(()) }
    }
}

/// The keys that warm-ups have seen, by label and with the cache of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    has_warm_up: bool,
    warmed: HashMap<Arc<str>, String, FxBuildHasher>,
    before_ready: HashMap<Arc<str>, String, FxBuildHasher>,
}

/// The entries of a cache: its name, and of each entry the label and how often it was found.
pub(super) type Uses = (String, Vec<(Arc<str>, u64)>);

impl Seen {
    /// Notes a key that was warmed up; `was_present` if it was there without this.
    pub(super) fn warmed(&mut self, cache: &str, label: &Arc<str>, was_present: bool) {
        let before = self.warmed.insert(label.clone(), cache.to_owned());
        if was_present && before.is_none() {
            self.before_ready.insert(label.clone(), cache.to_owned());
        }
    }

    /// Notes what is there when a warm-up is over.
    pub(super) fn ready(&mut self, caches: Vec<Uses>) {
        self.has_warm_up = true;
        for (cache, entries) in caches {
            let used =
                entries.into_iter().filter(|(label, uses)| *uses > 0 || !self.warmed.contains_key(label));
            let used: Vec<_> = used.collect();
            self.before_ready.extend(used.into_iter().map(|(label, _)| (label, cache.clone())));
        }
    }

    /// The coverage, now that this is there.
    pub(super) fn coverage(mut self, caches: Vec<Uses>) -> Coverage {
        let mut coverage = Coverage::new(self.has_warm_up);
        for (cache, entries) in caches {
            for (label, uses) in entries {
                let is_warmed = self.warmed.remove(&label).is_some();
                let is_used_before_ready = self.before_ready.remove(&label).is_some();
                // What no warm-up created was created by its first use.
                let is_used = Some(uses > 0 || !is_warmed || is_used_before_ready);
                coverage.note(&cache, &label, KeyCoverage { is_warmed, is_used, is_used_before_ready });
            }
        }
        for (label, cache) in self.warmed {
            let is_used_before_ready = self.before_ready.remove(&label).is_some();
            let is_used = is_used_before_ready.then_some(true);
            coverage.note(&cache, &label, KeyCoverage { is_warmed: true, is_used, is_used_before_ready });
        }
        for (label, cache) in self.before_ready {
            let key = KeyCoverage { is_warmed: false, is_used: Some(true), is_used_before_ready: true };
            coverage.note(&cache, &label, key);
        }
        coverage
    }
}
