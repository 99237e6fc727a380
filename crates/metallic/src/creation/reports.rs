//! The events of a creation that uses a store.

use std::sync::Arc;

use metallic_instrumentation::{
    ArtifactFound, ArtifactMissed, ArtifactNotWritten, ArtifactRejected, ArtifactWritten, CacheName,
    EventKind,
};
use metallic_store::{Artifact, SaveError};

use crate::caching::{CacheableKernel, Creation, KeyedCreation, Moment, SlotContext};

/// Reports what a store did for one key.
pub(super) struct Reports {
    context: SlotContext,
    cache: CacheName,
    cache_key: Arc<str>,
}

impl Reports {
    pub(super) fn of<K: CacheableKernel<D>, D: 'static>(cx: &Creation<'_, K, D>) -> Self {
        let (cache, cache_key) = cx.label();
        Self { context: cx.context(), cache, cache_key }
    }

    /// Those of a creation by a closure.
    pub(super) fn of_keyed(creation: &KeyedCreation<'_>) -> Self {
        let (cache, cache_key) = creation.label();
        Self { context: creation.context(), cache, cache_key }
    }

    /// The key as events have it.
    pub(super) fn cache_key(&self) -> &str {
        &self.cache_key
    }

    pub(super) fn now(&self) -> Moment {
        self.context.now()
    }

    pub(super) fn found(&self, level: &str, artifact: &Artifact, since: Moment) {
        let duration_ns = self.context.ns_since(since);
        self.context.report(EventKind::ArtifactFound, self.now(), || ArtifactFound {
            cache: self.cache.clone(),
            cache_key: self.cache_key.clone(),
            level: level.to_owned().into(),
            bytes: artifact.bytes(),
            duration_ns,
        });
    }

    pub(super) fn missed(&self, cause: &'static str) {
        self.context.report(EventKind::ArtifactMissed, self.now(), || ArtifactMissed {
            cache: self.cache.clone(),
            cache_key: self.cache_key.clone(),
            cause: cause.into(),
        });
    }

    pub(super) fn rejected(&self, level: &str, cause: &str) {
        self.context.report(EventKind::ArtifactRejected, self.now(), || ArtifactRejected {
            cache: self.cache.clone(),
            cache_key: self.cache_key.clone(),
            level: level.to_owned().into(),
            cause: cause.to_owned().into(),
        });
    }

    pub(super) fn written(&self, artifact: &Artifact, since: Moment) {
        let duration_ns = self.context.ns_since(since);
        self.context.report(EventKind::ArtifactWritten, self.now(), || ArtifactWritten {
            cache: self.cache.clone(),
            cache_key: self.cache_key.clone(),
            bytes: artifact.bytes(),
            duration_ns,
        });
    }

    pub(super) fn not_written(&self, level: &str, cause: &SaveError) {
        self.context.report(EventKind::ArtifactNotWritten, self.now(), || ArtifactNotWritten {
            cache: Some(self.cache.clone()),
            cache_key: Some(self.cache_key.clone()),
            level: level.to_owned().into(),
            cause: cause.name().into(),
        });
    }
}
