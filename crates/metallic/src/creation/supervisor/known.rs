//! Knowledge of keys: from a manifest, and from the creations so far.

use std::any::TypeId;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use metallic_instrumentation::ViolationVerdict;
use rustc_hash::FxBuildHasher;

/// How far the warm-up of a key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Warmth {
    /// It is in the manifest, and its turn has not come.
    Pending,
    /// It was created, or was there.
    Ready,
    /// It was loaded from a store.
    Loaded,
    /// Its creation failed.
    Failed,
    /// It was recorded under another schema of its kernel.
    OtherSchema,
}

/// The most creations that are remembered: the keys of some caches never end.
const REMEMBERED: usize = 65_536;

#[derive(Default)]
pub(super) struct Known {
    pub(super) has_manifest: bool,
    /// Kernels whose keys can be carried.
    pub(super) portable: HashSet<TypeId, FxBuildHasher>,
    /// By label. As long as the manifest.
    warmth: HashMap<Arc<str>, Warmth, FxBuildHasher>,
    /// Hashes of the labels of what was created, and the order in which they came.
    created: HashSet<u64, FxBuildHasher>,
    in_order: VecDeque<u64>,
}

impl Known {
    pub(super) fn note_warmth(&mut self, label: Arc<str>, warmth: Warmth) {
        match warmth {
            // The schema that is here goes first.
            Warmth::OtherSchema => {
                self.warmth.entry(label).or_insert(warmth);
            }
            _ => {
                self.warmth.insert(label, warmth);
            }
        }
    }

    pub(super) fn warmth(&self, label: &str) -> Option<Warmth> {
        self.warmth.get(label).copied()
    }

    pub(super) fn note_creation(&mut self, label: &str, loaded: bool) {
        if let Some(warmth) =
            self.warmth.get_mut(label).filter(|warmth| loaded && **warmth == Warmth::Pending)
        {
            *warmth = Warmth::Loaded;
        }
        let hash = FxBuildHasher.hash_one(label);
        if !self.created.insert(hash) {
            return;
        }
        self.in_order.push_back(hash);
        if self.in_order.len() > REMEMBERED {
            if let Some(first) = self.in_order.pop_front() {
                self.created.remove(&first);
            }
        }
    }

    /// Why a key is not in its cache. Of what has no kernel, a manifest cannot be the reason.
    pub(super) fn verdict(&self, label: &str, has_kernel: bool) -> ViolationVerdict {
        let was_created = || self.created.contains(&FxBuildHasher.hash_one(label));
        match self.warmth.get(label) {
            Some(Warmth::Ready | Warmth::Loaded) => ViolationVerdict::Evicted,
            Some(Warmth::Failed) => ViolationVerdict::Failed,
            _ if was_created() => ViolationVerdict::Evicted,
            Some(Warmth::Pending) => ViolationVerdict::NotReady,
            Some(Warmth::OtherSchema) => ViolationVerdict::OtherFingerprint,
            None if !has_kernel => ViolationVerdict::NotRecordable,
            None if self.has_manifest => ViolationVerdict::NeverRecorded,
            None => ViolationVerdict::NoManifest,
        }
    }

    /// The labels of the keys of this cache that are in the manifest.
    pub(super) fn labels_of(&self, cache: &str) -> Vec<Arc<str>> {
        let is_of = |label: &str| label.strip_prefix(cache).is_some_and(|key| key.starts_with(':'));
        let mut labels: Vec<_> = self.warmth.keys().filter(|label| is_of(label)).cloned().collect();
        labels.sort();
        labels
    }
}
