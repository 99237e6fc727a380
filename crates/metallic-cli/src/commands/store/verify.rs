//! `metallic store verify`.

use std::collections::HashSet;
use std::io::Write;

use metallic_store::{ArtifactStore, FormatError, MissCause};
use serde::Serialize;

use super::folder;
use super::listing::{DamageJson, list, name};
use crate::args::VerifyArgs;
use crate::error::Error;
use crate::json;
use crate::paragraph::write_wrapped;
use crate::units::{bytes, counted, printable};

#[derive(Serialize)]
struct Json {
    folder: String,
    verified: u64,
    bytes: u64,
    damaged: Vec<DamageJson>,
    removed: bool,
}

/// Returns `true` if no program can make anything of the entry, with another secret or of another version.
fn is_of_no_use(cause: &MissCause) -> bool {
    match cause {
        MissCause::Damaged(FormatError::Version(_) | FormatError::Flags(_)) => false,
        MissCause::Damaged(FormatError::MacMissing | FormatError::MacMismatch) => false,
        MissCause::Damaged(_) | MissCause::OtherKey | MissCause::LinkToLink | MissCause::NotAFile => true,
        _ => false,
    }
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
    let mut removed = HashSet::new();
    if args.remove && !damaged.is_empty() {
        let store = folder::open_to_change(&args.folder, None)?;
        for (id, cause) in &damaged {
            if !is_of_no_use(cause) {
                still_there.push(format!("{}: not removed, another program may read it: {cause}", name(id)));
                continue;
            }
            match store.remove(id) {
                Ok(_) => drop(removed.insert(*id)),
                Err(cause) => still_there.push(format!("{}: cannot be removed: {cause}", name(id))),
            }
        }
    }

    if args.folder.json {
        let body = Json {
            folder: store.folder().display().to_string(),
            verified,
            bytes: size,
            damaged: damaged.iter().map(|(id, cause)| DamageJson::new(id, cause)).collect(),
            removed: args.remove && still_there.is_empty(),
        };
        json::write(json::STORE_VERIFY, &body, out)?;
    } else {
        for (id, cause) in &damaged {
            let done = if removed.contains(id) { "removed" } else { "damaged" };
            write_wrapped(
                out,
                &format!("{done}  {}  ", name(id)),
                &printable(&cause.to_string(), usize::MAX),
            )?;
        }
        writeln!(
            out,
            "{}, {}; {} not",
            counted(verified, "is whole", "are whole"),
            bytes(size),
            counted(damaged.len() as u64, "is", "are")
        )?;
    }
    match (still_there.first(), damaged.len()) {
        (Some(first), _) => Err(Error::NotFound(first.clone())),
        (None, 0) => Ok(()),
        (None, _) if args.remove => Ok(()),
        (None, number) => {
            let folder = store.folder().display();
            Err(Error::Checks(vec![format!(
                "{folder}: {} of {} damaged",
                number,
                counted(number as u64 + verified, "entry is", "entries are")
            )]))
        }
    }
}
