//! `metallic store import`.

use std::io::Write;
use std::sync::Arc;

use metallic_store::{Bundle, BundleTrust, StoreObserver};
use serde::Serialize;

use super::folder;
use super::listing::name;
use super::removal::Evictions;
use crate::args::ImportArgs;
use crate::error::Error;
use crate::json;
use crate::units::counted;

#[derive(Serialize)]
struct Json {
    folder: String,
    imported: u64,
    evicted: Vec<String>,
    failed: Vec<(String, String)>,
}

pub(super) fn run(args: &ImportArgs, out: &mut dyn Write) -> Result<(), Error> {
    let file = args.file.display().to_string();
    let trust = if args.trust { BundleTrust::Anyone } else { BundleTrust::SignedBy(&args.signers) };
    // Before the folder is created.
    let bundle =
        Bundle::open(&args.file, trust).map_err(|error| Error::content(&*file, error.to_string()))?;
    let evictions = Arc::new(Evictions::default());
    let observer: Arc<dyn StoreObserver> = evictions.clone();
    let store = folder::create(&args.folder, Some(&observer))?;
    let report = bundle.import_into(&*store);
    let (evicted, _) = evictions.take();

    let folder = store.folder().display().to_string();
    if args.folder.json {
        let body = Json {
            folder,
            imported: report.moved,
            evicted: evicted.iter().map(ToString::to_string).collect(),
            failed: report.failed.iter().map(|(id, cause)| (id.to_string(), cause.clone())).collect(),
        };
        json::write(json::STORE_IMPORT, &body, out)?;
    } else {
        for (id, cause) in &report.failed {
            writeln!(out, "not imported  {}  {cause}", name(id))?;
        }
        writeln!(
            out,
            "{} of {} in {folder}",
            report.moved,
            counted(bundle.len() as u64, "entry is", "entries are")
        )?;
        if !evicted.is_empty() {
            writeln!(
                out,
                "{} evicted to make room",
                counted(evicted.len() as u64, "entry was", "entries were")
            )?;
        }
    }
    match report.failed.first() {
        None => Ok(()),
        Some((id, cause)) => {
            let number = report.failed.len();
            Err(Error::content(file, format!("{number} were not imported, the first: {}: {cause}", name(id))))
        }
    }
}
