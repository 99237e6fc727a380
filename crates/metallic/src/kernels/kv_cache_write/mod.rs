//! Writing new keys and values behind those of earlier positions.

mod operation;

pub use operation::{KvCacheWriteCall, KvCacheWriteKernel, KvCacheWriteKey, KvCacheWriteParams};
