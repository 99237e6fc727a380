//! A supervisor as the gate of registries.

use std::any::Any;
use std::sync::Arc;

use metallic_instrumentation::{CreationOutcome, CreationViolation, NearestKey, ViolationVerdict};

use super::Supervisor;
use crate::caching::{Asked, CreationGate, EvictionPolicy, Finished, KernelKey, Passage};
use crate::creation::contract::Contract;
use crate::creation::scope::Scope;
use crate::error::Error;

/// The recorder of creations.
pub(crate) trait Recorder: Any + Send + Sync {
    /// Takes down the key of a creation that is about to begin; `None` if it cannot be carried.
    fn take_down(&self, cache: &str, label: &Arc<str>, key: KernelKey<'_>) -> Option<Record>;
}

/// Is called with the nanoseconds that a creation took, and the bytes that its resource holds, if it went well.
pub(crate) type Record = Box<dyn FnOnce(u64, u64)>;

pub(super) struct Watch(pub(super) Supervisor);

/// The most labels of a cache that are compared with that of a violation.
const COMPARED: usize = 20_000;

impl CreationGate for Watch {
    fn admit(&self, asked: &Asked<'_>) -> Result<Option<Box<dyn Passage>>, Error> {
        let supervisor = &self.0;
        let label = (asked.label)();
        let record = supervisor.take_down(asked, &label);
        let scopes = supervisor.scopes_for(asked);
        // Each by its own budget: one that has some left does not speak for one that never had any.
        let judged = scopes.iter().map(|scope| (scope.judge(asked.now_ns), scope));
        let strictest = judged.max_by_key(|(contract, _)| *contract);
        let violation = strictest.map(|(contract, scope)| {
            let contract = match contract {
                Contract::Refuse if !asked.can_refuse => Contract::Warn,
                contract => contract,
            };
            // To look for it takes long, and what goes on is not to wait for that each time.
            let names_nearest = contract == Contract::Refuse || scopes.iter().any(|scope| scope.keeps_more());
            let nearest = if names_nearest { supervisor.nearest(asked, &label) } else { None };
            (contract, supervisor.violation(asked, &label, (&**scope, contract), nearest))
        });
        let violation = match violation {
            Some((Contract::Refuse, violation)) => {
                scopes.iter().for_each(|scope| scope.note(&violation));
                (asked.report)(violation.clone());
                return Err(Error::CreationRefused(Box::new(violation)));
            }
            other => other.map(|(_, violation)| Arc::new(violation)),
        };
        if let Some(violation) = &violation {
            scopes.iter().for_each(|scope| scope.begin(violation));
        }
        Ok(Some(Box::new(Watched { supervisor: supervisor.clone(), label, scopes, violation, record })))
    }
}

/// A creation that goes on.
struct Watched {
    supervisor: Supervisor,
    label: Arc<str>,
    scopes: Vec<Arc<Scope>>,
    violation: Option<Arc<CreationViolation>>,
    record: Option<Record>,
}

impl Passage for Watched {
    fn ended(mut self: Box<Self>, finished: &Finished<'_>) {
        if finished.outcome == CreationOutcome::Created {
            self.supervisor.state().known.note_creation(&self.label, finished.loaded);
            if let Some(record) = self.record.take() {
                record(finished.duration_ns, finished.bytes);
            }
        }
        if let Some(mut violation) = self.violation.as_deref().cloned() {
            violation.duration_ns = finished.duration_ns;
            violation.loaded = finished.loaded;
            self.scopes.iter().for_each(|scope| scope.note(&violation));
            (finished.report)(violation);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(violation) = &self.violation {
            self.scopes.iter().for_each(|scope| scope.forget(violation));
        }
    }
}

impl Supervisor {
    /// The armed scopes that this creation violates.
    fn scopes_for(&self, asked: &Asked<'_>) -> Vec<Arc<Scope>> {
        let armed = self.state().scopes.clone();
        armed.into_iter().filter(|scope| !scope.portable_only || self.is_portable(asked)).collect()
    }

    fn is_portable(&self, asked: &Asked<'_>) -> bool {
        asked.kernel.is_some_and(|key| self.state().known.portable.contains(&key.kernel))
    }

    fn take_down(&self, asked: &Asked<'_>, label: &Arc<str>) -> Option<Record> {
        let recorder = self.state().recorder.clone()?;
        recorder.take_down(asked.cache, label, asked.kernel?)
    }

    fn violation(
        &self,
        asked: &Asked<'_>,
        label: &Arc<str>,
        (scope, contract): (&Scope, Contract),
        nearest: Option<NearestKey>,
    ) -> CreationViolation {
        let verdict = self.state().known.verdict(label, asked.kernel.is_some());
        let evicted_by = Some(asked.policy.strategy().name())
            .filter(|_| verdict == ViolationVerdict::Evicted && evicts(&asked.policy));
        CreationViolation {
            cache: asked.cache.clone(),
            cache_key: label.clone(),
            scope: scope.name.clone(),
            mode: contract.into(),
            verdict,
            evicted_by: evicted_by.map(Into::into),
            nearest_key: nearest.as_ref().map(|nearest| nearest.key.as_str().into()),
            differing_fields: nearest.map_or_else(Vec::new, |nearest| {
                nearest.differences.into_iter().map(|difference| difference.field).collect()
            }),
            caller: asked.caller.map(|at| format!("{}:{}", at.file(), at.line()).into()),
            loaded: false,
            duration_ns: 0,
        }
    }

    /// The nearest of the keys that are in the cache; if there are none, of those in the manifest.
    fn nearest(&self, asked: &Asked<'_>, label: &Arc<str>) -> Option<NearestKey> {
        let present = (asked.labels)();
        let labels = if present.is_empty() { self.state().known.labels_of(asked.cache) } else { present };
        let others = labels.iter().filter(|other| *other != label).take(COMPARED);
        let key = label.get(asked.cache.len() + 1..).unwrap_or(label);
        NearestKey::among(others, asked.cache, key)
    }
}

/// Returns `true` if a policy ever evicts.
fn evicts(policy: &EvictionPolicy) -> bool {
    policy.max_entries().is_some() || policy.max_idle_duration().is_some()
}
