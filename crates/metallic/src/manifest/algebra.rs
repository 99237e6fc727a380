//! Manifests as sets of keys.

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
    /// Adds all records of `other`. Of a key that both have, the larger count, cost and size are kept, so that nothing changes if a
    /// manifest is merged twice.
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

    /// Returns the records that `keep` accepts.
    #[must_use]
    pub fn prune(&self, mut keep: impl FnMut(&Record) -> bool) -> Self {
        let mut kept = Self::new();
        self.records().filter(|record| keep(record)).for_each(|record| kept.insert(record.clone()));
        kept
    }
}
