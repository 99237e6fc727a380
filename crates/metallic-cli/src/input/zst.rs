//! Zstandard.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Decompresses all frames of a file, one after the other, as `zstd -d` does.
pub(super) struct ZstReader<R> {
    source: R,
    decoder: FrameDecoder,
    within_frame: bool,
}

/// Returns `true` if a file that begins like this is compressed.
pub(super) fn is_zst(start: &[u8]) -> bool {
    let Some(magic) = start.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else { return false };
    magic == 0xFD2F_B528 || magic & !0xF == 0x184D_2A50
}

impl<R: BufRead> ZstReader<R> {
    pub(super) fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        // `zstd --long` asks for up to 2 GiB; the default of `zstd -d` is 128 MiB.
        decoder.set_max_window_size(1 << 27);
        Self { source, decoder, within_frame: false }
    }

    /// Enters the next frame, and says whether there is one.
    fn enter_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.within_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(invalid(error)),
            }
        }
    }
}

impl<R: BufRead> Read for ZstReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within_frame && !self.enter_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(invalid)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.within_frame = false;
        }
    }
}

fn invalid(error: FrameDecoderError) -> io::Error {
    // Not what it holds: that is how it looks to a programmer.
    let cause = match error {
        FrameDecoderError::ReadFrameHeaderError(_) => "what follows is no zstd",
        FrameDecoderError::FailedToReadChecksum(_) => "its checksum is missing",
        FrameDecoderError::WindowSizeTooBig { .. } => "it wants a window of more than 128 MiB",
        _ => "a block cannot be decoded",
    };
    io::Error::new(io::ErrorKind::InvalidData, format!("zstd: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::{ZstReader, is_zst};

    #[test]
    fn all_frames_are_read_and_skippable_ones_passed_over() {
        let mut file = compress_to_vec(&b"first\n"[..], CompressionLevel::Fastest);
        assert!(is_zst(&file));
        let skippable = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];
        assert!(is_zst(&skippable));
        file.extend_from_slice(&skippable);
        file.extend(compress_to_vec(&vec![b'x'; 1 << 20][..], CompressionLevel::Fastest));
        let mut text = String::new();
        ZstReader::new(&file[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("first\n{}", "x".repeat(1 << 20)));
    }

    #[test]
    fn a_file_that_ends_within_a_frame_is_an_error() {
        let file = compress_to_vec(&b"some text that is long enough"[..], CompressionLevel::Fastest);
        let torn = &file[..file.len() - 6];
        assert!(ZstReader::new(torn).read_to_end(&mut Vec::new()).is_err());
    }
}
