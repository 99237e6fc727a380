use std::time::{SystemTime, UNIX_EPOCH};

use super::{FLAG_LINK, FLAG_MAC, FORMAT, HEAD, MAGIC, check_length, header_digest};
use crate::{Body, Digest, Entry, FormatError, Secret};

impl Entry {
    /// Encodes the entry as one file, authenticated if there is a secret.
    ///
    /// # Errors
    ///
    /// [`FormatError::TooLong`] if it takes more than [`limits::ENTRY`](crate::limits::ENTRY) bytes.
    pub fn encode(&self, secret: Option<&Secret>, written: SystemTime) -> Result<Vec<u8>, FormatError> {
        let payload_bytes = self.body.bytes();
        check_length(payload_bytes)?;
        let variable = self.variable_part(written);
        let total = HEAD + variable.len() + payload_bytes as usize;
        check_length(total as u64)?;

        let mut payload_hasher = blake3::Hasher::new();
        self.body.for_each_payload(|_, bytes| {
            payload_hasher.update(bytes);
        });
        let link = if matches!(self.body, Body::Link(_)) { FLAG_LINK } else { 0 };
        let mac = if secret.is_some() { FLAG_MAC } else { 0 };

        let mut file = Vec::with_capacity(total);
        file.extend_from_slice(&MAGIC);
        file.extend_from_slice(&FORMAT.to_le_bytes());
        file.extend_from_slice(&(link | mac).to_le_bytes());
        file.extend_from_slice(&(variable.len() as u64).to_le_bytes());
        file.extend_from_slice(&payload_bytes.to_le_bytes());
        file.extend_from_slice(payload_hasher.finalize().as_bytes());
        let mac = secret.map_or(Digest([0; 32]), |secret| secret.mac(&file, &variable));
        file.extend_from_slice(&mac.0);
        let digest = header_digest(&file, &variable);
        file.extend_from_slice(&digest.0);
        debug_assert_eq!(file.len(), HEAD);
        file.extend_from_slice(&variable);
        self.body.for_each_payload(|_, bytes| file.extend_from_slice(bytes));
        Ok(file)
    }

    fn variable_part(&self, written: SystemTime) -> Vec<u8> {
        let seconds = written.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(&self.body.cost_ns().to_le_bytes());
        out.extend_from_slice(&seconds.to_le_bytes());
        put_text(&mut out, self.body.label());
        let layers = self.key.fingerprint.layers();
        out.extend_from_slice(&(layers.len() as u16).to_le_bytes());
        for layer in layers {
            put_text(&mut out, layer.name());
            out.extend_from_slice(&layer.digest().0);
            put_text(&mut out, layer.value());
        }
        let count_at = out.len();
        out.extend_from_slice(&[0; 2]);
        let mut count = 0_u16;
        self.body.for_each_payload(|name, bytes| {
            count += 1;
            put_text(&mut out, name);
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        });
        out[count_at..count_at + 2].copy_from_slice(&count.to_le_bytes());
        out.push(self.key.kind as u8);
        put_text(&mut out, &self.key.cache);
        out.extend_from_slice(&self.key.schema.to_le_bytes());
        out.extend_from_slice(&(self.key.bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.key.bytes);
        out
    }
}

/// Writes a text whose limit, far below what two bytes count, its constructor has kept.
fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
