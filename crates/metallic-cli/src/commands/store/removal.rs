use std::io::Write;
use std::sync::{Mutex, PoisonError};

use metallic_store::{DiskStore, EntryId, MissCause, StoreAction, StoreEvent, StoreObserver};
use serde::Serialize;

use super::listing::{EntryJson, Listed, totals, write_table};
use crate::error::Error;
use crate::json;

/// Takes down what a store evicts, and what it could not.
#[derive(Default)]
pub(super) struct Evictions(Mutex<(Vec<EntryId>, Vec<String>)>);

impl Evictions {
    /// The entries that were evicted, and the system's answers for those that were not.
    pub(super) fn take(&self) -> (Vec<EntryId>, Vec<String>) {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StoreObserver for Evictions {
    fn observe(&self, event: &StoreEvent<'_>) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event.action {
            StoreAction::Evicted { id, .. } => taken.0.push(id),
            StoreAction::Fault { attempt: "evict", cause } => taken.1.push(cause.to_owned()),
            _ => {}
        }
    }
}

/// The entries that a command has removed.
pub(super) struct Removal {
    pub(super) removed: Vec<Listed>,
    /// The system's answer for each entry that is still there.
    pub(super) failed: Vec<String>,
}

#[derive(Serialize)]
struct Json {
    folder: String,
    removed: Vec<EntryJson>,
    removed_unreadable: Vec<String>,
    failed: Vec<String>,
    foreign: Vec<String>,
}

/// The most files of others that are named in text.
const NAMED: usize = 5;

impl Removal {
    /// Says what was removed, what was not, and what is not the store's to remove.
    ///
    /// # Errors
    /// Something could not be removed.
    pub(super) fn report(&self, store: &DiskStore, is_json: bool, out: &mut dyn Write) -> Result<(), Error> {
        let folder = store.folder().display().to_string();
        let foreign = store.foreign().map_err(|error| Error::file(&*folder, error))?;
        let foreign: Vec<_> = foreign.iter().map(|path| path.display().to_string()).collect();
        let infos = || self.removed.iter().filter_map(|listed| listed.info.as_ref().ok());
        if is_json {
            let unreadable = self.removed.iter().filter(|listed| listed.info.is_err());
            let body = Json {
                folder: folder.clone(),
                removed: infos().map(EntryJson::from).collect(),
                removed_unreadable: unreadable.map(|listed| listed.id.to_string()).collect(),
                failed: self.failed.clone(),
                foreign,
            };
            json::write(json::STORE_REMOVAL, &body, out)?;
        } else {
            if !self.removed.is_empty() {
                write_table(&self.removed, out)?;
                writeln!(out)?;
            }
            let unreadable = self.removed.len() - infos().count();
            writeln!(out, "removed {}", totals(infos()))?;
            if unreadable > 0 {
                writeln!(out, "and {unreadable} that could not be read")?;
            }
            writeln!(out, "from {folder}")?;
            for path in foreign.iter().take(NAMED) {
                writeln!(out, "not the store's, and still there: {path}")?;
            }
            if foreign.len() > NAMED {
                writeln!(out, "and {} more that are not the store's", foreign.len() - NAMED)?;
            }
        }
        match self.failed.as_slice() {
            [] => Ok(()),
            [first, ..] => {
                let number = self.failed.len();
                Err(Error::content(folder, format!("{number} could not be removed, the first: {first}")))
            }
        }
    }
}

/// An entry that can no longer be looked at.
pub(super) fn gone(id: EntryId) -> Listed {
    Listed { id, info: Err(MissCause::Absent) }
}
