//! The caches as engines write them: maps behind locks, and a list of buffers for each size.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::engine::{Binding, BufferKey, Created, EngineCaches, EngineError, Gpu, Layout, Op, Pipeline};

/// Steps that a buffer may lie idle.
const IDLE_STEPS: u64 = 2;

#[derive(Clone, PartialEq, Eq, Hash)]
struct PipelineKey {
    source_name: String,
    entry: String,
    defines: Vec<(String, String)>,
    bindings: Vec<Binding>,
}

#[derive(Clone, Default)]
pub(crate) struct ByHand(Arc<Maps>);

#[derive(Default)]
struct Maps {
    pipelines: RwLock<HashMap<PipelineKey, Pipeline>>,
    layouts: Mutex<HashMap<Vec<Binding>, Layout>>,
    buffers: Mutex<HashMap<BufferKey, Vec<IdleBuffer>>>,
    step: AtomicU64,
    pipelines_created: AtomicU64,
    layouts_created: AtomicU64,
    buffers_created: AtomicU64,
}

struct IdleBuffer {
    buffer: wgpu::Buffer,
    since: u64,
}

pub(crate) struct LentBuffer {
    key: BufferKey,
    buffer: Option<wgpu::Buffer>,
    maps: Arc<Maps>,
}

impl Maps {
    fn layout(&self, gpu: &Gpu, bindings: &[Binding]) -> Layout {
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = layouts.get(bindings) {
            return layout.clone();
        }
        self.layouts_created.fetch_add(1, Relaxed);
        let layout = gpu.layout(bindings);
        layouts.insert(bindings.to_vec(), layout.clone());
        layout
    }
}

impl EngineCaches for ByHand {
    const FORM: &'static str = "by hand";
    const SOURCE: &'static str = include_str!("by_hand.rs");
    type Buffer = LentBuffer;

    fn new(_model: &str) -> Result<Self, EngineError> {
        Ok(Self::default())
    }

    fn for_thread(&self) -> Self {
        self.clone()
    }

    fn pipeline(&mut self, gpu: &Gpu, op: &Op) -> Result<Pipeline, EngineError> {
        let maps = &*self.0;
        // A map finds by an owned key alone.
        let key = PipelineKey {
            source_name: op.source_name.clone(),
            entry: op.entry.clone(),
            defines: op.defines.clone(),
            bindings: op.bindings.clone(),
        };
        let pipelines = maps.pipelines.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(&key) {
            return Ok(pipeline.clone());
        }
        // Under the lock all other threads would wait for the compiler. Without it two may compile the same.
        drop(pipelines);
        let layout = maps.layout(gpu, &op.bindings);
        maps.pipelines_created.fetch_add(1, Relaxed);
        let compiled = gpu.compile(op, &layout)?;
        let mut pipelines = maps.pipelines.write().unwrap_or_else(PoisonError::into_inner);
        Ok(pipelines.entry(key).or_insert(compiled).clone())
    }

    fn buffer(&mut self, gpu: &Gpu, key: BufferKey) -> LentBuffer {
        let mut buffers = self.0.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = buffers.get_mut(&key).and_then(Vec::pop);
        drop(buffers);
        let buffer = idle.map_or_else(
            || {
                self.0.buffers_created.fetch_add(1, Relaxed);
                gpu.buffer(key)
            },
            |idle| idle.buffer,
        );
        LentBuffer { key, buffer: Some(buffer), maps: self.0.clone() }
    }

    fn end_step(&self) {
        let step = self.0.step.fetch_add(1, Relaxed) + 1;
        let mut buffers = self.0.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        for idle in buffers.values_mut() {
            idle.retain(|idle| idle.since + IDLE_STEPS >= step);
        }
        buffers.retain(|_, idle| !idle.is_empty());
    }

    fn created(&self) -> Created {
        Created {
            pipelines: self.0.pipelines_created.load(Relaxed),
            layouts: self.0.layouts_created.load(Relaxed),
            buffers: self.0.buffers_created.load(Relaxed),
        }
    }
}

impl Deref for LentBuffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        self.buffer.as_ref().expect("it is returned when this is dropped")
    }
}

impl Drop for LentBuffer {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            let since = self.maps.step.load(Relaxed);
            let mut buffers = self.maps.buffers.lock().unwrap_or_else(PoisonError::into_inner);
            buffers.entry(self.key).or_default().push(IdleBuffer { buffer, since });
        }
    }
}
