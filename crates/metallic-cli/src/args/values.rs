//! Values that completion scripts propose and that are not all there are, and values with words of their own for what is wrong.

use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::sync::OnceLock;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command};
use metallic::caching::EvictionStrategy;

use crate::{commands, devices};

/// Takes any text, and proposes some.
#[derive(Clone)]
pub(super) struct Proposes(fn() -> &'static [String]);

impl Proposes {
    /// The devices that need no name or number.
    pub(super) fn devices() -> Self {
        static DEVICES: OnceLock<Vec<String>> = OnceLock::new();
        Self(|| DEVICES.get_or_init(|| devices::Wanted::WORDS.map(str::to_owned).into()))
    }

    /// Each strategy for each cache.
    pub(super) fn policies() -> Self {
        static POLICIES: OnceLock<Vec<String>> = OnceLock::new();
        let all = || {
            let caches = commands::run::names().chain(devices::CACHES.iter().copied());
            let of = |cache| EvictionStrategy::ALL.map(|strategy| format!("{cache}={strategy}"));
            caches.flat_map(of).collect()
        };
        let _ = POLICIES.get_or_init(all);
        Self(|| POLICIES.get().map_or(&[], Vec::as_slice))
    }
}

impl TypedValueParser for Proposes {
    type Value = String;

    fn parse_ref(&self, cmd: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(cmd, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().iter().map(|value| PossibleValue::new(value.as_str()))))
    }
}

/// A capacity.
pub(super) fn entries(text: &str) -> Result<u32, String> {
    match text.trim().parse() {
        Ok(entries) if entries > 0 => Ok(entries),
        _ => Err(format!("a capacity is a number of entries from 1 to {}", u32::MAX)),
    }
}

/// A number of things of which there must be some.
pub(super) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("it is not a whole number from 1 to {}", usize::MAX))
}
