use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use ed25519_dalek::{Signature, VerifyingKey};

use super::{BundleError, BundleTrust, FLAG_SIGNED, FORMAT, HEAD, MAGIC, SIGNED};
use crate::format::Reader;
use crate::{Bundle, Digest, Entry, EntryId, FormatError, MissCause, compression};

impl Bundle {
    /// The most that the entries of a bundle may take: 4 GiB. All are kept in memory.
    pub const MAX_BYTES: u64 = 4 << 30;

    /// Opens a bundle, and verifies all of it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or is not signed by a trusted key.
    pub fn open(path: impl AsRef<Path>, trust: BundleTrust<'_>) -> Result<Self, BundleError> {
        let mut file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut bytes)?;
        // Of a file that is something else no more is read, and of none more than it says there is.
        let packed = Head::decode(&bytes)?.packed;
        file.take(packed + 1).read_to_end(&mut bytes)?;
        Self::from_bytes(&bytes, trust)
    }

    /// Verifies a bundle, and takes its entries out: length, digest and signature before anything is decompressed, and then
    /// each entry as it would be from a disk.
    ///
    /// # Errors
    ///
    /// As [`Bundle::open`].
    pub fn from_bytes(bytes: &[u8], trust: BundleTrust<'_>) -> Result<Self, BundleError> {
        let (head, compressed) = split(bytes)?;
        check_signature(head, trust)?;
        let len = Reader(&head[24..]).u64("length")?;
        let body = compression::decompress(compressed, len)
            .map_err(|error| BundleError::Compression(error.to_string()))?;
        entries(&body).map(Self::of)
    }
}

/// The header's fields that say how to read the rest.
struct Head {
    flags: u32,
    /// Length of the compressed body.
    packed: u64,
    digest: [u8; 32],
}

impl Head {
    /// Reads the header from the front of `bytes`, and checks every length.
    fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(FormatError::Magic);
        }
        let Some(head) = bytes.get(..HEAD) else {
            return Err(FormatError::Truncated { len: bytes.len() as u64, expected: HEAD as u64 });
        };
        let mut fields = Reader(&head[MAGIC.len()..]);
        let version = fields.u32("format")?;
        if version != FORMAT {
            return Err(FormatError::Version(version));
        }
        let flags = fields.u32("flags")?;
        if flags & !FLAG_SIGNED != 0 {
            return Err(FormatError::Flags(flags));
        }
        let (packed, unpacked) = (fields.u64("length")?, fields.u64("length")?);
        for len in [packed, unpacked] {
            if len > Bundle::MAX_BYTES {
                return Err(FormatError::TooLong { field: "bundle", len, limit: Bundle::MAX_BYTES });
            }
        }
        Ok(Self { flags, packed, digest: fields.array("digest")? })
    }
}

/// Splits a file into its header and its compressed body, and checks lengths and digest.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), FormatError> {
    let Head { flags, packed, digest } = Head::decode(bytes)?;
    let (head, compressed) = bytes.split_at(HEAD);
    let len = compressed.len() as u64;
    if len < packed {
        return Err(FormatError::Truncated { len: len + HEAD as u64, expected: packed + HEAD as u64 });
    }
    if len > packed {
        return Err(FormatError::Trailing(len - packed));
    }
    if Digest::of(compressed).0 != digest {
        return Err(FormatError::PayloadDigest);
    }
    if flags == 0 && head[SIGNED - 32..] != [0; 96] {
        return Err(FormatError::Malformed("signature"));
    }
    Ok((head, compressed))
}

fn check_signature(head: &[u8], trust: BundleTrust<'_>) -> Result<(), BundleError> {
    let mut fields = Reader(&head[12..]);
    let is_signed = fields.u32("flags")? & FLAG_SIGNED != 0;
    if !is_signed {
        return if trust == BundleTrust::Anyone { Ok(()) } else { Err(BundleError::Unsigned) };
    }
    let mut fields = Reader(&head[SIGNED - 32..]);
    let public = fields.array::<32>("key")?;
    if let BundleTrust::SignedBy(trusted) = trust {
        if !trusted.contains(&public) {
            return Err(BundleError::UnknownSigner(public));
        }
    }
    let signature = Signature::from_bytes(&fields.array("signature")?);
    let key = VerifyingKey::from_bytes(&public).map_err(|_| BundleError::Signature)?;
    key.verify_strict(&head[..SIGNED], &signature).map_err(|_| BundleError::Signature)
}

fn entries(body: &[u8]) -> Result<HashMap<EntryId, Entry>, BundleError> {
    let mut entries = HashMap::new();
    let mut fields = Reader(body);
    for index in 0.. {
        if fields.0.is_empty() {
            break;
        }
        let decoded = fields.u64("entry").and_then(|len| {
            let len = usize::try_from(len).map_err(|_| FormatError::Malformed("entry"))?;
            Entry::decode(fields.take(len, "entry")?.to_vec(), None)
        });
        let damaged = |cause| BundleError::Entry { index, cause };
        let entry = decoded.map_err(|cause| damaged(cause.into()))?;
        let id = entry.key.id();
        if entries.insert(id, entry).is_some() {
            return Err(damaged(MissCause::OtherKey));
        }
    }
    Ok(entries)
}
