//! The reports of a cache to its gate.

use std::sync::Arc;

use super::KeyedCache;
use crate::caching::gate::{Asked, Caller, CreationGate, Finished, Passage};
use crate::caching::reporting::Ended;
use crate::error::Error;

impl<Key, R> KeyedCache<Key, R> {
    /// Asks the gate, if there is one, for the creation of `key`, before room is made for it: what is refused evicts nothing.
    /// `can_refuse` is `false` if an error has nowhere to go.
    ///
    /// # Errors
    /// [`Error::Creation`] of [`Error::CreationRefused`].
    #[inline(always)]
    pub(in crate::caching) fn admit(
        &self,
        key: &Key,
        caller: Option<Caller>,
        can_refuse: bool,
    ) -> Result<Option<Box<dyn Passage>>, Error> {
        match &self.gate {
            None => Ok(None),
            Some(gate) => self.ask(&gate.clone(), key, caller, can_refuse),
        }
    }

    #[cold]
    #[inline(never)]
    fn ask(
        &self,
        gate: &Arc<dyn CreationGate>,
        key: &Key,
        caller: Option<Caller>,
        can_refuse: bool,
    ) -> Result<Option<Box<dyn Passage>>, Error> {
        let now = self.cache.time().stamp();
        let admitted = gate.admit(&Asked {
            cache: &self.name,
            kernel: self.kernel.map(|kernel| kernel(key)),
            label: &|| self.format_label(key),
            labels: &|| self.entry_labels().map(|(label, _)| label).collect(),
            policy: self.cache.policy(),
            caller,
            can_refuse,
            now_ns: self.cache.time().ns_between(0, now),
            report: &|violation| {
                if let Some(reporting) = &self.reporting {
                    reporting.reporter.violated(violation, now);
                }
            },
        });
        admitted.map_err(|refused| Error::creation(self.format_label(key), refused))
    }

    /// Tells a gate's passage how the creation ended.
    #[cold]
    pub(super) fn tell(&self, passage: Box<dyn Passage>, ended: Ended) {
        passage.ended(&Finished {
            outcome: ended.outcome,
            loaded: ended.loaded,
            duration_ns: self.cache.time().ns_between(0, ended.ticks),
            bytes: ended.bytes,
            report: &|violation| {
                if let Some(reporting) = &self.reporting {
                    reporting.reporter.violated(violation, ended.done);
                }
            },
        });
    }

    /// The labels of all entries, and how often each was found.
    pub(in crate::caching) fn entry_labels(&self) -> impl Iterator<Item = (Arc<str>, u64)> + '_ {
        self.cache.entries_by_use().map(|(key, uses)| (self.format_label(key), uses))
    }

    /// All entries, with their labels.
    pub(in crate::caching) fn labelled_entries(&self) -> impl Iterator<Item = (&Key, Arc<str>, &R)> + '_ {
        self.cache.entries().map(|entry| (&entry.key, self.format_label(&entry.key), &entry.resource))
    }
}
