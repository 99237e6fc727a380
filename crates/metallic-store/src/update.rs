use std::time::Duration;

use crate::{Artifact, ArtifactKey, ArtifactStore, Lease, LeaseGuard, SaveError, StoreAction};

/// Replaces an artifact by what `merge` makes of the stored one, under the lease, so that no process's part is lost.
///
/// For artifacts that grow, such as a driver's cache of all pipelines, which each process adds to. `merge` is given the
/// artifact as it is then, if there is one, and returns none if there is nothing to save. If the lease does not come within
/// `wait`, this goes on without it: what another process adds at the same moment may then be lost, and is made again.
///
/// # Errors
///
/// Why the merged artifact was not saved; callers go on without.
///
/// ```
/// use std::time::Duration;
///
/// use metallic_store::{Artifact, ArtifactKey, ArtifactStore, Fingerprint, MemoryStore, update};
///
/// let store = MemoryStore::new();
/// let key = ArtifactKey::new("pipelines", 1, [], Fingerprint::new().with_layer("device", "H100"))?;
/// for pipeline in [b"first ", b"second"] {
///     update(&store, &key, Duration::from_secs(1), |present| {
///         let present = present.as_ref().and_then(|artifact| artifact.payload("native")).unwrap_or_default();
///         Some(Artifact::native([present, pipeline].concat()))
///     })?;
/// }
/// assert_eq!(store.load(&key)?.payload("native"), Some(&b"first second"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn update(
    store: &dyn ArtifactStore,
    key: &ArtifactKey,
    wait: Duration,
    merge: impl FnOnce(Option<Artifact>) -> Option<Artifact>,
) -> Result<(), SaveError> {
    let id = key.id();
    let lease = store.lease(&id, wait);
    let _held_until_saved: Option<LeaseGuard> = match lease {
        Lease::Held(guard) => Some(guard),
        Lease::TimedOut | Lease::Unsupported => {
            let unsupported = matches!(lease, Lease::Unsupported);
            store.journal().record(StoreAction::Unleased { id, unsupported });
            None
        }
    };
    match merge(store.load(key).ok()) {
        Some(merged) => store.save(key, &merged),
        None => Ok(()),
    }
}
