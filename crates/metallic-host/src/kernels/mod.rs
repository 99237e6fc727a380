//! The host's half of the operations, a file each.

mod add;
mod attention;
mod gelu;
mod gemm;
mod kv_cache_write;
mod layer_norm;
mod softmax;
