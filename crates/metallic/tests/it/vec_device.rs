//! A device whose memory is a vector a tensor, and which fails when it is told to.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

/// Clones are handles of one device.
#[derive(Clone, Default)]
pub(crate) struct VecDevice(Rc<State>);

#[derive(Default)]
struct State {
    /// How many more calls of each kind go well; any number if nothing is said.
    allocations_left: Cell<Option<u64>>,
    copies_left: Cell<Option<u64>>,
    /// Bytes that every tensor takes beyond its elements.
    padding: Cell<u64>,
    live_bytes: Cell<u64>,
    most_live_bytes: Cell<u64>,
    copies: Cell<u64>,
}

pub(crate) struct VecTensor {
    elements: Vec<f32>,
    bytes: u64,
    device: Rc<State>,
}

impl VecDevice {
    /// The allocation after so many more fails, and all after it.
    pub(crate) fn fail_after_allocations(&self, count: impl Into<Option<u64>>) {
        self.0.allocations_left.set(count.into());
    }

    /// The copy after so many more fails, and all after it.
    pub(crate) fn fail_after_copies(&self, count: impl Into<Option<u64>>) {
        self.0.copies_left.set(count.into());
    }

    pub(crate) fn set_padding(&self, bytes: u64) {
        self.0.padding.set(bytes);
    }

    /// The bytes that all tensors of this device hold now.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.0.live_bytes.get()
    }

    /// The most they held at once.
    pub(crate) fn most_live_bytes(&self) -> u64 {
        self.0.most_live_bytes.get()
    }

    pub(crate) fn copies(&self) -> u64 {
        self.0.copies.get()
    }
}

/// Takes one from what is left.
fn spend(left: &Cell<Option<u64>>, operation: &'static str) -> Result<(), MetalError> {
    match left.get() {
        Some(0) => Err(MetalError::device(operation, "out of memory")),
        count => {
            left.set(count.map(|count| count - 1));
            Ok(())
        }
    }
}

impl ComputeDevice for VecDevice {
    type Tensor = VecTensor;

    fn identity(&self) -> Option<u64> {
        Some(Rc::as_ptr(&self.0) as u64)
    }

    fn supports(&self, dtype: Dtype) -> bool {
        dtype == Dtype::F32
    }

    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<VecTensor, MetalError> {
        if !self.supports(dtype) {
            return Err(MetalError::invalid_params("the device has f32 alone"));
        }
        spend(&self.0.allocations_left, "allocation")?;
        let bytes = elements as u64 * 4 + self.0.padding.get();
        let live = self.0.live_bytes.get() + bytes;
        self.0.live_bytes.set(live);
        self.0.most_live_bytes.set(live.max(self.0.most_live_bytes.get()));
        Ok(VecTensor { elements: vec![0.0; elements], bytes, device: self.0.clone() })
    }

    fn write(&self, tensor: &mut VecTensor, offset: usize, values: &[f32]) -> Result<(), MetalError> {
        tensor.elements[offset..offset + values.len()].copy_from_slice(values);
        Ok(())
    }

    fn read(&self, tensor: &VecTensor, range: Range<usize>) -> Result<Vec<f32>, MetalError> {
        Ok(tensor.elements[range].to_vec())
    }

    fn copy(
        &self,
        from: &VecTensor,
        from_offset: usize,
        to: &mut VecTensor,
        to_offset: usize,
        elements: usize,
    ) -> Result<(), MetalError> {
        spend(&self.0.copies_left, "copy")?;
        self.0.copies.set(self.0.copies.get() + 1);
        let values = self.read(from, from_offset..from_offset + elements)?;
        self.write(to, to_offset, &values)
    }

    fn synchronize(&self) -> Result<(), MetalError> {
        Ok(())
    }
}

impl Tensor for VecTensor {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn elements(&self) -> usize {
        self.elements.len()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for VecTensor {
    fn drop(&mut self) {
        self.device.live_bytes.set(self.device.live_bytes.get() - self.bytes);
    }
}
