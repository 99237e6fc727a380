//! `metallic store clear`.

use std::io::Write;

use metallic_store::ArtifactStore;

use super::folder;
use super::listing::list;
use super::removal::Removal;
use crate::args::FolderArgs;
use crate::error::Error;

pub(super) fn run(args: &FolderArgs, out: &mut dyn Write) -> Result<(), Error> {
    let store = folder::open_to_change(args, None)?;
    let mut removal = Removal { removed: Vec::new(), failed: Vec::new() };
    for listed in list(&store)? {
        match store.remove(&listed.id) {
            Ok(true) => removal.removed.push(listed),
            // Another process was faster.
            Ok(false) => {}
            Err(cause) => removal.failed.push(format!("{}: {cause}", listed.id)),
        }
    }
    // Counts anew, which removes what killed processes have left.
    if let Err(cause) = store.usage() {
        removal.failed.push(format!("the ledger: {cause}"));
    }
    removal.report(&store, args.json, out)
}
