//! Manifests as sets of keys.

use std::collections::BTreeMap;

use super::read::Manifest;
use super::record::Record;

/// The records in which two manifests differ.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ManifestDiff {
    /// Those of the first alone.
    pub only_first: Vec<Record>,
    /// Those of the second alone.
    pub only_second: Vec<Record>,
    /// The number of keys that both have.
    pub common: usize,
}

impl Manifest {
    /// Adds all records of `other`. Of a key that both have, the larger count, cost and size are kept, so that nothing changes if
    /// a manifest is merged twice.
    pub fn merge(&mut self, other: &Self) {
        other.records().for_each(|record| self.combine(record.clone(), u64::max));
    }

    /// Compares the keys of two manifests.
    pub fn diff(&self, other: &Self) -> ManifestDiff {
        let missing_in = |from: &Self, to: &Self| -> Vec<Record> {
            from.records().filter(|record| !to.contains(record)).cloned().collect()
        };
        let only_first = missing_in(self, other);
        let common = self.len() - only_first.len();
        ManifestDiff { only_first, only_second: missing_in(other, self), common }
    }

    /// The phases in which keys were first created, in the order of their first creations; `None` is that of keys without one,
    /// which comes last if they were listed.
    pub fn phases(&self) -> Vec<Option<&str>> {
        let mut first = BTreeMap::<Option<&str>, u64>::new();
        for record in self.records() {
            let order = first.entry(record.phase.as_deref()).or_insert(u64::MAX);
            *order = record.order.min(*order);
        }
        let mut phases: Vec<_> = first.into_iter().collect();
        phases.sort_by_key(|(phase, order)| (*order, phase.is_none()));
        phases.into_iter().map(|(phase, _)| phase).collect()
    }

    /// Returns the records of one phase, for a warm-up of this phase alone or before others. `None` is that of keys without one.
    ///
    /// ```
    /// # use metallic::caching::SharedRegistry;
    /// # use metallic::manifest::{Manifest, WarmOptions};
    /// # let registry: SharedRegistry = SharedRegistry::new();
    /// # let manifest = Manifest::new();
    /// for phase in manifest.phases() {
    ///     registry.warm(&manifest.of_phase(phase), &WarmOptions::default());
    /// }
    /// ```
    #[must_use]
    pub fn of_phase(&self, phase: Option<&str>) -> Self {
        self.prune(|record| record.phase.as_deref() == phase)
    }

    /// Returns the records that `keep` accepts.
    #[must_use]
    pub fn prune(&self, mut keep: impl FnMut(&Record) -> bool) -> Self {
        let mut kept = Self::new();
        self.records().filter(|record| keep(record)).for_each(|record| kept.insert(record.clone()));
        kept
    }
}
