//! The checks of one operation.

use metallic::kernels::{Operation, Runs};

use super::inputs::Found;

/// An operation, and the checks that every device that runs it must pass. Each panics if it does not.
pub trait Checked: Operation + Sized {
    /// Compares results with the reference, over this number of random cases for each type of element that the device supports.
    fn compare<D: Runs<Self>>(device: &D, cases: usize);

    /// Checks that wrong parameters have no plan, and that wrong calls are
    /// [`InvalidParams`](metallic::error::MetalError::InvalidParams) and change nothing.
    fn refuse<D: Runs<Self>>(device: &D);

    /// Checks that parameters of one bucket share a plan, and that those of different buckets or with anything else different do
    /// not.
    fn share<D: Runs<Self>>(device: &D);

    /// Checks that each input, changed alone, changes the key or not the plan, as far as the device says what its plans are made
    /// of.
    fn change_inputs<D: Runs<Self>>(device: &D) -> Found;
}

/// Makes all checks of one operation, and returns what the inputs of its keys were found to change.
///
/// # Panics
/// If one finds something wrong.
pub fn check<O: Checked, D: Runs<O>>(device: &D, cases: usize) -> Found {
    O::compare(device, cases);
    O::refuse(device);
    O::share(device);
    O::change_inputs(device)
}
