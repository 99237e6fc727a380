//! `metallic store verify`.

use std::io::Write;

use metallic_store::ArtifactStore;
use serde::Serialize;

use super::folder;
use super::listing::{DamageJson, list, name};
use crate::args::VerifyArgs;
use crate::error::Error;
use crate::paragraph::write_wrapped;
use crate::units::{bytes, printable};

#[derive(Serialize)]
struct Json {
    schema: u32,
    folder: String,
    verified: u64,
    bytes: u64,
    damaged: Vec<DamageJson>,
    removed: bool,
}

pub(super) fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<(), Error> {
    // Not to change the times of last use, even if what is damaged is removed.
    let store = folder::open(&args.folder)?;
    let (mut verified, mut size) = (0_u64, 0_u64);
    let mut damaged = Vec::new();
    for listed in list(&store)? {
        let read = listed.info.and_then(|info| store.read(&listed.id).map(|_| info.bytes));
        match read {
            Ok(bytes) => {
                verified += 1;
                size += bytes;
            }
            Err(cause) if cause.is_absence() => {}
            Err(cause) => damaged.push((listed.id, cause)),
        }
    }
    let mut still_there = Vec::new();
    if args.remove && !damaged.is_empty() {
        let store = folder::open_to_change(&args.folder, None)?;
        for (id, _) in &damaged {
            if let Err(cause) = store.remove(id) {
                still_there.push(format!("{}: {cause}", name(id)));
            }
        }
    }

    if args.folder.json {
        let json = Json {
            schema: 1,
            folder: store.folder().display().to_string(),
            verified,
            bytes: size,
            damaged: damaged.iter().map(|(id, cause)| DamageJson::new(id, cause)).collect(),
            removed: args.remove && still_there.is_empty(),
        };
        serde_json::to_writer(&mut *out, &json)?;
        writeln!(out)?;
    } else {
        let done = if args.remove { "removed" } else { "damaged" };
        for (id, cause) in &damaged {
            write_wrapped(
                out,
                &format!("{done}  {}  ", name(id)),
                &printable(&cause.to_string(), usize::MAX),
            )?;
        }
        writeln!(out, "{verified} are whole, {}; {} are not", bytes(size), damaged.len())?;
    }
    match (still_there.first(), damaged.len()) {
        (Some(first), _) => Err(Error::NotFound(format!("cannot be removed: {first}"))),
        (None, 0) => Ok(()),
        (None, _) if args.remove => Ok(()),
        (None, number) => {
            let folder = store.folder().display();
            Err(Error::Checks(vec![format!(
                "{folder}: {number} of {} are damaged",
                number as u64 + verified
            )]))
        }
    }
}
