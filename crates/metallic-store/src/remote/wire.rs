//! How an entry travels: `\x8ametzst\n`, its length in eight bytes, a zstd frame; or as it is, if that is shorter.

use crate::format::{self, Reader, check_length};
use crate::{FormatError, compression};

const MAGIC: [u8; 8] = *b"\x8ametzst\n";

pub(super) fn pack(entry: Vec<u8>) -> Vec<u8> {
    let compressed = compression::compress(&entry);
    if compressed.len() + 16 >= entry.len() {
        return entry;
    }
    let mut packed = Vec::with_capacity(16 + compressed.len());
    packed.extend_from_slice(&MAGIC);
    packed.extend_from_slice(&(entry.len() as u64).to_le_bytes());
    packed.extend_from_slice(&compressed);
    packed
}

/// Unpacks what a server gave. The length it claims is checked before, and obeyed during, decompression.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<Vec<u8>, FormatError> {
    if bytes.starts_with(&format::MAGIC) {
        return Ok(bytes);
    }
    let packed = bytes.strip_prefix(&MAGIC).ok_or(FormatError::Magic)?;
    let mut fields = Reader(packed);
    let len = fields.u64("compressed length")?;
    check_length(len)?;
    compression::decompress(fields.0, len).map_err(|_| FormatError::Malformed("compression"))
}
