//! Commands on their way to the device.

use std::sync::Arc;

use crate::descriptors::{ARGUMENT_BYTES, Allocation, Connection, WgpuPipeline};

/// Uploads that wait for a submission, in bytes. wgpu holds a second copy of them until then.
const MOST_WAITING_BYTES: u64 = 64 << 20;

/// Commands that were recorded and not yet submitted, in order.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    // Before the encoder: a pass ends when it is dropped, and must end first.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// The pipeline that the pass has set.
    pipeline: Option<wgpu::ComputePipeline>,
    /// The arguments of the dispatches, at the distance in which the device finds them.
    arguments: Vec<u8>,
    dispatches: u32,
    /// Buffers to be destroyed when the commands that use them were submitted.
    retired: Vec<Arc<Allocation>>,
    written_bytes: u64,
    /// Where results are mapped, kept for the next ones.
    landing: Option<wgpu::Buffer>,
}

impl Stream {
    /// Records a dispatch, and submits when there are arguments for no more.
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

    /// Writes to a buffer, after all that was recorded before. Returns whether so much waits that the caller should
    /// submit and wait. Offset and size are multiples of four.
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
        self.written_bytes > MOST_WAITING_BYTES
    }

    /// Hands over what was recorded and written; `None` if that is nothing.
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

    /// Destroys a buffer once nothing that was recorded uses it.
    pub(crate) fn retire(&mut self, allocation: &Arc<Allocation>) {
        if self.encoder.is_some() || self.written_bytes > 0 {
            self.retired.push(allocation.clone());
        } else {
            allocation.buffer.destroy();
        }
    }

    /// The buffer where results are mapped, if one of this size or more was given back.
    pub(crate) fn take_landing(&mut self, bytes: u64) -> Option<wgpu::Buffer> {
        self.landing.take_if(|landing| landing.size() >= bytes)
    }

    /// Keeps a buffer that is no longer mapped; of two, the larger one.
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
