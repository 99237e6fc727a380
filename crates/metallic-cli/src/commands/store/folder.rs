use std::sync::Arc;

use metallic_store::{DiskOptions, DiskStore, StoreObserver};

use crate::args::{FolderArgs, StoreArgs};
use crate::error::Error;
use crate::store;

/// Opens the folder's store without changing anything in it, not even the times of last use.
///
/// # Errors
/// There is no folder, or it is not safe to use.
pub(super) fn open(args: &FolderArgs) -> Result<DiskStore, Error> {
    let place = StoreArgs { store: args.store.clone(), ..StoreArgs::default() };
    let folder = store::folder(&place)?;
    if !folder.exists() {
        return Err(Error::content(folder.display().to_string(), "there is no store in this place"));
    }
    let mut options = DiskOptions::new().read_only();
    if let Some(secret) = store::secret()? {
        options = options.with_secret(secret);
    }
    let store = DiskStore::open(folder, options);
    safe(&store)?;
    Ok(store)
}

/// Opens the folder's store to change it. A folder without one stays as it is.
///
/// # Errors
/// As [`open`].
pub(super) fn open_to_change(
    args: &FolderArgs,
    observer: Option<&Arc<dyn StoreObserver>>,
) -> Result<Arc<DiskStore>, Error> {
    open(args)?;
    create(args, observer)
}

/// Opens the folder's store, which is created if it is not there.
///
/// # Errors
/// The user has no folder for it, or it is not safe to use.
pub(super) fn create(
    args: &FolderArgs,
    observer: Option<&Arc<dyn StoreObserver>>,
) -> Result<Arc<DiskStore>, Error> {
    let place = StoreArgs { store: args.store.clone(), ..StoreArgs::default() };
    let store = store::disk(&place, observer, DiskOptions::DEFAULT_LIMIT)?;
    safe(&store)?;
    // A program may let its folder grow further than this one would: nothing leaves because it is looked at.
    let used = store.usage().map_or(0, |usage| usage.bytes);
    if used <= DiskOptions::DEFAULT_LIMIT / 2 {
        return Ok(store);
    }
    store::disk(&place, observer, used.saturating_add(DiskOptions::DEFAULT_LIMIT))
}

fn safe(store: &DiskStore) -> Result<(), Error> {
    match store.refusal() {
        None => Ok(()),
        Some(refusal) => Err(Error::NotFound(format!("the store is refused: {refusal}"))),
    }
}
