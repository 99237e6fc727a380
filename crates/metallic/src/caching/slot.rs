//! State in a registry that is no cache of a kernel.

/// A value that lives in a registry beside the caches: allocations of a KV cache, prepared tensors, anything an engine
/// keeps for as long as it keeps its pipelines.
///
/// ```
/// # use std::collections::HashMap;
/// use metallic::caching::{CacheRegistry, CacheRegistrySlot};
///
/// #[derive(Default)]
/// struct ScratchBuffers {
///     by_layer: HashMap<usize, Vec<f32>>,
/// }
///
/// impl CacheRegistrySlot for ScratchBuffers {
///     fn clear_slot(&mut self) {
///         self.by_layer.clear();
///     }
/// }
///
/// let mut registry = CacheRegistry::new();
/// let buffers = registry.slot_mut(ScratchBuffers::default);
/// buffers.by_layer.insert(0, vec![0.0; 64]);
///
/// assert!(registry.clear_slot::<ScratchBuffers>());
/// assert!(registry.slot::<ScratchBuffers>().is_some_and(|buffers| buffers.by_layer.is_empty()));
/// ```
pub trait CacheRegistrySlot: 'static {
    /// Drops what the slot holds. The slot itself stays in the registry, and must be ready for use.
    fn clear_slot(&mut self);
}
