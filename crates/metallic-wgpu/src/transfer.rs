//! Values written, read and copied.

use std::ops::Range;
use std::sync::mpsc;
use std::time::Duration;

use half::f16;
use half::slice::HalfFloatSliceExt;
use metallic::Dtype;
use metallic::creation::Supervisor;
use metallic::device::ComputeDevice;
use metallic::error::MetalError;
use metallic::tensor::Tensor;

use crate::device::WgpuDevice;
use crate::fault::captured;
use crate::kernels::copy_elements;
use crate::tensor::WgpuTensor;

/// Buffers are copied and written in multiples of this many bytes.
const WORD: u64 = wgpu::COPY_BUFFER_ALIGNMENT;

/// How long wgpu's callback may take after the work that it reports is done.
const CALLBACK: Duration = Duration::from_secs(10);

impl ComputeDevice for WgpuDevice {
    type Tensor = WgpuTensor;

    fn identity(&self) -> Option<u64> {
        Some(self.identity())
    }

    fn supervise(&self, supervisor: &Supervisor) {
        self.descriptors().supervise(supervisor);
    }

    fn supports(&self, dtype: Dtype) -> bool {
        self.has_type(dtype)
    }

    fn zeros(&self, elements: usize, dtype: Dtype) -> Result<WgpuTensor, MetalError> {
        WgpuTensor::zeros(self, elements, dtype)
    }

    fn write(&self, tensor: &mut WgpuTensor, offset: usize, values: &[f32]) -> Result<(), MetalError> {
        self.check_range("a write", tensor, offset, values.len())?;
        self.connection().faults.check("a write")?;
        if values.is_empty() {
            return Ok(());
        }
        let size = tensor.dtype().size_bytes() as u64;
        let start = offset as u64 * size;
        // The padding after a tensor's end has room for the rest of a word.
        let is_end = offset + values.len() == tensor.elements();
        if !start.is_multiple_of(WORD) || !(is_end || (values.len() as u64 * size).is_multiple_of(WORD)) {
            let aligned = self.upload(values, tensor.dtype())?;
            return copy_elements(self, &aligned, 0, tensor, offset, values.len());
        }
        let halves;
        let bytes: &[u8] = if tensor.dtype() == Dtype::F16 {
            halves = words_of_halves(values);
            bytemuck::cast_slice(halves.reinterpret_cast())
        } else {
            bytemuck::cast_slice(values)
        };
        let much = self.stream().write(self.connection(), tensor.buffer(), start, bytes);
        if much { self.synchronize() } else { self.connection().faults.check("a write") }
    }

    fn read(&self, tensor: &WgpuTensor, range: Range<usize>) -> Result<Vec<f32>, MetalError> {
        let elements = range.end.checked_sub(range.start);
        let elements = elements.ok_or_else(|| {
            MetalError::invalid_params(format!("a read of {range:?}, which ends before it begins"))
        })?;
        self.check_range("a read", tensor, range.start, elements)?;
        if elements == 0 {
            self.synchronize()?;
            return Ok(Vec::new());
        }
        let size = tensor.dtype().size_bytes() as u64;
        let start = range.start as u64 * size / WORD * WORD;
        let end = (range.end as u64 * size).next_multiple_of(WORD);
        let first = (range.start as u64 * size - start) as usize;
        self.read_bytes(tensor, start..end, |bytes| {
            decode(&bytes[first..first + elements * size as usize], tensor.dtype())
        })
    }

    fn copy(
        &self,
        from: &WgpuTensor,
        from_offset: usize,
        to: &mut WgpuTensor,
        to_offset: usize,
        elements: usize,
    ) -> Result<(), MetalError> {
        self.check_range("a copy", from, from_offset, elements)?;
        self.check_range("a copy", to, to_offset, elements)?;
        if from.dtype() != to.dtype() {
            return Err(MetalError::invalid_params(format!("a copy of {} to {}", from.dtype(), to.dtype())));
        }
        self.connection().faults.check("a copy")?;
        let size = from.dtype().size_bytes() as u64;
        let [from_byte, to_byte, bytes] = [from_offset, to_offset, elements].map(|count| count as u64 * size);
        if [from_byte, to_byte, bytes].iter().any(|byte| !byte.is_multiple_of(WORD)) {
            return copy_elements(self, from, from_offset, to, to_offset, elements);
        }
        if bytes > 0 {
            let (from, to) = ((from.buffer(), from_byte), (to.buffer(), to_byte));
            self.stream().copy(self.connection(), from, to, bytes);
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<(), MetalError> {
        let submission = self.stream().submit(self.connection());
        self.connection().faults.check("a submission")?;
        // Without a submission now, this waits for all earlier ones.
        self.connection().wait(submission)
    }
}

impl WgpuDevice {
    fn check_range(
        &self,
        operation: &str,
        tensor: &WgpuTensor,
        offset: usize,
        elements: usize,
    ) -> Result<(), MetalError> {
        tensor.check_is_on(self)?;
        match offset.checked_add(elements) {
            Some(end) if end <= tensor.elements() => Ok(()),
            _ => Err(MetalError::invalid_params(format!(
                "{operation} of {elements} elements from {offset} on, in a tensor of {}",
                tensor.elements()
            ))),
        }
    }

    /// Maps some bytes of a tensor and decodes them.
    fn read_bytes<R>(
        &self,
        tensor: &WgpuTensor,
        range: Range<u64>,
        decode: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, MetalError> {
        const OPERATION: &str = "a read";
        let length = range.end - range.start;
        let connection = self.connection();
        connection.faults.check(OPERATION)?;
        let kept = self.stream().take_landing(length);
        let landing = match kept {
            Some(landing) => landing,
            None => captured(&connection.device, "allocation", || {
                connection.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("metallic results"),
                    size: length.next_power_of_two(),
                    usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                    mapped_at_creation: false,
                })
            })?,
        };
        let submission = {
            let mut stream = self.stream();
            stream.copy(connection, (tensor.buffer(), range.start), (&landing, 0), length);
            stream.submit(connection)
        };
        connection.faults.check(OPERATION)?;
        let (sender, receiver) = mpsc::channel();
        let mapped = landing.slice(..length);
        mapped.map_async(wgpu::MapMode::Read, move |result| {
            let _ = sender.send(result);
        });
        connection.wait(submission)?;
        // Another thread that waits for the device may be the one to call back, and be about to.
        match receiver.recv_timeout(CALLBACK) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(MetalError::device(OPERATION, error)),
            Err(error) => return Err(MetalError::device(OPERATION, error)),
        }
        let view = mapped.get_mapped_range().map_err(|error| MetalError::device(OPERATION, error))?;
        let decoded = decode(&view);
        drop(view);
        landing.unmap();
        self.stream().give_landing(landing);
        Ok(decoded)
    }
}

/// The values as halves, with another zero if they would end inside a word.
fn words_of_halves(values: &[f32]) -> Vec<f16> {
    let mut halves = vec![f16::ZERO; values.len().next_multiple_of(2)];
    halves[..values.len()].convert_from_f32_slice(values);
    halves
}

fn decode(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    match dtype {
        Dtype::F16 => bytes.as_chunks().0.iter().map(|bytes| f16::from_ne_bytes(*bytes).to_f32()).collect(),
        _ => bytes.as_chunks().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect(),
    }
}
