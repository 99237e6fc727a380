//! Writing new keys and values behind those of earlier positions.

mod cache;

pub use cache::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteKey, KvCacheWriteParams};
