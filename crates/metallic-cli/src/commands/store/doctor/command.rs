use std::cmp::Reverse;
use std::io::Write;

use metallic_store::ArtifactStore;
use metallic_store::remote::redacted_url;
use serde::Serialize;

use super::{Clues, Examined, examine_base, examine_folder, examine_server};
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
    let opened = store::open(&args.store, None)?;
    let secret = store::secret()?;
    let mut levels = vec![examine_folder(&opened.disk, secret.is_some())];
    levels.extend(args.bases.iter().map(|base| examine_base(base, secret.as_ref())));
    if let (Some(remote), Some(url)) = (&opened.remote, store::url(&args.store)) {
        // The costliest are what is worth asking a server for.
        let ids = opened.disk.ids(None).unwrap_or_default();
        let mut local: Vec<_> = ids.iter().filter_map(|id| opened.disk.info(id).ok()).collect();
        local.sort_by_key(|info| Reverse(info.cost));
        let local = local.iter().map(|info| info.id).collect();
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
