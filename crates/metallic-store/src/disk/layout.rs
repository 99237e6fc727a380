use std::path::{Path, PathBuf};

use super::file_system::StatKind;
use crate::{EntryId, Subject};

const LEDGER: &str = "ledger";
const TEMPORARY: &str = "tmp";
const LEASES: &str = "leases";
const SHARDS: &str = "entries";

/// Where things are in a store's folder.
///
/// ```text
/// ledger                    bytes in the store, behind the lock that changes them
/// tmp/<reserved>-<unique>   entries being written; the name says how many bytes are reserved
/// leases/<id>               locked while an entry is being created
/// entries/<xx>/<id>         entries, in 256 folders by their subject's first byte
/// ```
#[derive(Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.root.join(LEDGER)
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join(TEMPORARY)
    }

    pub(super) fn leases(&self) -> PathBuf {
        self.root.join(LEASES)
    }

    pub(super) fn lease(&self, id: &EntryId) -> PathBuf {
        self.leases().join(id.to_string())
    }

    pub(super) fn shards(&self) -> PathBuf {
        self.root.join(SHARDS)
    }

    pub(super) fn shard(&self, subject: Subject) -> PathBuf {
        self.shards().join(format!("{:02x}", subject.0[0]))
    }

    pub(super) fn entry(&self, id: &EntryId) -> PathBuf {
        self.shard(id.subject()).join(id.to_string())
    }

    /// The name of a file that `bytes` are reserved for.
    pub(super) fn temporary_file(&self, bytes: u64, unique: u64) -> PathBuf {
        self.temporary().join(format!("{bytes}-{}-{unique}", std::process::id()))
    }

    /// The bytes that a temporary file's name says are reserved; none if no store has given it that name.
    pub(super) fn reserved(name: &str) -> Option<u64> {
        let mut numbers = name.split('-').map(|number| number.parse::<u64>().ok());
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Some(bytes)), Some(Some(_)), Some(Some(_)), None) => Some(bytes),
            _ => None,
        }
    }

    /// Returns `true` for what a store makes in its folder, and few others do.
    pub(super) fn tells_a_store(name: &str) -> bool {
        matches!(name, LEDGER | SHARDS)
    }

    /// Returns `true` for what a store has right in its folder.
    pub(super) fn is_part(name: &str, kind: StatKind) -> bool {
        match name {
            LEDGER => kind == StatKind::File,
            TEMPORARY | LEASES | SHARDS => kind == StatKind::Folder,
            _ => false,
        }
    }
}
