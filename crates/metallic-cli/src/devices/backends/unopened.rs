//! Why a backend gives no device.

use metallic::error::MetalError;

use crate::error::Error;

/// Why a backend gives no device. Which of these there are depends on the backends that the program was built with.
#[derive(Debug)]
#[expect(
    dead_code,
    reason = "a program that lacks a backend has no other cause, and one with all backends lacks that one"
)]
pub(in crate::devices) enum Unopened {
    /// The program was built without it.
    NotBuilt,
    /// It has no device that suits, for this reason.
    Unsuitable(String),
    /// A device could not be opened.
    Failed(MetalError),
}

impl Unopened {
    /// The reason in words, for the backend of this name.
    pub(in crate::devices) fn reason(self, backend: &str) -> String {
        match self {
            Self::NotBuilt => format!("this program was built without {backend}"),
            Self::Unsuitable(reason) => reason,
            Self::Failed(error) => Error::from(error).to_string(),
        }
    }

    /// The error of a run that must have a device of this backend.
    pub(in crate::devices) fn into_error(self, backend: &str) -> Error {
        match self {
            Self::Failed(error) => error.into(),
            other => Error::NotFound(other.reason(backend)),
        }
    }
}
