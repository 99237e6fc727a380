//! Commands that are recorded and handed to the device together.

use std::sync::Arc;

use crate::descriptors::{Allocation, Connection, WgpuPipeline};
use crate::limits::ARGUMENT_BYTES;

/// The most bytes of uploads that wait for a submission. wgpu holds a second copy of them until then.
const MAX_WAITING_BYTES: u64 = 64 << 20;

/// Commands recorded and not yet submitted, in order.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    // Before the encoder: a pass ends when it is dropped, and must end first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// The pipeline that the pass has set.
    pipeline: Option<wgpu::ComputePipeline>,
    /// The arguments of the dispatches, at the stride of the connection.
    arguments: Vec<u8>,
    dispatches: u32,
    /// Buffers to destroy once the commands that use them are submitted.
    retired: Vec<Arc<Allocation>>,
    written_bytes: u64,
    /// A buffer that results are mapped in, kept for the next read.
    landing: Option<wgpu::Buffer>,
}

impl Stream {
    /// Records a dispatch, and submits if there is no room for the arguments of another.
    pub(crate) fn dispatch(
        &mut self,
        connection: &Connection,
        pipeline: &WgpuPipeline,
        group: &wgpu::BindGroup,
        arguments: &[u8; ARGUMENT_BYTES as usize],
        [x, y, z]: [u32; 3],
    ) {
        let offset = self.dispatches * connection.argument_stride;
        self.arguments.resize(offset as usize, 0);
        self.arguments.extend_from_slice(arguments);
        self.dispatches += 1;
        let encoder = self.encoder.get_or_insert_with(|| encoder(connection));
        let pass = self.pass.get_or_insert_with(|| {
            self.pipeline = None;
            encoder.begin_compute_pass(&Default::default()).forget_lifetime()
        });
        if self.pipeline.as_ref() != Some(&pipeline.pipeline) {
            pass.set_pipeline(&pipeline.pipeline);
            self.pipeline = Some(pipeline.pipeline.clone());
        }
        pass.set_bind_group(0, group, &[offset]);
        pass.dispatch_workgroups(x, y, z);
        if self.dispatches == Connection::DISPATCHES {
            self.submit(connection);
        }
    }

    /// Records a copy, after all that was recorded before. Offsets and size are multiples of four.
    pub(crate) fn copy(
        &mut self,
        connection: &Connection,
        (from, from_offset): (&wgpu::Buffer, u64),
        (to, to_offset): (&wgpu::Buffer, u64),
        bytes: u64,
    ) {
        self.pass = None;
        let encoder = self.encoder.get_or_insert_with(|| encoder(connection));
        encoder.copy_buffer_to_buffer(from, from_offset, to, to_offset, bytes);
    }

    /// Writes to a buffer, after all that was recorded before. Returns whether more than `MAX_WAITING_BYTES` wait, so that the
    /// caller should submit and wait. Offset and size are multiples of four.
    pub(crate) fn write(
        &mut self,
        connection: &Connection,
        buffer: &wgpu::Buffer,
        offset: u64,
        bytes: &[u8],
    ) -> bool {
        // The queue writes before what is submitted later, which would be too early for what was recorded before.
        if self.encoder.is_some() {
            self.submit(connection);
        }
        connection.queue.write_buffer(buffer, offset, bytes);
        self.written_bytes += bytes.len() as u64;
        self.written_bytes > MAX_WAITING_BYTES
    }

    /// Submits all that was recorded and written; `None` if there is nothing.
    pub(crate) fn submit(&mut self, connection: &Connection) -> Option<wgpu::SubmissionIndex> {
        self.pass = None;
        let commands = self.encoder.take().map(wgpu::CommandEncoder::finish);
        let submission = (commands.is_some() || self.written_bytes > 0).then(|| {
            if self.dispatches > 0 {
                connection.queue.write_buffer(&connection.arguments, 0, &self.arguments);
            }
            connection.queue.submit(commands)
        });
        self.arguments.clear();
        self.dispatches = 0;
        self.written_bytes = 0;
        self.retired.drain(..).for_each(|retired| retired.buffer.destroy());
        submission
    }

    /// Destroys a buffer once no recorded command uses it.
    pub(crate) fn retire(&mut self, allocation: &Arc<Allocation>) {
        if self.encoder.is_some() || self.written_bytes > 0 {
            self.retired.push(allocation.clone());
        } else {
            allocation.buffer.destroy();
        }
    }

    /// Takes the buffer for results, if one of at least this size was given back.
    pub(crate) fn take_landing(&mut self, bytes: u64) -> Option<wgpu::Buffer> {
        self.landing.take_if(|landing| landing.size() >= bytes)
    }

    /// Gives back a buffer that is no longer mapped. Of two, the larger one is kept.
    pub(crate) fn give_landing(&mut self, landing: wgpu::Buffer) {
        if self.landing.as_ref().is_none_or(|kept| kept.size() < landing.size()) {
            self.landing = Some(landing);
        }
    }
}

fn encoder(connection: &Connection) -> wgpu::CommandEncoder {
    connection
        .device
        .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("metallic stream") })
}
