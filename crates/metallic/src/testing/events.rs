//! Questions to the events of a run.

use std::sync::Arc;

use metallic_instrumentation::{
    CreationOutcome, CreationViolation, Event, EventData, EventKind, EventSink, Recorder, ResourceCreated,
};

/// Keeps the events of the registries that its sink is given to.
#[derive(Clone, Debug, Default)]
pub struct Events(Arc<Recorder>);

impl Events {
    /// No events yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The sink, for a registry.
    pub fn sink(&self) -> Arc<dyn EventSink> {
        self.0.clone()
    }

    /// All events so far, in the order in which they came.
    pub fn all(&self) -> Vec<Event> {
        self.0.events()
    }

    /// The events of a kind.
    pub fn of(&self, kind: EventKind) -> Vec<Event> {
        self.all().into_iter().filter(|event| event.kind() == kind).collect()
    }

    /// All creations, failed ones included, in the order in which they ended.
    pub fn creations(&self) -> Vec<ResourceCreated> {
        let created = |event: Event| match event.data {
            EventData::ResourceCreated(created) => Some(created),
            _ => None,
        };
        self.all().into_iter().filter_map(created).collect()
    }

    /// The creations of a key, which is named as in events.
    pub fn creations_of(&self, cache_key: &str) -> Vec<ResourceCreated> {
        self.creations().into_iter().filter(|created| *created.cache_key == *cache_key).collect()
    }

    /// The violations of armed scopes.
    pub fn violations(&self) -> Vec<CreationViolation> {
        let violation = |event: Event| match event.data {
            EventData::CreationViolation(violation) => Some(violation),
            _ => None,
        };
        self.all().into_iter().filter_map(violation).collect()
    }

    /// # Panics
    /// Unless the key, which is named as in events, was created exactly once.
    #[track_caller]
    pub fn assert_created_once(&self, cache_key: &str) {
        let created = self.creations_of(cache_key);
        let count = created.iter().filter(|created| created.outcome == CreationOutcome::Created).count();
        assert!(count == 1, "`{cache_key}` was created {count} times, not once");
    }

    /// # Panics
    /// If something was created, or failed to be, after the first event of this kind; or if there is no such event.
    #[track_caller]
    pub fn assert_no_creation_after(&self, kind: EventKind) {
        let all = self.all();
        let Some(place) = all.iter().position(|event| event.kind() == kind) else {
            panic!("there is no event of the kind {}", kind.name());
        };
        let creation = all[place..].iter().find_map(|event| match &event.data {
            EventData::ResourceCreated(created) => Some(created),
            _ => None,
        });
        if let Some(created) = creation {
            panic!("`{}` was created after the first {}", created.cache_key, kind.name());
        }
    }

    /// # Panics
    /// Unless there are events of these kinds in this order; others may be between them.
    #[track_caller]
    pub fn assert_in_order(&self, kinds: &[EventKind]) {
        let mut rest = kinds.iter();
        let mut next = rest.next();
        for event in self.all() {
            if next == Some(&event.kind()) {
                next = rest.next();
            }
        }
        if let Some(missing) = next {
            panic!("there is no event of the kind {} in its place", missing.name());
        }
    }
}
