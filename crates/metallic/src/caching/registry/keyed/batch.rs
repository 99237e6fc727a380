//! Look-ups of one thread that do not wait, and the answers that hold for a batch of work.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::panic::Location;
use std::sync::Arc;

use super::{Home, LocalSharedCache, SharedCache};
use crate::caching::drops::Foreign;
use crate::caching::entries::hash_of;
use crate::caching::gate::Caller;
use crate::caching::query::Query;
use crate::caching::registry::answer::Answer;
use crate::caching::registry::answers::{Answers, answer};
use crate::caching::shared::{Node, SharedCore};
use crate::error::Error;

impl<Key, R> LocalSharedCache<Key, R>
where
    Key: Clone + Eq + Hash + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    /// [`SharedCache::get_or_fallback_with`](super::SharedCache::get_or_fallback_with), whose hits on what this view has used
    /// before take no lock.
    #[track_caller]
    pub fn get_or_fallback_with<Q>(
        &mut self,
        query: &Q,
        fallback: impl FnOnce() -> R,
        make: impl FnOnce() -> Result<R, Error> + Send + 'static,
    ) -> Answer<R>
    where
        Q: Query<Key> + ?Sized,
    {
        let (fallback, make) = (Foreign::new(fallback), Foreign::new(make));
        let (hash, caller) = (hash_of(query), Location::caller());
        let Self { local, home } = self;
        let bridge = bridge(home, hash, query, make.into_inner(), caller);
        let Ok(answer) = answer(local, hash, query, fallback.into_inner(), bridge);
        answer
    }

    /// Begins a batch of work: until it is dropped, each key has the answer that it had first. Resources that become ready, or are
    /// rebuilt, removed or lost with their device meanwhile, are seen by the next batch.
    pub fn batch(&mut self) -> CacheBatch<'_, Key, R> {
        CacheBatch { local: self, answers: Answers::default() }
    }
}

/// Look-ups in one cache for one batch of work, such as a frame or a command buffer, whose answers do not change: see
/// [`LocalSharedCache::batch`]. What [`Batch`](super::super::Batch) is for kernels.
///
/// ```
/// use metallic::caching::SharedRegistry;
///
/// let registry: SharedRegistry = SharedRegistry::new();
/// let shaders = registry.cache::<String, String>("shader")?;
/// let mut local = shaders.local();
/// let (fallback, make) = (|| "for any width".to_owned(), || Ok("compiled".to_owned()));
/// let mut batch = local.batch();
/// let first = batch.get_or_fallback_with("a", fallback, make).clone();
/// shaders.prefetch_with("a".to_owned(), make).wait()?;
/// assert_eq!(*batch.get_or_fallback_with("a", fallback, make), first);
///
/// assert_eq!(local.batch().get_or_fallback_with("a", fallback, make).get(), "compiled");
/// # Ok::<(), metallic::error::Error>(())
/// ```
pub struct CacheBatch<'a, Key: Clone + Eq + Hash, R> {
    local: &'a mut LocalSharedCache<Key, R>,
    answers: Answers<Key, R>,
}

impl<Key, R> CacheBatch<'_, Key, R>
where
    Key: Clone + Eq + Hash + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    /// The answer for this key in this batch: at the first call that of [`LocalSharedCache::get_or_fallback_with`], and then the
    /// same.
    #[track_caller]
    pub fn get_or_fallback_with<Q>(
        &mut self,
        query: &Q,
        fallback: impl FnOnce() -> R,
        make: impl FnOnce() -> Result<R, Error> + Send + 'static,
    ) -> &Answer<R>
    where
        Q: Query<Key> + ?Sized,
    {
        let (fallback, make) = (Foreign::new(fallback), Foreign::new(make));
        let (hash, caller) = (hash_of(query), Location::caller());
        let LocalSharedCache { local, home } = &mut *self.local;
        let bridge = bridge(home, hash, query, make.into_inner(), caller);
        let Ok(answer) = self.answers.ask(local, hash, query, fallback.into_inner(), bridge);
        answer
    }

    /// The view, for look-ups that wait. They return what is there now.
    pub fn local(&mut self) -> &mut LocalSharedCache<Key, R> {
        self.local
    }
}

/// The resource, if it is there by now.
type Bridged<R> = Result<Option<Arc<Node<R>>>, Infallible>;

/// Has the resource made in the background, in the cache that this is called with.
fn bridge<Key, R, Q>(
    home: &Home,
    hash: u64,
    query: &Q,
    make: impl FnOnce() -> Result<R, Error> + Send + 'static,
    caller: Caller,
) -> impl FnOnce(&Arc<SharedCore<Key, R>>) -> Bridged<R>
where
    Key: Clone + Eq + Hash + Send + Sync + 'static,
    R: Send + Sync + 'static,
    Q: Query<Key> + ?Sized,
{
    move |core| {
        let cache = SharedCache { core: core.clone(), home: home.clone() };
        Ok(cache.bridge(hash, query, make, caller))
    }
}

impl<Key: Clone + Eq + Hash, R> fmt::Debug for CacheBatch<'_, Key, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBatch").field("local", &self.local).finish_non_exhaustive()
    }
}
