//! Errors of the device, and how they become errors of a call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use metallic::error::MetalError;
use pollster::FutureExt;

/// The device is lost: its driver reset it, it was unplugged, or [`WgpuDevice::destroy`](crate::WgpuDevice::destroy) was
/// called. The `source` of the [`MetalError::Device`] that every later call returns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the device is lost: {message}")]
pub struct DeviceLost {
    /// The reason, in the words of the driver.
    pub message: String,
}

/// Errors reported outside all calls, kept for the next call to return.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// `true` if an error is kept: a healthy device pays for one load.
    any: AtomicBool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lost: Option<DeviceLost>,
    first: Option<wgpu::Error>,
}

impl Faults {
    /// Records that the device is lost for good. The first message stays.
    pub(crate) fn lose(&self, message: String) {
        self.lock().lost.get_or_insert(DeviceLost { message });
        self.any.store(true, Ordering::Release);
    }

    /// Keeps an error reported outside all scopes. The first one stays, as later ones tend to follow from it.
    pub(crate) fn keep(&self, error: wgpu::Error) {
        self.lock().first.get_or_insert(error);
        self.any.store(true, Ordering::Release);
    }

    /// Returns a kept error as the failure of `operation`: a loss every time, any other error once.
    pub(crate) fn check(&self, operation: &'static str) -> Result<(), MetalError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut kept = self.lock();
        if let Some(lost) = &kept.lost {
            return Err(MetalError::device(operation, lost.clone()));
        }
        self.any.store(false, Ordering::Release);
        kept.first.take().map_or(Ok(()), |error| Err(MetalError::device(operation, error)))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Each field is whole after every assignment.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `create`, and turns the first error that wgpu reports meanwhile on this thread into the failure of `operation`.
pub(crate) fn captured<T>(
    device: &wgpu::Device,
    operation: &'static str,
    create: impl FnOnce() -> T,
) -> Result<T, MetalError> {
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let made = create();
    // Scopes are popped in reverse order; on native backends the futures are ready at once.
    let memory = memory.pop().block_on();
    let validation = validation.pop().block_on();
    let internal = internal.pop().block_on();
    match memory.or(validation).or(internal) {
        Some(error) => Err(MetalError::device(operation, error)),
        None => Ok(made),
    }
}
