//! Which calls share a plan.

use std::fmt::Debug;

use metallic::caching::CacheRegistry;
use metallic::kernels::{Operation, Runs};

/// Asks a registry for plans for all of these, and compares how many it makes.
pub(crate) fn check_plans<O: Operation<Params: Debug>, D: Runs<O>>(
    device: &D,
    all: impl IntoIterator<Item = O::Params> + Debug,
    wanted: u64,
) {
    let mut registry = CacheRegistry::<D>::default();
    let text = format!("{}: {all:?}", O::NAME);
    for params in all {
        let plan = registry.get_or_create::<O>(&params, Some(device));
        plan.unwrap_or_else(|error| panic!("{}: {params:?}: {error}", O::NAME));
    }
    let metrics = registry.metrics::<O>().unwrap_or_else(|| panic!("{text}: a cache in use has metrics"));
    assert_eq!(metrics.misses, wanted, "plans made for {text}");
}
