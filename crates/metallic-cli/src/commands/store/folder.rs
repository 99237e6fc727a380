use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metallic_store::{DiskOptions, DiskStore, StoreObserver};

use crate::args::{FolderArgs, StoreArgs};
use crate::error::Error;
use crate::store;
use crate::units::printable;

/// Opens the folder's store without changing anything in it, not even the times of last use.
///
/// # Errors
/// There is no folder, or it is not safe to use.
pub(super) fn open(args: &FolderArgs) -> Result<DiskStore, Error> {
    let place = StoreArgs { store: args.store.clone(), ..StoreArgs::default() };
    let folder = store::folder(&place)?;
    if let Some(none) = none_in(&folder) {
        return Err(Error::content(folder.display().to_string(), none));
    }
    let mut options = DiskOptions::new().read_only();
    if let Some(secret) = store::secret()? {
        options = options.with_secret(secret);
    }
    let store = DiskStore::open(folder, options);
    safe(&store)?;
    Ok(store)
}

/// Says that there is no store in a folder, and none can be meant: it is not there, or there are other things in it alone. An
/// empty folder is one that a store can be made in.
pub(super) fn none_in(folder: &Path) -> Option<String> {
    match folder.read_dir() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some("there is no store in this place".to_owned())
        }
        // What it is otherwise, opening it says.
        Err(_) => None,
        Ok(mut names) => {
            let first = names.next()?.ok()?.file_name();
            let holds_store = DiskStore::open(folder, DiskOptions::new().read_only()).holds_store();
            let other = printable(&first.to_string_lossy(), 40);
            (!holds_store.unwrap_or(true))
                .then(|| format!("this is no store: there are other things in it, such as `{other}`"))
        }
    }
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
    let open = |limit| {
        let options = store::options(observer, limit)?.with_lock_wait(PATIENCE);
        Ok::<_, Error>(Arc::new(DiskStore::open(store::folder(&place)?, options)))
    };
    let store = open(DiskOptions::DEFAULT_LIMIT)?;
    safe(&store)?;
    // A program may let its folder grow further than this one would: nothing leaves because it is looked at.
    let used = store.usage().map_or(0, |usage| usage.bytes);
    if used <= DiskOptions::DEFAULT_LIMIT / 2 {
        return Ok(store);
    }
    open(used.saturating_add(DiskOptions::DEFAULT_LIMIT))
}

/// The longest wait for other processes' writes. A program that creates pipelines had better compile; a user who asks for a
/// change wants it.
const PATIENCE: Duration = Duration::from_secs(10);

fn safe(store: &DiskStore) -> Result<(), Error> {
    match store.refusal() {
        None => Ok(()),
        Some(refusal) => Err(Error::NotFound(format!("the store is refused: {refusal}"))),
    }
}
