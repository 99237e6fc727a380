//! The context that state outside of the caches reports through.

use super::{SharedRegistry, lock};
use crate::caching::slot::SlotContext;

impl<D: 'static> SharedRegistry<D> {
    /// The registry's sink and clock, for a slot whose cache is listed by this name.
    pub(in crate::caching::registry) fn slot_context(&self, name: Option<&str>) -> SlotContext {
        let taken_by = name.and_then(|name| self.owner_of_name(name));
        let sink = lock(&self.0.sink).clone();
        SlotContext::new(sink, self.0.time.clone(), taken_by).with_gate(Some(self.0.gate.clone()))
    }
}
