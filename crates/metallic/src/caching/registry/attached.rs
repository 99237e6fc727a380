//! Access of a creation to its registry besides other kernels, for those parts of the library that the core does not know.
#![cfg_attr(not(feature = "store"), expect(dead_code, reason = "for what is built on creations"))]

use metallic_instrumentation::CacheName;

use super::CacheRegistry;
use super::shared::SharedRegistry;
use crate::caching::kernel::{Attachment, CacheableKernel, Creation};
use crate::caching::keyed_cache::Formatted;
use crate::caching::reporting::label;
use crate::caching::slot::SlotContext;

impl<D: 'static> CacheRegistry<D> {
    pub(crate) fn attach(&mut self, attachment: Option<Attachment>) {
        self.attachment.set(attachment);
    }

    pub(crate) fn attachment(&self) -> Option<Attachment> {
        self.attachment.get()
    }
}

impl<K: CacheableKernel<D>, D: 'static> Creation<'_, K, D> {
    /// The attachment of the registry that this creation is for, if it has one.
    pub(crate) fn attachment(&self) -> Option<Attachment> {
        match self.home()? {
            Home::Private(registry) => registry.attachment(),
            Home::Shared(registry) => registry.attachment(),
        }
    }

    /// The registry's sink and clock.
    pub(crate) fn context(&self) -> SlotContext {
        match self.home() {
            Some(Home::Private(registry)) => registry.context(),
            Some(Home::Shared(registry)) => registry.context(),
            None => SlotContext::default(),
        }
    }

    /// The name of the cache, and the key as events have it.
    pub(crate) fn label(&self) -> (CacheName, std::sync::Arc<str>) {
        let name = match self.home() {
            Some(Home::Private(registry)) => registry.cache::<K>().map(|cache| cache.name().clone()),
            _ => None,
        };
        let name = name.unwrap_or(CacheName::from_static(K::CACHE_NAME));
        let label = label(&name, &Formatted(self.key(), K::fmt_key));
        (name, label)
    }

    fn home(&self) -> Option<Home<'_, D>> {
        let registry = self.registry.as_deref()?;
        let private = registry.downcast_ref().map(Home::Private);
        private.or_else(|| registry.downcast_ref().map(Home::Shared))
    }
}

/// The registry that a creation is for.
enum Home<'a, D: 'static> {
    Private(&'a CacheRegistry<D>),
    Shared(&'a SharedRegistry<D>),
}
