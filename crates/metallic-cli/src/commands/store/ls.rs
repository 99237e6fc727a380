//! `metallic store ls`.

use std::io::Write;

use serde::Serialize;

use super::folder;
use super::listing::{DamageJson, EntryJson, list, totals, write_table};
use crate::args::LsArgs;
use crate::error::Error;
use crate::json;

#[derive(Serialize)]
struct Json {
    folder: String,
    entries: Vec<EntryJson>,
    unreadable: Vec<DamageJson>,
}

pub(super) fn run(args: &LsArgs, out: &mut dyn Write) -> Result<(), Error> {
    let store = folder::open(&args.folder)?;
    let mut listed = list(&store)?;
    if let Some(cache) = &args.cache {
        listed.retain(|listed| listed.info.as_ref().is_ok_and(|info| info.key.cache() == cache));
    }
    let infos = || listed.iter().filter_map(|listed| listed.info.as_ref().ok());
    if args.folder.json {
        let damage = |listed: &super::listing::Listed| {
            listed.info.as_ref().err().map(|cause| DamageJson::new(&listed.id, cause))
        };
        let body = Json {
            folder: store.folder().display().to_string(),
            entries: infos().map(EntryJson::from).collect(),
            unreadable: listed.iter().filter_map(damage).collect(),
        };
        return json::write(json::STORE_LS, &body, out);
    }
    if !listed.is_empty() {
        write_table(&listed, out)?;
        writeln!(out)?;
    }
    writeln!(out, "{}", totals(infos()))?;
    Ok(writeln!(out, "in {}", store.folder().display())?)
}
