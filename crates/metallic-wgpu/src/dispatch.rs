//! Compiling and running kernels.

use metallic::error::MetalError;

use crate::arguments::{Argument, encode};
use crate::descriptors::{
    BindGroupKernel, BindGroupKey, LayoutKey, PipelineKernel, PipelineKey, WgpuPipeline,
};
use crate::device::WgpuDevice;
use crate::limits::MAX_BUFFERS;
use crate::shader::Shader;
use crate::tensor::WgpuTensor;

impl WgpuDevice {
    /// Compiles a custom kernel, once per source: later calls return the same pipeline. `name` is for the cache's events
    /// and for debuggers.
    ///
    /// The shader has one entry point. Group 0 has at binding 0 a uniform `struct` of at most 32 arguments, and from binding 1
    /// on the `reads` buffers that it reads, then the `writes` buffers that it writes: at most six buffers. With all arguments 0
    /// it must do nothing: its creation includes such a dispatch if the driver compiles at a pipeline's first dispatch. Workgroup
    /// memory is not cleared: the shader must write it before reading it.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if there are too many buffers; [`MetalError::Device`] if the source is not valid or
    /// the driver refuses it.
    pub fn compile(&self, name: &str, wgsl: &str, reads: u8, writes: u8) -> Result<WgpuPipeline, MetalError> {
        let layout = LayoutKey { reads, writes };
        if layout.buffers() > MAX_BUFFERS {
            return Err(MetalError::invalid_params(format!(
                "{name} has {} buffers, where a kernel has at most {MAX_BUFFERS}",
                layout.buffers()
            )));
        }
        self.find(&PipelineKey::custom(name, wgsl, layout))
    }

    /// The pipeline of a built-in shader.
    pub(crate) fn built_in(&self, shader: Shader, reads: u8, writes: u8) -> Result<WgpuPipeline, MetalError> {
        self.find(&PipelineKey::built_in(shader, LayoutKey { reads, writes }))
    }

    fn find(&self, key: &PipelineKey) -> Result<WgpuPipeline, MetalError> {
        self.connection().faults.check("pipeline compilation")?;
        self.descriptors().get_or_create::<PipelineKernel>(key, None)
    }

    /// Runs `workgroups` workgroups of a kernel, after all earlier operations.
    ///
    /// # Errors
    /// [`MetalError::InvalidParams`] if the number of buffers differs from the kernel's, a tensor is on another device, or there
    /// are too many arguments or workgroups; nothing was done then. [`MetalError::Device`] if the device fails.
    pub fn dispatch(
        &self,
        pipeline: &WgpuPipeline,
        reads: &[&WgpuTensor],
        writes: &mut [&mut WgpuTensor],
        arguments: &[Argument],
        workgroups: [usize; 3],
    ) -> Result<(), MetalError> {
        let connection = self.connection();
        connection.faults.check("a dispatch")?;
        let key = pipeline.layouts.key;
        if (reads.len(), writes.len()) != (key.reads.into(), key.writes.into()) {
            return Err(MetalError::invalid_params(format!(
                "{} and {} buffers to read and write, where the kernel has {} and {}",
                reads.len(),
                writes.len(),
                key.reads,
                key.writes
            )));
        }
        let tensors = || reads.iter().copied().chain(writes.iter().map(|tensor| &**tensor));
        tensors().try_for_each(|tensor| tensor.check_is_on(self))?;
        if workgroups.contains(&0) {
            return Ok(());
        }
        let workgroups = self.check_workgroups(workgroups)?;
        let arguments = encode(arguments)?;
        let key = BindGroupKey::new(key, tensors().map(|tensor| &*tensor.allocation));
        let group = self.descriptors().get_or_create::<BindGroupKernel>(&key, None)?;
        self.stream().dispatch(connection, pipeline, &group, &arguments, workgroups);
        Ok(())
    }

    fn check_workgroups(&self, workgroups: [usize; 3]) -> Result<[u32; 3], MetalError> {
        let most = self.connection().device.limits().max_compute_workgroups_per_dimension;
        let mut checked = [0; 3];
        for (checked, count) in checked.iter_mut().zip(workgroups) {
            *checked = u32::try_from(count).ok().filter(|count| *count <= most).ok_or_else(|| {
                MetalError::invalid_params(format!(
                    "{count} workgroups, where the device runs at most {most}"
                ))
            })?;
        }
        Ok(checked)
    }
}
