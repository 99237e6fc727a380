//! zstd in Rust, so that no C compiler is needed.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// The window that this crate's encoder needs at most. A frame that asks for more memory is another's.
const WINDOW: u64 = 8 << 20;

/// Bytes that do not decompress to what they should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CompressionError {
    #[error("not a zstd frame: {0}")]
    Frame(String),
    #[error("decompresses to another length")]
    Length,
}

pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// Decompresses to exactly `len` bytes, which the caller has compared with its limit. Memory is allocated as it fills, and
/// decompression stops one byte after `len`, whatever the frame says.
pub(crate) fn decompress(bytes: &[u8], len: u64) -> Result<Vec<u8>, CompressionError> {
    let frame = |error: &dyn std::fmt::Display| CompressionError::Frame(error.to_string());
    let decoder = StreamingDecoder::new_with_max_window_size(bytes, WINDOW).map_err(|error| frame(&error))?;
    let mut out = Vec::new();
    decoder.take(len.saturating_add(1)).read_to_end(&mut out).map_err(|error| frame(&error))?;
    if out.len() as u64 == len { Ok(out) } else { Err(CompressionError::Length) }
}
