//! The format of an entry, which `docs/artifact-format.md` describes byte by byte.

mod decode;
mod encode;
mod reader;

#[cfg(feature = "disk")]
pub(crate) use decode::Head;
pub(crate) use reader::Reader;

use crate::{Digest, limits};

/// Not text, not UTF-8, changed by a transfer that touches line ends.
pub(crate) const MAGIC: [u8; 8] = *b"\x8ametal\r\n";
/// The version this crate writes, and the only one there has been.
pub(crate) const FORMAT: u32 = 1;
/// Length of the fixed part.
pub(crate) const HEAD: usize = 128;
/// The payload is the name of another entry.
pub(crate) const FLAG_LINK: u32 = 1;
/// The MAC is set.
pub(crate) const FLAG_MAC: u32 = 2;

/// A sequence of bytes that is not an entry, or not the one that was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The first eight bytes are others.
    #[error("not an artifact of metallic")]
    Magic,
    /// A later version wrote it.
    #[error("format {0} is not known, only {FORMAT} is")]
    Version(u32),
    /// A bit of the flags has no meaning in this format.
    #[error("flags {0:#x} are not known")]
    Flags(u32),
    /// There are fewer bytes than the header says.
    #[error("ends after {len} of {expected} bytes")]
    Truncated {
        /// Bytes there are.
        len: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// There are more bytes than the header says.
    #[error("{0} bytes follow its end")]
    Trailing(u64),
    /// A length is beyond the format's limit, and nothing was allocated for it.
    #[error("{field} of {len} bytes, more than {limit}")]
    TooLong {
        /// The field.
        field: &'static str,
        /// Its length.
        len: u64,
        /// The most there may be.
        limit: u64,
    },
    /// A field of the header has a value it cannot have.
    #[error("its {0} is malformed")]
    Malformed(&'static str),
    /// The header or key is not what was written.
    #[error("the digest of its header is another")]
    HeaderDigest,
    /// A payload is not what was written.
    #[error("the digest of its payloads is another")]
    PayloadDigest,
    /// A secret is set, and the entry was written without one.
    #[error("it is not authenticated")]
    MacMissing,
    /// The entry was written under another secret.
    #[error("it is authenticated by another secret")]
    MacMismatch,
}

impl FormatError {
    /// A stable name for counters and events.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Magic => "magic",
            Self::Version(_) => "format_version",
            Self::Flags(_) => "flags",
            Self::Truncated { .. } => "truncated",
            Self::Trailing(_) => "trailing_bytes",
            Self::TooLong { .. } => "too_long",
            Self::Malformed(_) => "malformed",
            Self::HeaderDigest => "header_digest",
            Self::PayloadDigest => "payload_digest",
            Self::MacMissing => "mac_missing",
            Self::MacMismatch => "mac_mismatch",
        }
    }
}

/// The digest of the fixed part before it, the MAC included, and the variable part.
fn header_digest(fixed: &[u8], variable: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(fixed).update(variable);
    Digest(*hasher.finalize().as_bytes())
}

fn too_long(field: &'static str, len: u64, limit: u64) -> Result<(), FormatError> {
    if len > limit { Err(FormatError::TooLong { field, len, limit }) } else { Ok(()) }
}

/// Checks that an entry of this length may be read or written at all.
pub(crate) fn check_length(len: u64) -> Result<(), FormatError> {
    too_long("entry", len, limits::ENTRY)
}
