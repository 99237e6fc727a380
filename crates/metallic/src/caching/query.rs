//! Looking an entry up by what is at hand, without building its key.

use std::hash::Hash;

use equivalent::Equivalent;

/// A borrowed form of a key, from which the key is built on a miss only.
///
/// It must hash as its key does, and comparing it must not use the cache, which for a shared one is locked meanwhile. Every type
/// that borrows from its key in the sense of [`Borrow`](std::borrow::Borrow) is a query: a key itself, `str` for `String`, slices
/// for vectors. A query of several parts is a struct that derives `Hash` with the key's fields in the key's order:
///
/// ```
/// use metallic::caching::{CacheRegistry, Equivalent, Query};
///
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct PipelineKey {
///     source: String,
///     defines: Vec<String>,
/// }
///
/// #[derive(Hash)]
/// struct PipelineQuery<'a> {
///     source: &'a str,
///     defines: &'a [String],
/// }
///
/// impl Equivalent<PipelineKey> for PipelineQuery<'_> {
///     fn equivalent(&self, key: &PipelineKey) -> bool {
///         self.source == key.source && self.defines == key.defines
///     }
/// }
///
/// impl Query<PipelineKey> for PipelineQuery<'_> {
///     fn to_key(&self) -> PipelineKey {
///         PipelineKey { source: self.source.to_owned(), defines: self.defines.to_owned() }
///     }
/// }
///
/// let mut registry: CacheRegistry = CacheRegistry::new();
/// let pipelines = registry.keyed_cache::<PipelineKey, usize>("pipeline").unwrap();
/// for _ in 0..2 {
///     let query = PipelineQuery { source: "fn main() {}", defines: &[] };
///     assert_eq!(*pipelines.get_or_make(&query, || query.source.len()), 12);
/// }
/// assert_eq!(pipelines.counters().misses, 1);
/// ```
pub trait Query<Key>: Hash + Equivalent<Key> {
    /// Builds the key.
    fn to_key(&self) -> Key;
}

impl<Q> Query<Q::Owned> for Q
where
    Q: Hash + ToOwned + Equivalent<Q::Owned> + ?Sized,
{
    fn to_key(&self) -> Q::Owned {
        self.to_owned()
    }
}
