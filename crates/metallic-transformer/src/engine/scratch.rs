//! Tensors for intermediate results.

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;

use crate::model::Shape;

/// Tensors for the intermediate results of some rows. They are made for a bucket of rows and used until more rows come.
pub(super) struct Scratch<T> {
    rows: usize,
    /// `[rows, width]`: what layers add to.
    pub(super) state: T,
    /// `[rows, width]`: the state after a norm, or what is to become one.
    pub(super) normed: T,
    /// `[rows, 3 width]`: queries, keys and values.
    pub(super) heads: T,
    /// `[rows, width]`: what attention found.
    pub(super) attended: T,
    /// `[rows, inner]`.
    pub(super) inner: T,
    /// `[rows, inner]`.
    pub(super) activated: T,
}

impl<T> Scratch<T> {
    /// Makes sure that there is room for `rows` rows.
    pub(super) fn reserve<'a, D: ComputeDevice<Tensor = T>>(
        scratch: &'a mut Option<Self>,
        device: &D,
        shape: &Shape,
        rows: usize,
        dtype: Dtype,
    ) -> Result<&'a mut Self, MetalError> {
        if scratch.as_ref().is_some_and(|scratch| scratch.rows < rows) {
            // Gone before their successors come: a device's memory may not hold both.
            *scratch = None;
        }
        match scratch {
            Some(scratch) => Ok(scratch),
            none => Ok(none.insert(Self::new(device, shape, rows.next_power_of_two(), dtype)?)),
        }
    }

    fn new<D: ComputeDevice<Tensor = T>>(
        device: &D,
        shape: &Shape,
        rows: usize,
        dtype: Dtype,
    ) -> Result<Self, MetalError> {
        let zeros = |width: usize| device.zeros(rows * width, dtype);
        Ok(Self {
            rows,
            state: zeros(shape.width)?,
            normed: zeros(shape.width)?,
            heads: zeros(3 * shape.width)?,
            attended: zeros(shape.width)?,
            inner: zeros(shape.inner)?,
            activated: zeros(shape.inner)?,
        })
    }
}
