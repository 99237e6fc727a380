//! Tickets of caches without a kernel, and of kernels that cannot have one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metallic::error::Error;

use super::{Held, registry};
use crate::kernels::Scripted;

/// Says when it is dropped.
struct Sentinel(Arc<AtomicBool>);

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_closure_makes_in_the_background_what_a_cache_without_a_kernel_keeps() {
    #[derive(Debug, thiserror::Error)]
    #[error("line {0}")]
    struct Syntax(u32);

    let (registry, script) = registry(1);
    let shaders = registry.cache::<String, u32>("shader").unwrap();
    assert_eq!(shaders.prefetch_with("a".into(), || Ok(1)).wait().unwrap(), 1);
    assert_eq!(shaders.prefetch_with("a".into(), || Ok(2)).wait().unwrap(), 1);
    let error = shaders.prefetch_with("b".into(), || Err(Error::kernel(Syntax(7)))).wait().unwrap_err();
    assert_eq!(error.to_string(), "cannot create `shader:\"b\"`");
    assert_eq!(error.downcast_ref::<Syntax>().unwrap().0, 7);
    let error = shaders.prefetch_with("c".into(), || panic!("c")).wait().unwrap_err();
    assert!(matches!(error.root(), Error::Panicked { .. }));

    let held = Held::on(&script, 1);
    let ticket = registry.prefetch::<Scripted>(&1);
    held.begun();
    let dropped = Arc::<AtomicBool>::default();
    let sentinel = Sentinel(dropped.clone());
    let unwanted = shaders.prefetch_with("d".into(), move || {
        let _ = &sentinel;
        Ok(4)
    });
    let late = shaders.prefetch_with("e".into(), || Ok(5));
    assert!(!dropped.load(Ordering::SeqCst));
    drop(unwanted);
    assert!(dropped.load(Ordering::SeqCst), "with what it was to be made of");
    registry.device_lost(None);
    held.end();
    assert!(
        matches!(late.wait().unwrap_err().root(), Error::DeviceLost),
        "it was to be made on the lost one"
    );
    assert!(ticket.wait().is_err());
    let counters = shaders.counters();
    assert_eq!((counters.hits, counters.misses, counters.failed_creations), (0, 3, 2));
}

#[test]
fn a_kernel_whose_name_is_taken_has_tickets_that_say_so() {
    let (registry, _) = registry(1);
    let _taken = registry.cache::<u32, u32>("scripted").unwrap();
    let ticket = registry.prefetch::<Scripted>(&1);
    assert!(ticket.is_ready());
    assert!(matches!(ticket.wait().unwrap_err().root(), Error::DuplicateCacheName { .. }));
}
