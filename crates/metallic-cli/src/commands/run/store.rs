//! The store of artifacts of a run.

use std::sync::Arc;

use metallic::creation::StoreEvents;
use metallic_instrumentation::EventSink;
use metallic_store::StoreObserver;

use crate::args::RunArgs;
use crate::devices::DeviceCaches;
use crate::error::Error;
use crate::store::{self, OpenStore};

/// # Errors
/// [`Error::Usage`] if a store is asked for, and the device keeps nothing in one.
pub(super) fn check(args: &RunArgs, device: &impl DeviceCaches) -> Result<(), Error> {
    let asked = args.store.store.is_some() || args.store.store_remote.is_some();
    if asked && !device.keeps_artifacts() {
        return Err(Error::Usage("--store: the device has no artifacts; GPUs through Vulkan do".into()));
    }
    Ok(())
}

/// Opens the store and gives it to the device; `None` if the device has no artifacts, or `--no-store` is given.
///
/// # Errors
/// As [`store::open`]. A user without a folder for caches who asks for no store has none.
pub(super) fn open(
    args: &RunArgs,
    device: &impl DeviceCaches,
    sink: Option<Arc<dyn EventSink>>,
) -> Result<Option<OpenStore>, Error> {
    if args.no_store || !device.keeps_artifacts() || store::folder(&args.store).is_err() {
        return Ok(None);
    }
    let observer = sink.map(|sink| Arc::new(StoreEvents::new(sink)) as Arc<dyn StoreObserver>);
    let opened = store::open(&args.store, observer.as_ref())?;
    device.set_store(opened.whole());
    Ok(Some(opened))
}
