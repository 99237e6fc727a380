//! In the place of a backend that the program was built without: it lists nothing and opens nothing.

use std::fmt;

use serde::Serialize;

use super::Unopened;
use crate::devices::{Task, WantedAdapter};

/// No cache.
pub(crate) const CACHES: &[&str] = &[];

/// There are no devices.
#[derive(Debug)]
pub enum Device {}

impl Device {
    /// Is never called.
    pub(crate) fn perform<T: Task>(self, _task: T) -> T::Output {
        match self {}
    }
}

/// There are no adapters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Adapter {}

impl Adapter {
    pub(crate) fn details(&self) -> [String; 2] {
        match *self {}
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// Lists nothing.
pub(crate) fn adapters() -> Vec<Adapter> {
    Vec::new()
}

/// Refuses.
pub(in crate::devices) fn open(_wanted: &WantedAdapter) -> Result<(Device, String), Unopened> {
    Err(Unopened::NotBuilt)
}

/// Refuses.
pub(in crate::devices) fn open_gpu(_largest: u64) -> Result<(Device, String), Unopened> {
    Err(Unopened::NotBuilt)
}
