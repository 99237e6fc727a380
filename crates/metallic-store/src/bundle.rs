//! Artifacts as one file: compressed, signed, to ship with a program.

mod exporting;
mod opening;
mod store;

use crate::{EntryId, FormatError, MissCause};

pub use store::Bundle;

pub(crate) const MAGIC: [u8; 8] = *b"\x8ametbnd\n";
pub(crate) const FORMAT: u32 = 1;
/// Length of the fixed part.
pub(crate) const HEAD: usize = 160;
/// Where the part that is signed ends.
pub(crate) const SIGNED: usize = 96;
/// The signature is set.
pub(crate) const FLAG_SIGNED: u32 = 1;

/// The private half of a key that signs bundles.
pub struct BundleSigner(ed25519_dalek::SigningKey);

impl BundleSigner {
    /// A key from 32 random bytes, which are as secret as what they sign.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half, which programs carry to verify bundles by.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

/// Which bundles are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleTrust<'a> {
    /// Those that one of these public keys has signed.
    SignedBy(&'a [[u8; 32]]),
    /// Any whose digests are right: the caller knows where the file comes from.
    Anyone,
}

/// A file that is not a bundle, or not one to be trusted; or entries that do not fit into one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It cannot be read.
    #[error("the bundle cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// Its header is not that of a bundle that this version reads, or its length or digest is another.
    #[error("the bundle is damaged: {0}")]
    Damaged(#[from] FormatError),
    /// The entries take more than a bundle may.
    #[error(
        "the entries take {bytes} bytes or more, and a bundle at most {limit}: export them by cache or key"
    )]
    TooLong {
        /// The bytes of the entries up to the one that was too much.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },
    /// It does not decompress to what its header says.
    #[error("the bundle is damaged: {0}")]
    Compression(String),
    /// It has no signature.
    #[error("the bundle is not signed")]
    Unsigned,
    /// It is signed by a key that is not trusted.
    #[error("the bundle is signed by `{key}`, which is not trusted", key = crate::Digest(*.0))]
    UnknownSigner([u8; 32]),
    /// The signature is not of this content.
    #[error("the bundle's signature is wrong")]
    Signature,
    /// There is something else in it than entries, each once.
    #[error("entry {index} of the bundle: {cause}")]
    Entry {
        /// Its number, from 0.
        index: u32,
        /// The fault.
        cause: MissCause,
    },
}

/// The entries that were moved between a store and a bundle, and those that were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleReport {
    /// Entries moved.
    pub moved: u64,
    /// Entries not moved, and why.
    pub failed: Vec<(EntryId, String)>,
}
