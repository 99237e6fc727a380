use std::cmp::Reverse;
use std::io::Write;

use metallic_store::remote::redacted_url;
use metallic_store::{ArtifactStore, DiskOptions, DiskStore, EntryId};
use serde::Serialize;

use super::{Clues, Examined, examine_base, examine_folder, examine_server, no_store};
use crate::args::DoctorArgs;
use crate::error::Error;
use crate::json;
use crate::store;

#[derive(Serialize)]
struct Json {
    levels: Vec<Examined>,
    failures: usize,
}

/// Examines all levels.
///
/// # Errors
/// The store cannot be opened at all, or there are failures.
pub(in crate::commands::store) fn run(args: &DoctorArgs, out: &mut dyn Write) -> Result<(), Error> {
    let remote = store::remote(&args.store, None)?;
    let secret = store::secret()?;
    let (folder, is_named) = (store::folder(&args.store)?, store::is_named(&args.store));
    // A folder that was misspelt is not made: it would be as it should be. The platform's is.
    let none = if is_named { no_store(&folder) } else { None };
    let (examined, local) = match none {
        Some(none) => (none, Vec::new()),
        None => {
            let disk = store::disk(&args.store, None, DiskOptions::DEFAULT_LIMIT)?;
            (examine_folder(&disk, secret.is_some()), costliest(&disk))
        }
    };
    let mut levels = vec![examined];
    levels.extend(args.bases.iter().map(|base| examine_base(base, secret.as_ref())));
    if let (Some(remote), Some(url)) = (&remote, store::url(&args.store)) {
        let clues = Clues { place: redacted_url(&url), has_secret: secret.is_some(), local };
        levels.push(examine_server(remote, &clues));
    }

    let failures: Vec<_> = levels.iter().flat_map(Examined::failures).collect();
    if args.json {
        json::write(json::STORE_DOCTOR, &Json { failures: failures.len(), levels }, out)?;
    } else {
        for (number, level) in levels.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            level.write(out)?;
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Error::Checks(failures)) }
}

/// The entries that are worth asking a server for, the costliest first.
fn costliest(disk: &DiskStore) -> Vec<EntryId> {
    let ids = disk.ids(None).unwrap_or_default();
    let mut infos: Vec<_> = ids.iter().filter_map(|id| disk.info(id).ok()).collect();
    infos.sort_by_key(|info| Reverse(info.cost));
    infos.iter().map(|info| info.id).collect()
}
