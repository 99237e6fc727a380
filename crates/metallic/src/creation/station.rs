//! The way of one artifact between a creation and a store.

use std::time::Duration;

use metallic_store::{
    Artifact, ArtifactKey, ArtifactStore, Content, LookUp, Obtain, SaveError, StoreGuard, Vacancy,
};

use super::reports::Reports;

/// State of an artifact until its creation is over.
#[derive(Default)]
pub(super) struct Station {
    /// The place for the artifact; others wait until it is dropped.
    vacancy: Option<Vacancy>,
    /// The store is not asked again.
    is_answered: bool,
}

impl Station {
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }

    pub(super) fn answer(&mut self) {
        self.is_answered = true;
    }

    /// Returns `true` if the place for the artifact is claimed.
    pub(super) fn has_claim(&self) -> bool {
        self.vacancy.is_some()
    }

    pub(super) fn vacate(&mut self) {
        self.vacancy = None;
    }

    /// Asks the store, and claims the place if it does not have the artifact. `None` for a key is one that has no portable form.
    pub(super) fn look_up(
        &mut self,
        store: &StoreGuard,
        key: Option<&ArtifactKey>,
        content: impl FnOnce() -> Option<Content>,
        wait: Duration,
        reports: &Reports,
    ) -> Option<Artifact> {
        let Some(key) = key else {
            reports.missed(NO_KEY);
            return None;
        };
        let began = reports.now();
        let obtain = Obtain::new(store, key).with_content(content).with_wait(wait);
        match obtain.look_up() {
            LookUp::Found(found) => {
                reports.found(store.journal().store(), &found.artifact, began);
                Some(found.artifact)
            }
            LookUp::Vacant(vacancy) => {
                let cause = vacancy.cause();
                if cause.is_refusal() {
                    reports.rejected(store.journal().store(), cause.name());
                }
                reports.missed(cause.name());
                self.vacancy = Some(vacancy);
                None
            }
        }
    }

    /// Stores the artifact in the place that was claimed, or else in that of `vacant`.
    pub(super) fn fill(
        &mut self,
        store: &StoreGuard,
        vacant: impl FnOnce() -> Option<(ArtifactKey, Option<Content>)>,
        artifact: Artifact,
        reports: &Reports,
    ) -> Artifact {
        let unclaimed = || vacant().map(|(key, content)| Vacancy::unclaimed(key, content.as_ref()));
        let Some(vacancy) = self.vacancy.take().or_else(unclaimed) else { return artifact };
        let artifact =
            if artifact.label().is_empty() { artifact.with_label(reports.cache_key()) } else { artifact };
        let began = reports.now();
        let (artifact, saved) = vacancy.fill(store, artifact);
        match saved {
            Ok(()) => reports.written(&artifact, began),
            // A store that is only read is meant to be.
            Err(SaveError::ReadOnly) => {}
            Err(cause) => reports.not_written(store.journal().store(), &cause),
        }
        artifact
    }
}

/// Removes what a driver refuses.
pub(super) fn reject(store: &StoreGuard, key: &ArtifactKey, cause: &str, reports: &Reports) {
    store.reject(key, cause);
    reports.rejected(store.journal().store(), DRIVER);
}

/// The cause of a miss whose key has no portable form.
const NO_KEY: &str = "no_key";
/// The cause of a rejection that the store did not know of.
const DRIVER: &str = "driver";
