//! The part of the remote execution API's `ActionResult` that is needed: one output file with its digest.
//!
//! ```text
//! ActionResult { repeated OutputFile output_files = 2; }
//! OutputFile   { string path = 1; Digest digest = 2; }
//! Digest       { string hash = 1; int64 size_bytes = 2; }
//! ```

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// An ActionResult whose only file has this SHA-256, in hexadecimal digits, and length.
pub(super) fn encode(hash: &str, len: u64) -> Vec<u8> {
    let mut digest = Vec::new();
    put_bytes(&mut digest, 1, hash.as_bytes());
    put_varint(&mut digest, 2 << 3 | VARINT);
    put_varint(&mut digest, len);
    let mut file = Vec::new();
    put_bytes(&mut file, 1, b"artifact");
    put_bytes(&mut file, 2, &digest);
    let mut result = Vec::new();
    put_bytes(&mut result, 2, &file);
    result
}

/// The SHA-256 and length of the first file; none if there is no file, or if it is malformed.
pub(super) fn decode(result: &[u8]) -> Option<(String, u64)> {
    let file = field(result, 2)?.bytes()?;
    let digest = field(file, 2)?.bytes()?;
    let hash = std::str::from_utf8(field(digest, 1)?.bytes()?).ok()?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let Value::Varint(len) = field(digest, 2)? else { return None };
    is_hash.then(|| (hash.to_owned(), len))
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Other,
}

impl<'a> Value<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Varint(_) | Self::Other => None,
        }
    }
}

/// The first field of this number in a message.
fn field(mut message: &[u8], number: u64) -> Option<Value<'_>> {
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        let value = match tag & 7 {
            VARINT => Value::Varint(take_varint(&mut message)?),
            BYTES => {
                let len = usize::try_from(take_varint(&mut message)?).ok()?;
                Value::Bytes(take(&mut message, len)?)
            }
            FIXED64 => take(&mut message, 8).map(|_| Value::Other)?,
            FIXED32 => take(&mut message, 4).map(|_| Value::Other)?,
            _ => return None,
        };
        if tag >> 3 == number {
            return Some(value);
        }
    }
    None
}

fn take<'a>(message: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = message.split_at_checked(len)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn put_bytes(message: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_varint(message, number << 3 | BYTES);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}
