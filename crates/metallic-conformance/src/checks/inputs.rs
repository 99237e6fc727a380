//! Which inputs of an operation its key and its plans depend on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use metallic::caching::{CacheableKernel, Composition};
use metallic::kernels::{Operation, Runs};

/// Changes one input after the other, and compares what keys and plans become of it. The first parameters are those that the
/// others differ from, in one input each.
///
/// A plan that differs where its key does not is a key that lacks an input: the cache would hand out the wrong plan. So is a plan
/// that comes out different when it is created again. What a device does not say ([`Runs::plan_composition`]) is not compared;
/// what it does not support is passed over. Returns what was found of each input.
///
/// # Panics
/// If a key lacks an input, or if a field of the parameters is the same in all of them: its change would not be checked.
pub(crate) fn check_inputs<O: Operation<Params: Debug>, D: Runs<O>>(
    device: &D,
    all: impl IntoIterator<Item = O::Params>,
) -> Found {
    let all: Vec<_> = all.into_iter().collect();
    let mut values = BTreeMap::<String, BTreeSet<String>>::new();
    for (name, value) in all.iter().flat_map(fields) {
        values.entry(name).or_default().insert(value);
    }
    let unchanged: Vec<_> = values.iter().filter(|(_, values)| values.len() < 2).collect();
    assert!(unchanged.is_empty(), "{}: inputs that this check does not change: {unchanged:?}", O::NAME);
    compare_inputs::<O, D>(device, all)
}

/// As [`check_inputs`], for more values of some inputs.
pub(crate) fn compare_inputs<O: Operation<Params: Debug>, D: Runs<O>>(
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
        let changes = again.changes_from(&made_of);
        assert!(
            changes.is_empty(),
            "{}: {params:?}: the same key, and another plan when it is created again: {}",
            O::NAME,
            changes.join(", ")
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
            (false, true) => found.key_alone.push(format!("{}: {params:?}", O::NAME)),
            (false, false) => found.key_and_plan += 1,
        }
    }
    found
}

/// The fields of a struct whose `Debug` is derived, by name.
fn fields(params: &impl Debug) -> Vec<(String, String)> {
    let mut fields = Vec::<(String, String)>::new();
    for line in format!("{params:#?}").lines().filter_map(|line| line.strip_prefix("    ")) {
        match (line.split_once(": "), fields.last_mut()) {
            (Some((name, value)), _) if !line.starts_with(' ') => fields.push((name.into(), value.into())),
            (_, Some((_, value))) => value.push_str(line),
            (_, None) => {}
        }
    }
    fields
}

/// The effects of changed inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The number of inputs that change the key and the plan.
    pub key_and_plan: usize,
    /// The changed parameters of which the key alone is another: on this device it is more specific than its plans, which costs
    /// room and creations, and is never wrong.
    pub key_alone: Vec<String>,
    /// The number of inputs that change neither: parameters of one bucket.
    pub neither: usize,
}

impl Found {
    /// Both together.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.key_and_plan += other.key_and_plan;
        self.key_alone.extend(other.key_alone);
        self.neither += other.neither;
        self
    }
}
