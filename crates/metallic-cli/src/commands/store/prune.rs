//! `metallic store prune`.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use metallic_store::StoreObserver;

use super::folder;
use super::listing::list;
use super::removal::{Evictions, Removal, gone};
use crate::args::PruneArgs;
use crate::error::Error;

pub(super) fn run(args: &PruneArgs, out: &mut dyn Write) -> Result<(), Error> {
    let evictions = Arc::new(Evictions::default());
    let observer: Arc<dyn StoreObserver> = evictions.clone();
    let store = folder::open_to_change(&args.folder, Some(&observer))?;
    let mut before: HashMap<_, _> = list(&store)?.into_iter().map(|listed| (listed.id, listed)).collect();
    let failed = |error| Error::NotFound(format!("{}: {error}", store.folder().display()));
    store.prune(args.to).map_err(failed)?;
    let (evicted, failed) = evictions.take();
    let removed = evicted.into_iter().map(|id| before.remove(&id).unwrap_or_else(|| gone(id))).collect();
    Removal { removed, failed }.report(&store, args.folder.json, out)
}
