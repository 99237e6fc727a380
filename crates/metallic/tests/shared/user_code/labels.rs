//! Keys that look keys up when they are formatted for a label.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;

use metallic::caching::{SharedCache, SharedRegistry};
use metallic_instrumentation::Recorder;

use super::ends;

thread_local! {
    static IS_FORMATTING: Cell<bool> = const { Cell::new(false) };
}

/// The look-up that the formatting of a key of a base makes, and where it waits for another thread to have come as far.
type Look = (SharedCache<Based, u32>, u32, Barrier);

/// A key whose text is made of another key's resource.
#[derive(Clone)]
struct Based(u32, Arc<OnceLock<Look>>);

impl PartialEq for Based {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Based {}

impl std::hash::Hash for Based {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Based {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((cache, step, barrier)) = self.1.get().filter(|_| !IS_FORMATTING.replace(true)) else {
            return write!(f, "{}", self.0);
        };
        barrier.wait();
        let base = cache.get(&Self((self.0 + step) % 2, self.1.clone()));
        IS_FORMATTING.set(false);
        write!(f, "{} on {base:?}", self.0)
    }
}

#[test]
fn keys_may_look_themselves_and_each_other_up_when_they_are_formatted() {
    for step in [0, 1] {
        ends(move || {
            let registry: SharedRegistry = SharedRegistry::new();
            let cache = registry.cache::<Based, u32>("based").unwrap();
            let look = Arc::new(OnceLock::new());
            (0..2).for_each(|key| _ = cache.get_or_make(&Based(key, look.clone()), || key).unwrap());
            // After the resources, so that their labels are not known yet.
            registry.set_sink(Some(Arc::new(Recorder::default())));
            let _ = look.set((cache.clone(), step, Barrier::new(2)));
            thread::scope(|scope| {
                for key in 0..2 {
                    let (cache, look) = (&cache, &look);
                    scope.spawn(move || assert_eq!(cache.get(&Based(key, look.clone())), Some(key)));
                }
            });
        });
    }
}
