//! Talks of a pool with its gate.

use std::panic::Location;
use std::sync::Arc;

use super::PoolCore;
use crate::caching::gate::{Asked, CreationGate, Finished, Passage};
use crate::caching::reporting::{Ended, Reporter};

impl<Key, R> PoolCore<Key, R> {
    /// Has the making of each item ask `gate` first.
    pub(in crate::caching) fn set_gate(&self, gate: Option<Arc<dyn CreationGate>>) {
        let before = std::mem::replace(&mut self.lock().gate, gate);
        drop(before);
    }

    /// Tells the gate, if there is one, that an item is going to be made. It cannot be refused: the maker's errors have no place
    /// for that. To be called under no lock.
    #[track_caller]
    pub(super) fn ask(&self, key: &Key) -> Option<Box<dyn Passage>> {
        let state = self.lock();
        let gate = state.gate.clone()?;
        let (policy, reporter) = (state.cache.policy(), state.reporter.clone());
        drop(state);
        let now = self.time.stamp();
        let admitted = gate.admit(&Asked {
            cache: &self.name,
            kernel: None,
            label: &|| self.label(key),
            labels: &Vec::new,
            policy,
            caller: Some(Location::caller()),
            can_refuse: false,
            now_ns: self.time.ns_between(0, now),
            report: &|violation| {
                if let Some(reporter) = &reporter {
                    reporter.violated(violation, now);
                }
            },
        });
        admitted.ok().flatten()
    }

    /// Tells a gate's passage how the making ended.
    pub(super) fn tell(&self, passage: Option<Box<dyn Passage>>, ended: Ended, reporter: Option<&Reporter>) {
        let Some(passage) = passage else { return };
        passage.ended(&Finished {
            outcome: ended.outcome,
            loaded: false,
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
