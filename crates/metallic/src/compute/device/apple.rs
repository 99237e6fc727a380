//! A GPU through Apple's Metal.

use std::borrow::Cow;

use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSError;
use objc2_metal::{MTLCreateSystemDefaultDevice, MTLDevice};

use crate::error::MetalError;

// Metal finds its default device only in a process that has CoreGraphics (the discussion of MTLCreateSystemDefaultDevice).
#[link(name = "CoreGraphics", kind = "framework")]
unsafe extern "C" {}

/// The device of kernels and registries that name no other: a Metal device on Apple's systems, with the feature `apple`; elsewhere
/// a marker without memory or a driver.
pub type Device = Retained<ProtocolObject<dyn MTLDevice>>;

/// The device to use when nothing else is asked for: the GPU that [Metal prefers], which on a Mac with several is the one
/// of the main display.
///
/// # Errors
/// [`MetalError::DeviceNotAvailable`] where there is no GPU that Metal can use, as in some virtual machines.
///
/// [Metal prefers]: https://developer.apple.com/documentation/metal/mtlcreatesystemdefaultdevice()
pub fn system_default_device() -> Result<Device, MetalError> {
    MTLCreateSystemDefaultDevice().ok_or(MetalError::DeviceNotAvailable)
}

/// The content of an `NSError`: the `source` of a [`MetalError::Device`] that Metal reported. It holds no Objective-C object, so
/// it can go to any thread.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{domain} {code}: {description}")]
pub struct NsError {
    /// The domain that reported it, such as `MTLLibraryErrorDomain`.
    pub domain: String,
    /// The number of the error within its domain.
    pub code: isize,
    /// The localized description: for a failed compilation, the compiler's messages.
    pub description: String,
}

impl From<&NSError> for NsError {
    fn from(error: &NSError) -> Self {
        autoreleasepool(|_| Self {
            domain: error.domain().to_string(),
            code: error.code(),
            description: error.localizedDescription().to_string(),
        })
    }
}

impl MetalError {
    /// [`MetalError::Device`] with an [`NsError`] as its source: `operation` failed because of `error`.
    pub fn ns_error(operation: impl Into<Cow<'static, str>>, error: &NSError) -> Self {
        Self::device(operation, NsError::from(error))
    }
}
