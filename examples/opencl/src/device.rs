//! A device: one of OpenCL's, with a context and a queue.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use metallic::error::Error;
use opencl3::command_queue::CommandQueue;
use opencl3::context::Context;
use opencl3::device::{CL_DEVICE_TYPE_ALL, Device, get_all_devices};
use opencl3::error_codes::ClError;
use opencl3::kernel::{ExecuteKernel, Kernel};
use opencl3::memory::{Buffer, CL_MEM_READ_ONLY, CL_MEM_WRITE_ONLY};
use opencl3::platform::Platform;
use opencl3::program::Program;
use opencl3::types::CL_BLOCKING;

/// The first device that OpenCL lists.
pub struct OpenClDevice {
    pub name: String,
    /// The platform's version, which names its compiler, and the driver's.
    pub driver: String,
    /// Names the build of this program: two of them are two programs to the store.
    pub build: String,
    context: Context,
    queue: CommandQueue,
    compilations: AtomicU64,
}

impl OpenClDevice {
    /// Opens the device.
    pub fn open(build: &str) -> Result<Self, Error> {
        let id = get_all_devices(CL_DEVICE_TYPE_ALL).map_err(Error::kernel)?;
        let id = *id.first().ok_or_else(|| Error::kernel("OpenCL lists no device"))?;
        let open = || {
            let device = Device::new(id);
            let platform = Platform::new(device.platform()?);
            let context = Context::from_device(&device)?;
            Ok(Self {
                name: device.name()?,
                driver: format!("{}, {}", platform.version()?, device.driver_version()?),
                build: build.to_owned(),
                queue: CommandQueue::create_default_with_properties(&context, 0, 0)?,
                context,
                compilations: AtomicU64::new(0),
            })
        };
        open().map_err(|error: ClError| Error::kernel(error))
    }

    /// How often this process has compiled.
    pub fn compilations(&self) -> u64 {
        self.compilations.load(Ordering::Relaxed)
    }

    /// Compiles a program from its source: what is to be done once.
    pub fn compile(&self, source: &str, options: &str) -> Result<Program, Error> {
        self.compilations.fetch_add(1, Ordering::Relaxed);
        Program::create_and_build_from_source(&self.context, source, options).map_err(Error::kernel)
    }

    /// Loads a program from its binary.
    ///
    /// # Safety
    ///
    /// The driver executes what it is given, and does not check it: the bytes must be those that this driver gave for this device,
    /// all of them.
    pub unsafe fn load(&self, binary: &[u8]) -> Result<Program, Error> {
        Program::create_and_build_from_binary(&self.context, &[binary], "").map_err(Error::kernel)
    }

    /// Multiplies two matrices, `[rows, inner]` and `[inner, columns]`, by a program for this `inner` and tiles of this size, of
    /// which `rows` and `columns` are multiples.
    pub fn multiply(
        &self,
        program: &Program,
        [a, b]: [&[f32]; 2],
        inner: usize,
        tile: usize,
    ) -> Result<Vec<f32>, Error> {
        let (rows, columns) = (a.len() / inner, b.len() / inner);
        assert!(
            rows % tile == 0 && columns % tile == 0 && a.len() == rows * inner && b.len() == inner * columns
        );
        let mut product = vec![0.0; rows * columns];
        let mut run = || {
            let kernel = Kernel::create(program, "product")?;
            // SAFETY: the buffers hold what is written to and read from them, and as many elements as the kernel reads and writes
            // for these sizes, which the assertion checked; its arguments are these three. Writing and reading block until they
            // are done.
            unsafe {
                let mut inputs = [
                    Buffer::<f32>::create(&self.context, CL_MEM_READ_ONLY, a.len(), null_mut())?,
                    Buffer::<f32>::create(&self.context, CL_MEM_READ_ONLY, b.len(), null_mut())?,
                ];
                let output =
                    Buffer::<f32>::create(&self.context, CL_MEM_WRITE_ONLY, product.len(), null_mut())?;
                for (buffer, data) in inputs.iter_mut().zip([a, b]) {
                    self.queue.enqueue_write_buffer(buffer, CL_BLOCKING, 0, data, &[])?;
                }
                ExecuteKernel::new(&kernel)
                    .set_arg(&inputs[0])
                    .set_arg(&inputs[1])
                    .set_arg(&output)
                    .set_global_work_sizes(&[columns, rows])
                    .set_local_work_sizes(&[tile, tile])
                    .enqueue_nd_range(&self.queue)?;
                self.queue.enqueue_read_buffer(&output, CL_BLOCKING, 0, &mut product, &[])?;
            }
            Ok(())
        };
        run().map_err(|error: ClError| Error::kernel(error))?;
        Ok(product)
    }
}

/// The driver's binary of a program for one device.
pub fn binary(program: &Program) -> Result<Vec<u8>, Error> {
    let binary = program.get_binaries().map_err(Error::kernel)?.pop();
    binary.filter(|binary| !binary.is_empty()).ok_or_else(|| Error::kernel("the driver gives no binary"))
}
