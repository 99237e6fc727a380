//! The host's half of the operations, a file each.

mod add;
mod attention;
mod gelu;
mod gemm;
mod kv_cache_write;
mod layer_norm;
mod softmax;

use std::fmt::Debug;

use metallic::caching::Composition;

/// The parts that a plan is made of: a plan of the host is plain values.
fn composition(plan: &impl Debug) -> Option<Composition> {
    Some(Composition::new().with("plan", format_args!("{plan:?}")))
}
