//! The same caches by metallic: shared caches and a pool, by name.

use metallic::caching::{
    Equivalent, EvictionPolicy, Lent, LocalSharedCache, Pool, Query, SharedCache, SharedRegistry,
};

use crate::engine::{Binding, BufferKey, Created, EngineCaches, EngineError, Gpu, Layout, Op, Pipeline};

/// Steps that a buffer may lie idle.
const IDLE_STEPS: u32 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PipelineKey {
    source_name: String,
    entry: String,
    defines: Vec<(String, String)>,
    bindings: Vec<Binding>,
}

#[derive(Hash)]
struct PipelineQuery<'a> {
    source_name: &'a str,
    entry: &'a str,
    defines: &'a [(String, String)],
    bindings: &'a [Binding],
}

impl Equivalent<PipelineKey> for PipelineQuery<'_> {
    fn equivalent(&self, key: &PipelineKey) -> bool {
        self.source_name == key.source_name
            && self.entry == key.entry
            && self.defines == key.defines
            && self.bindings == key.bindings
    }
}

impl Query<PipelineKey> for PipelineQuery<'_> {
    fn to_key(&self) -> PipelineKey {
        PipelineKey {
            source_name: self.source_name.to_owned(),
            entry: self.entry.to_owned(),
            defines: self.defines.to_owned(),
            bindings: self.bindings.to_owned(),
        }
    }
}

pub(crate) struct ByMetallic {
    registry: SharedRegistry,
    pipelines: LocalSharedCache<PipelineKey, Pipeline>,
    layouts: SharedCache<Vec<Binding>, Layout>,
    buffers: Pool<BufferKey, wgpu::Buffer>,
}

impl EngineCaches for ByMetallic {
    const FORM: &'static str = "metallic";
    const SOURCE: &'static str = include_str!("metallic.rs");
    type Buffer = Lent<BufferKey, wgpu::Buffer>;

    fn new(model: &str) -> Result<Self, EngineError> {
        let registry = SharedRegistry::named(model.to_owned(), None);
        let pipelines = registry.cache(format!("{model} pipeline"))?.local();
        let layouts = registry.cache(format!("{model} layout"))?;
        let buffers = registry.pool(format!("{model} buffer"))?;
        buffers.set_eviction_policy(EvictionPolicy::none().with_max_idle_generations(IDLE_STEPS));
        Ok(Self { registry, pipelines, layouts, buffers })
    }

    fn for_thread(&self) -> Self {
        Self {
            registry: self.registry.clone(),
            pipelines: self.pipelines.shared().local(),
            layouts: self.layouts.clone(),
            buffers: self.buffers.clone(),
        }
    }

    fn pipeline(&mut self, gpu: &Gpu, op: &Op) -> Result<Pipeline, EngineError> {
        let Op { source_name, entry, defines, bindings, .. } = op;
        let query = PipelineQuery { source_name, entry, defines, bindings };
        let pipeline = self.pipelines.get_or_create_with(&query, || {
            let layout = self.layouts.get_or_make(&**bindings, || gpu.layout(bindings))?;
            gpu.compile(op, &layout)
        })?;
        Ok(pipeline.clone())
    }

    fn buffer(&mut self, gpu: &Gpu, key: BufferKey) -> Self::Buffer {
        self.buffers.checkout(&key, || gpu.buffer(key))
    }

    fn end_step(&self) {
        self.registry.next_generation();
    }

    fn created(&self) -> Created {
        Created {
            pipelines: self.pipelines.shared().counters().misses,
            layouts: self.layouts.counters().misses,
            buffers: self.buffers.counters().misses,
        }
    }
}
