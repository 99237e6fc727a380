//! Compressed files that are damaged: what comes before the damage is read.

use std::io::{self, Read, Write};

/// The decompressed bytes up to the first that cannot be had. A writer that was killed leaves such a file.
pub(super) struct Salvaged {
    pub(super) decoder: Box<dyn Read>,
    pub(super) name: String,
    pub(super) read: u64,
}

impl Read for Salvaged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(buffer) {
            Err(error) if self.read > 0 && is_damage(&error) => {
                let (name, read) = (&self.name, self.read);
                // The line within is counted as torn by whoever reads lines; standard error says why.
                let _ = writeln!(
                    io::stderr(),
                    "metallic: {name}: damaged ({error}): only its first {read} bytes, decompressed, are read"
                );
                self.decoder = Box::new(io::empty());
                Ok(0)
            }
            result => result.inspect(|read| self.read += *read as u64),
        }
    }
}

fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use flate2::read::{GzEncoder, MultiGzDecoder};

    use super::*;

    fn salvaged(gz: &[u8]) -> io::Result<String> {
        let decoder = Box::new(MultiGzDecoder::new(io::Cursor::new(gz.to_vec())));
        let mut text = String::new();
        Salvaged { decoder, name: "log.gz".to_owned(), read: 0 }.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn what_comes_before_the_damage_is_read_and_a_file_without_any_of_it_is_an_error() {
        let text: String = (0..5000).map(|line| format!("line {line}\n")).collect();
        let mut gz = Vec::new();
        GzEncoder::new(text.as_bytes(), flate2::Compression::fast()).read_to_end(&mut gz).unwrap();
        assert_eq!(salvaged(&gz).unwrap(), text);
        let torn = salvaged(&gz[..gz.len() / 2]).unwrap();
        assert!(torn.len() > 1000 && torn.len() < text.len() && text.starts_with(&torn));
        gz.extend_from_slice(b"not gzip");
        assert_eq!(salvaged(&gz).unwrap(), text);
        assert!(salvaged(&gz[..12]).is_err());
    }
}
