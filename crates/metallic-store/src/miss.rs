use std::io;

use crate::{FormatError, LayerChange};

/// The reason why a store gave no artifact. Every cause is a miss: the resource is created as if there were no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MissCause {
    /// The key was never stored, or was evicted.
    #[error("no artifact of this key")]
    Absent,
    /// There are artifacts of the key under other schemas only.
    #[error("stored under schema {stored}, not {wanted}")]
    Schema {
        /// The schema of a stored artifact.
        stored: u32,
        /// The schema asked for.
        wanted: u32,
    },
    /// There are artifacts of the key, but each under another fingerprint. These are the changes to the nearest one.
    #[error("stored under another fingerprint: {}", changes(.0))]
    Changed(Vec<LayerChange>),
    /// The bytes are not an entry, or not what was written.
    #[error("damaged: {0}")]
    Damaged(#[from] FormatError),
    /// An intact entry is in the place of another.
    #[error("the entry there has another key")]
    OtherKey,
    /// The cheap key leads to an artifact that is no longer there.
    #[error("leads to an artifact that is gone")]
    DanglingLink,
    /// The cheap key leads to another link, and not to an artifact.
    #[error("leads to another link")]
    LinkToLink,
    /// The system did not let the entry be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// A folder, link or device is in the place of a file.
    #[error("not a regular file")]
    NotAFile,
    /// The store's folder is not safe to read from.
    #[error("the store is refused: {0}")]
    Refused(String),
    /// A remote store that may not be read without a secret or an explicit word of trust.
    #[error("not trusted: no secret is set, and nothing says to trust it without")]
    Untrusted,
    /// A remote store does not answer, or did not once in this process.
    #[error("not available: {0}")]
    Unavailable(String),
    /// A driver refused the artifact earlier.
    #[error("rejected earlier in this process")]
    Rejected,
    /// The store panicked: see [`StoreGuard`](crate::StoreGuard).
    #[error("the store panicked")]
    Panicked,
}

impl MissCause {
    /// A stable name for counters and events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Schema { .. } => "schema",
            Self::Changed(_) => "changed",
            Self::Damaged(damage) => damage.name(),
            Self::OtherKey => "other_key",
            Self::DanglingLink => "dangling_link",
            Self::LinkToLink => "link_to_link",
            Self::Unreadable(_) => "unreadable",
            Self::NotAFile => "not_a_file",
            Self::Refused(_) => "refused",
            Self::Untrusted => "untrusted",
            Self::Unavailable(_) => "unavailable",
            Self::Rejected => "rejected",
            Self::Panicked => "panicked",
        }
    }

    /// Returns true if something was there that failed its verification.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::OtherKey | Self::LinkToLink | Self::NotAFile)
    }

    /// Returns true if the store worked, and merely has no such artifact.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Absent | Self::Schema { .. } | Self::Changed(_))
    }
}

/// The reason why a store did not keep an artifact. The resource it belongs to is not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The store, or this level of it, is only read.
    #[error("read only")]
    ReadOnly,
    /// The entry is longer than the format allows, or than the store's whole bound.
    #[error("{bytes} bytes, more than the {limit} that it may take")]
    TooLong {
        /// Length of the entry.
        bytes: u64,
        /// The most it may have.
        limit: u64,
    },
    /// There is no room, and eviction made none.
    #[error("no room for {0} bytes")]
    Full(u64),
    /// The system did not let it be written.
    #[error("cannot be written: {0}")]
    Io(io::ErrorKind),
    /// The store's folder is not safe to write to.
    #[error("the store is refused: {0}")]
    Refused(String),
    /// A remote store does not answer, or did not once in this process.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Others write: another process has the ledger, or the queue of the store's background work is full.
    #[error("other writes take too long")]
    Busy,
    /// The store panicked: see [`StoreGuard`](crate::StoreGuard).
    #[error("the store panicked")]
    Panicked,
}

impl SaveError {
    /// A stable name for counters and events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::TooLong { .. } => "too_long",
            Self::Full(_) => "full",
            Self::Io(_) => "io",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Busy => "busy",
            Self::Panicked => "panicked",
        }
    }
}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<FormatError> for SaveError {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::TooLong { len, limit, .. } => Self::TooLong { bytes: len, limit },
            _ => Self::Io(io::ErrorKind::InvalidData),
        }
    }
}

fn changes(changes: &[LayerChange]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
