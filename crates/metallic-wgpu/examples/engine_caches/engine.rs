//! The engine around the caches: what it makes on the device, and what it asks the caches for.

use std::fmt::{self, Write};
use std::ops::Deref;

use metallic::error::Error;
use pollster::FutureExt;

/// The face of both forms of the caches. A value is one thread's; what it holds is shared by all.
pub(crate) trait EngineCaches: Sized + Send {
    const FORM: &'static str;
    /// The file it is in.
    const SOURCE: &'static str;
    /// A buffer in the hands of one holder. It goes back when it is dropped.
    type Buffer: Deref<Target = wgpu::Buffer>;

    fn new(model: &str) -> Result<Self, EngineError>;
    fn for_thread(&self) -> Self;
    fn pipeline(&mut self, gpu: &Gpu, op: &Op) -> Result<Pipeline, EngineError>;
    fn buffer(&mut self, gpu: &Gpu, key: BufferKey) -> Self::Buffer;
    /// Lets go of buffers that no step has used lately.
    fn end_step(&self);
    fn created(&self) -> Created;
}

/// An operation of a model as its graph has it: strings that are known at run time only.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) source_name: String,
    pub(crate) entry: String,
    pub(crate) defines: Vec<(String, String)>,
    pub(crate) bindings: Vec<Binding>,
    /// Elements of the result.
    pub(crate) elements: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Binding {
    Uniform,
    Output,
}

/// Buffers of one size and use are interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BufferKey {
    pub(crate) bytes: u64,
    pub(crate) binding: Binding,
}

#[derive(Clone, Debug)]
pub(crate) struct Layout(wgpu::BindGroupLayout);

#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pipeline: wgpu::ComputePipeline,
    layout: Layout,
}

/// Resources made so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Created {
    pub(crate) pipelines: u64,
    pub(crate) layouts: u64,
    pub(crate) buffers: u64,
}

#[derive(Debug)]
pub(crate) enum EngineError {
    /// The compiler's message.
    Shader(String),
    Cache(Error),
    Device(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shader(message) | Self::Device(message) => f.write_str(message),
            Self::Cache(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<Error> for EngineError {
    fn from(error: Error) -> Self {
        Self::Cache(error)
    }
}

/// A wgpu device, as an engine holds it.
#[derive(Clone, Debug)]
pub(crate) struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
}

impl Gpu {
    pub(crate) fn layout(&self, bindings: &[Binding]) -> Layout {
        let entry = |(number, binding): (usize, &Binding)| wgpu::BindGroupLayoutEntry {
            binding: number as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: match binding {
                    Binding::Uniform => wgpu::BufferBindingType::Uniform,
                    Binding::Output => wgpu::BufferBindingType::Storage { read_only: false },
                },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: Vec<_> = bindings.iter().enumerate().map(entry).collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("engine"), entries: &entries };
        Layout(self.device.create_bind_group_layout(&descriptor))
    }

    pub(crate) fn compile(&self, op: &Op, layout: &Layout) -> Result<Pipeline, EngineError> {
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let source = wgpu::ShaderSource::Wgsl(source(op).into());
        let label = Some(&*op.source_name);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
        let pipeline_layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout.0)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(&op.entry),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        match validation.pop().block_on() {
            Some(error) => Err(EngineError::Shader(error.to_string())),
            None => Ok(Pipeline { pipeline, layout: layout.clone() }),
        }
    }

    pub(crate) fn buffer(&self, key: BufferKey) -> wgpu::Buffer {
        let usage = match key.binding {
            Binding::Uniform => wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            Binding::Output => wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        };
        let descriptor = wgpu::BufferDescriptor {
            label: Some("engine"),
            size: key.bytes,
            usage,
            mapped_at_creation: false,
        };
        self.device.create_buffer(&descriptor)
    }

    /// Runs an operation, and returns its result.
    pub(crate) fn run(
        &self,
        pipeline: &Pipeline,
        arguments: &wgpu::Buffer,
        output: &wgpu::Buffer,
        elements: u64,
    ) -> Result<Vec<f32>, EngineError> {
        self.queue.write_buffer(arguments, 0, bytemuck::cast_slice(&[elements as u32, 0, 0, 0]));
        let entries = [(0, arguments), (1, output)].map(|(binding, buffer)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(buffer.as_entire_buffer_binding()),
        });
        let layout = &pipeline.layout.0;
        let group = wgpu::BindGroupDescriptor { label: Some("engine"), layout, entries: &entries };
        let group = self.device.create_bind_group(&group);
        let landing = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("result"),
            size: 4 * elements,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline.pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(elements.div_ceil(64) as u32, 1, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(output, 0, &landing, 0, 4 * elements);
        let submission = self.queue.submit([encoder.finish()]);
        landing.map_async(wgpu::MapMode::Read, .., |_| {});
        let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        self.device.poll(wait).map_err(|error| EngineError::Device(error.to_string()))?;
        let view = landing.get_mapped_range(..).map_err(|error| EngineError::Device(error.to_string()))?;
        Ok(bytemuck::cast_slice(&view).to_vec())
    }
}

/// The source of an operation, from its defines.
fn source(op: &Op) -> String {
    let mut source = String::new();
    for (name, value) in &op.defines {
        let _ = writeln!(source, "const {name}: f32 = {value};");
    }
    let _ = writeln!(
        source,
        "@group(0) @binding(0) var<uniform> count: vec4<u32>;\n\
         @group(0) @binding(1) var<storage, read_write> output: array<f32>;\n\
         @compute @workgroup_size(64) fn {}(@builtin(global_invocation_id) at: vec3<u32>) {{\n\
         if at.x < count.x {{ output[at.x] = SCALE * f32(at.x) + BIAS * sin(PHASE) + POWER; }}\n}}",
        op.entry
    );
    source
}
