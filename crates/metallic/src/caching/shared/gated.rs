//! Talks of a shared cache with its gate.

use std::sync::Arc;

use super::SharedCore;
use super::node::{Node, uses};
use crate::caching::drops::Foreign;
use crate::caching::entries::Entry;
use crate::caching::gate::{Asked, Caller, CreationGate, Finished, Passage};
use crate::caching::keyed_cache::KernelKeyOf;
use crate::caching::reporting::{Ended, Reporter};
use crate::error::Error;

/// The key of an entry, its label, and its resource.
pub(in crate::caching) type Labelled<Key, R> = (Foreign<Arc<Key>>, Arc<str>, Foreign<Arc<Node<R>>>);

impl<Key, R> SharedCore<Key, R> {
    /// Says that this is the cache of a kernel.
    pub(in crate::caching) fn of_kernel(self, kernel: KernelKeyOf<Key>) -> Self {
        Self { kernel: Some(kernel), ..self }
    }

    /// Has each creation ask `gate` first.
    pub(in crate::caching) fn set_gate(&self, gate: Option<Arc<dyn CreationGate>>) {
        let before = std::mem::replace(&mut self.lock().gate, gate);
        drop(before);
    }

    /// Tells a gate's passage how the creation ended.
    #[cold]
    pub(super) fn tell(&self, passage: Box<dyn Passage>, ended: Ended, reporter: Option<&Reporter>) {
        passage.ended(&Finished {
            outcome: ended.outcome,
            loaded: ended.loaded,
            duration_ns: self.time.ns_between(0, ended.ticks),
            bytes: ended.bytes,
            report: &|violation| {
                if let Some(reporter) = reporter {
                    reporter.violated(violation, ended.done);
                }
            },
        });
    }
}

impl<Key, R> SharedCore<Key, R> {
    /// Asks the gate, if there is one, for the creation of `key`. To be called under no lock.
    pub(super) fn ask(&self, key: &Key, caller: Option<Caller>) -> Result<Option<Box<dyn Passage>>, Error> {
        let state = self.lock();
        let Some(gate) = state.gate.clone() else { return Ok(None) };
        let (policy, reporter) = (state.cache.policy(), state.reporter.clone());
        drop(state);
        let now = self.time.stamp();
        gate.admit(&Asked {
            cache: &self.name,
            kernel: self.kernel.map(|kernel| kernel(key)),
            label: &|| self.label(key),
            labels: &|| self.entry_labels().into_iter().map(|(label, _)| label).collect(),
            policy,
            caller,
            can_refuse: true,
            now_ns: self.time.ns_between(0, now),
            report: &|violation| {
                if let Some(reporter) = &reporter {
                    reporter.violated(violation, now);
                }
            },
        })
    }

    /// The labels of all entries, and how often each was found.
    pub(in crate::caching) fn entry_labels(&self) -> Vec<(Arc<str>, u64)> {
        let labelled = self.labelled_entries().into_iter().map(|(_, label, node)| {
            let found = uses(&node).map_or(0, |uses| uses.reuse_count);
            (label, found)
        });
        labelled.collect()
    }

    /// All entries, with their labels.
    pub(in crate::caching) fn labelled_entries(&self) -> Vec<Labelled<Key, R>> {
        let state = self.lock();
        let entry = |entry: &Entry<Arc<Key>, Arc<Node<R>>>| {
            (Foreign::new(entry.key.clone()), Foreign::new(entry.resource.clone()))
        };
        let entries: Vec<_> = state.cache.entries().map(entry).collect();
        drop(state);
        let labelled = entries.into_iter().map(|(key, node)| {
            let label = node.label(|| self.label(&key));
            (key, label, node)
        });
        labelled.collect()
    }
}
