//! The tensors of one layer of a KV cache.

/// Keys and values of one layer, to read: each `[batch, capacity, width]`, dense, of which the first
/// [`len`](super::KvCacheState::len) positions of each sequence mean something.
#[derive(Clone, Copy, Debug)]
pub struct KvLayer<'a, T> {
    /// The keys.
    pub keys: &'a T,
    /// The values.
    pub values: &'a T,
    /// Positions that each sequence has room for.
    pub capacity: usize,
}

/// Keys and values of one layer, to write: as [`KvLayer`].
#[derive(Debug)]
pub struct KvLayerMut<'a, T> {
    /// The keys.
    pub keys: &'a mut T,
    /// The values.
    pub values: &'a mut T,
    /// Positions that each sequence has room for.
    pub capacity: usize,
}
