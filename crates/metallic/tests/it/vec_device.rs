//! A device whose memory is a vector a tensor, and which fails when it is told to.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use metallic::Dtype;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

/// Clones are handles of one device.
#[derive(Clone, Default)]
pub(crate) struct VecDevice(Arc<State>);

struct State {
    /// How many more calls of each kind go well.
    allocations_left: AtomicU64,
    copies_left: AtomicU64,
    /// Bytes that every tensor takes beyond its elements.
    padding: AtomicU64,
    live_bytes: AtomicU64,
    most_live_bytes: AtomicU64,
    copies: AtomicU64,
}

pub(crate) struct VecTensor {
    elements: Vec<f32>,
    bytes: u64,
    device: Arc<State>,
}

impl VecDevice {
    /// The allocation after so many more fails, and all after it.
    pub(crate) fn fail_after_allocations(&self, count: impl Into<Option<u64>>) {
        self.0.allocations_left.store(count.into().unwrap_or(u64::MAX), Relaxed);
    }

    /// The copy after so many more fails, and all after it.
    pub(crate) fn fail_after_copies(&self, count: impl Into<Option<u64>>) {
        self.0.copies_left.store(count.into().unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn set_padding(&self, bytes: u64) {
        self.0.padding.store(bytes, Relaxed);
    }

    /// The bytes that all tensors of this device hold now.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.0.live_bytes.load(Relaxed)
    }

    /// The most they held at once.
    pub(crate) fn most_live_bytes(&self) -> u64 {
        self.0.most_live_bytes.load(Relaxed)
    }

    pub(crate) fn copies(&self) -> u64 {
        self.0.copies.load(Relaxed)
    }
}

/// Takes one from what is left.
fn spend(left: &AtomicU64, operation: &'static str) -> Result<(), MetalError> {
    let spent = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
    spent.map(drop).map_err(|_| MetalError::device(operation, "out of memory"))
}

impl Default for State {
    fn default() -> Self {
        Self {
            allocations_left: AtomicU64::new(u64::MAX),
            copies_left: AtomicU64::new(u64::MAX),
            padding: AtomicU64::default(),
            live_bytes: AtomicU64::default(),
            most_live_bytes: AtomicU64::default(),
            copies: AtomicU64::default(),
        }
    }
}

impl ComputeDevice for VecDevice {
    type Tensor = VecTensor;

    fn identity(&self) -> Option<u64> {
        Some(Arc::as_ptr(&self.0) as u64)
    }

    fn supports(&self, dtype: Dtype) -> bool {
        dtype == Dtype::F32
    }

    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<VecTensor, MetalError> {
        if !self.supports(dtype) {
            return Err(MetalError::invalid_params("the device has f32 alone"));
        }
        spend(&self.0.allocations_left, "allocation")?;
        let bytes = elements as u64 * 4 + self.0.padding.load(Relaxed);
        let live = self.0.live_bytes.fetch_add(bytes, Relaxed) + bytes;
        self.0.most_live_bytes.fetch_max(live, Relaxed);
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
        self.0.copies.fetch_add(1, Relaxed);
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
        self.device.live_bytes.fetch_sub(self.bytes, Relaxed);
    }
}
