//! The shape of a kernel's bindings, and the layouts made for it.

/// The bindings of a kernel: its arguments at 0, then the buffers it only reads, then those it reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LayoutKey {
    /// The buffers that are only read, bound from 1 on.
    pub reads: u8,
    /// The buffers that are read and written, bound after those.
    pub writes: u8,
}

impl LayoutKey {
    /// The number of buffers, without the arguments.
    pub const fn buffers(self) -> usize {
        self.reads as usize + self.writes as usize
    }
}

/// A bind group layout, and the layout of the pipelines that have only this group. Two of one shape are equal.
#[derive(Clone, Debug)]
pub struct Layouts {
    pub(crate) key: LayoutKey,
    pub(crate) group: wgpu::BindGroupLayout,
    pub(crate) pipeline: wgpu::PipelineLayout,
}

impl PartialEq for Layouts {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Layouts {}
