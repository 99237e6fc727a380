//! The GPU, and buffers that both sides see.

use std::ffi::c_void;
use std::ptr::NonNull;

use half::f16;
use metallic::device::system_default_device;
use metallic::kernels::matmul_mps::MpsMatrixLayout;
use metallic::{Device, Dtype};
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_metal::{MTLBuffer, MTLCommandBuffer, MTLCommandQueue, MTLDevice, MTLResourceOptions};
use objc2_metal_performance_shaders::{MPSCommandBuffer, MPSSupportsMTLDevice};

pub(crate) type Buffer = Retained<ProtocolObject<dyn MTLBuffer>>;

pub(crate) struct Gpu {
    pub(crate) device: Device,
    queue: Retained<ProtocolObject<dyn MTLCommandQueue>>,
}

/// The GPU; `None` if there is none and none is required.
pub(crate) fn gpu() -> Option<Gpu> {
    // SAFETY: a plain query of a live device.
    let supported = |device: &Device| unsafe { MPSSupportsMTLDevice(Some(device)) };
    let Some(device) = system_default_device().ok().filter(supported) else {
        assert!(std::env::var_os("METALLIC_REQUIRE_METAL").is_none(), "no GPU that runs the shaders");
        eprintln!("skipped: no GPU that runs Metal Performance Shaders");
        return None;
    };
    let queue = device.newCommandQueue().expect("a command queue");
    Some(Gpu { device, queue })
}

impl Gpu {
    /// A buffer with these elements.
    pub(crate) fn buffer<T: Element>(&self, elements: &[T]) -> Buffer {
        let bytes = NonNull::from(elements).cast::<c_void>();
        // SAFETY: the pointer is to that many bytes, which are copied.
        let buffer = unsafe {
            let options = MTLResourceOptions::StorageModeShared;
            self.device.newBufferWithBytes_length_options(bytes, size_of_val(elements), options)
        };
        buffer.expect("memory for the buffer")
    }

    /// Runs what `encode` encodes, to its end.
    pub(crate) fn run(&self, encode: impl FnOnce(&MPSCommandBuffer)) {
        autoreleasepool(|_| {
            // SAFETY: a new command buffer of a live queue.
            let commands = unsafe { MPSCommandBuffer::commandBufferFromCommandQueue(&self.queue) };
            encode(&commands);
            commands.commit();
            commands.waitUntilCompleted();
            assert_eq!(commands.error(), None);
        });
    }
}

/// All elements of a buffer that no work is under way on.
pub(crate) fn read<T: Element>(buffer: &ProtocolObject<dyn MTLBuffer>) -> Vec<T> {
    let elements = buffer.contents().cast::<T>();
    // SAFETY: the buffer is shared with the CPU and so long, any bits are a number, and no work is under way.
    unsafe { std::slice::from_raw_parts(elements.as_ptr(), buffer.length() / size_of::<T>()).to_vec() }
}

/// The elements of dense matrices, spread out to a layout. The padding is a number that would spoil any sum.
pub(crate) fn spread<T: Element>(dense: &[T], layout: &MpsMatrixLayout) -> Vec<T> {
    let mut elements =
        vec![T::from_f64(1000.0); layout.matrices * layout.matrix_bytes / layout.dtype.size_bytes()];
    for (row, values) in dense.chunks(layout.columns).enumerate() {
        let start = start_of_row(row, layout);
        elements[start..start + layout.columns].copy_from_slice(values);
    }
    elements
}

/// The reverse of [`spread`].
pub(crate) fn gather<T: Element>(elements: &[T], layout: &MpsMatrixLayout) -> Vec<T> {
    let rows = (0..layout.matrices * layout.rows).map(|row| start_of_row(row, layout));
    rows.flat_map(|start| elements[start..start + layout.columns].iter().copied()).collect()
}

fn start_of_row(row: usize, layout: &MpsMatrixLayout) -> usize {
    let bytes = row / layout.rows * layout.matrix_bytes + row % layout.rows * layout.row_bytes;
    bytes / layout.dtype.size_bytes()
}

/// A type that both the GPU and the references compute with.
pub(crate) trait Element: Copy {
    const DTYPE: Dtype;
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    fn from_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
    const EPSILON: f64 = f32::EPSILON as f64;
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    fn to_f64(self) -> f64 {
        self.into()
    }
}

impl Element for f16 {
    const DTYPE: Dtype = Dtype::F16;
    const EPSILON: f64 = 1.0 / 1024.0;
    fn from_f64(value: f64) -> Self {
        f16::from_f64(value)
    }
    fn to_f64(self) -> f64 {
        self.into()
    }
}
