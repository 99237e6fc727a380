//! Which inputs of an operation its key and its plans depend on.

use std::fmt::Debug;

use metallic::caching::{CacheableKernel, Composition};
use metallic::kernels::{Operation, Runs};

/// Changes one input after the other, and compares what keys and plans become of it. The first parameters are those that the others
/// differ from, in one input each.
///
/// A plan that differs where its key does not is a key that lacks an input: the cache would hand out the wrong plan. So is a plan that
/// comes out different when it is created again. What a device does not say ([`Runs::plan_composition`]) is not compared; what it does
/// not support is passed over. Returns what was found of each input.
///
/// # Panics
/// If a key lacks an input.
pub(crate) fn check_inputs<O: Operation<Params: Debug>, D: Runs<O>>(
    device: &D,
    all: impl IntoIterator<Item = O::Params>,
) -> Found {
    let mut found = Found::default();
    let mut right: Option<(O::Key, Composition)> = None;
    for params in all {
        let key = O::key(&params);
        let Ok(plan) = O::create_cached_resource(&key, Some(device)) else { continue };
        let Some(made_of) = D::plan_composition(plan.plan()) else { continue };
        let again = O::create_cached_resource(&key, Some(device)).ok();
        let again = again.and_then(|plan| D::plan_composition(plan.plan())).unwrap_or_default();
        assert_eq!(
            again.changes_from(&made_of),
            [""; 0],
            "{}: {params:?}: the same key, and another plan when it is created again",
            O::NAME
        );
        let Some((right_key, right_plan)) = &right else {
            right = Some((key, made_of));
            continue;
        };
        let changes = made_of.changes_from(right_plan);
        match (key == *right_key, changes.is_empty()) {
            (true, false) => {
                panic!("{}: {params:?}: the same key, and another plan: {}", O::NAME, changes.join(", "))
            }
            (true, true) => found.neither += 1,
            (false, true) => found.key_alone += 1,
            (false, false) => found.key_and_plan += 1,
        }
    }
    found
}

/// The effects of changed inputs, in numbers of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The key and the plan.
    pub key_and_plan: usize,
    /// The key alone: on this device it is more specific than its plans.
    pub key_alone: usize,
    /// Neither: parameters of one bucket.
    pub neither: usize,
}
