use std::ops::Range;
use std::time::Duration;

use super::{
    FLAG_LINK, FLAG_MAC, FORMAT, FormatError, HEAD, MAGIC, Reader, check_length, header_digest, too_long,
};
use crate::{
    Artifact, ArtifactKey, Body, Digest, Entry, EntryId, EntryInfo, Fingerprint, KeyKind, Layer, Secret,
    limits,
};

/// The fixed part: enough to know how long the rest is. Its digest is not checked yet.
pub(crate) struct Head {
    flags: u32,
    variable: usize,
    payloads: u64,
    payload_digest: Digest,
    mac: Digest,
    digest: Digest,
}

impl Head {
    /// Reads the fixed part from the front of `bytes`, and checks every length before anything is allocated for it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let known = &bytes[..bytes.len().min(MAGIC.len())];
        if known.is_empty() || !MAGIC.starts_with(known) {
            return Err(FormatError::Magic);
        }
        let Some(fixed) = bytes.get(..HEAD) else {
            return Err(FormatError::Truncated { len: bytes.len() as u64, expected: HEAD as u64 });
        };
        let mut fields = Reader(&fixed[MAGIC.len()..]);
        let version = fields.u32("format")?;
        if version != FORMAT {
            return Err(FormatError::Version(version));
        }
        let flags = fields.u32("flags")?;
        if flags & !(FLAG_LINK | FLAG_MAC) != 0 {
            return Err(FormatError::Flags(flags));
        }
        let variable = fields.u64("header")?;
        too_long("header", variable, limits::HEADER as u64)?;
        let payloads = fields.u64("payloads")?;
        too_long("payloads", payloads, limits::ENTRY)?;
        let head = Self {
            flags,
            variable: variable as usize,
            payloads,
            payload_digest: Digest(fields.array("payload digest")?),
            mac: Digest(fields.array("MAC")?),
            digest: Digest(fields.array("header digest")?),
        };
        check_length(head.entry_len())?;
        Ok(head)
    }

    /// Length of the whole entry.
    pub(crate) fn entry_len(&self) -> u64 {
        self.header_len() as u64 + self.payloads
    }

    /// Length of the fixed and the variable part.
    pub(crate) fn header_len(&self) -> usize {
        HEAD + self.variable
    }

    /// Checks that the entry is as long as its header says.
    pub(crate) fn check_len(&self, len: u64) -> Result<(), FormatError> {
        let expected = self.entry_len();
        match len.checked_sub(expected) {
            Some(0) => Ok(()),
            Some(trailing) => Err(FormatError::Trailing(trailing)),
            None => Err(FormatError::Truncated { len, expected }),
        }
    }
}

/// The header, authenticated and taken apart.
struct Header {
    cost: Duration,
    written: u64,
    label: String,
    payloads: Vec<(String, u64)>,
    key: ArtifactKey,
}

impl Header {
    fn decode(bytes: &[u8], head: &Head, secret: Option<&Secret>) -> Result<Self, FormatError> {
        let Some(variable) = bytes.get(HEAD..head.header_len()) else {
            return Err(FormatError::Truncated {
                len: bytes.len() as u64,
                expected: head.header_len() as u64,
            });
        };
        if header_digest(&bytes[..96], variable) != head.digest {
            return Err(FormatError::HeaderDigest);
        }
        let authenticated = head.flags & FLAG_MAC != 0;
        if !authenticated && head.mac != Digest([0; 32]) {
            return Err(FormatError::Malformed("MAC"));
        }
        if let Some(secret) = secret {
            if !authenticated {
                return Err(FormatError::MacMissing);
            }
            if !secret.verifies(&head.mac, &bytes[..64], variable) {
                return Err(FormatError::MacMismatch);
            }
        }
        let mut fields = Reader(variable);
        let cost = Duration::from_nanos(fields.u64("creation cost")?);
        let written = fields.u64("time")?;
        let label = fields.text("label", limits::VALUE)?;
        let layers = layers(&mut fields)?;
        let payloads = payload_table(&mut fields, head.payloads)?;
        let key = key(&mut fields, layers)?;
        if !fields.0.is_empty() {
            return Err(FormatError::Malformed("header"));
        }
        Ok(Self { cost, written, label, payloads, key })
    }
}

fn layers(fields: &mut Reader<'_>) -> Result<Fingerprint, FormatError> {
    let count = fields.count("fingerprint", limits::LAYERS)?;
    let mut layers: Vec<Layer> = Vec::with_capacity(count);
    for _ in 0..count {
        let name = fields.name("layer", limits::NAME)?;
        let digest = Digest(fields.array("layer")?);
        let value = fields.text("layer", limits::VALUE)?;
        if layers.iter().any(|layer| layer.name() == name) {
            return Err(FormatError::Malformed("fingerprint"));
        }
        layers.push(Layer::new(name, digest, value));
    }
    Ok(Fingerprint::from_layers(layers))
}

fn payload_table(fields: &mut Reader<'_>, total: u64) -> Result<Vec<(String, u64)>, FormatError> {
    const FIELD: &str = "payload table";
    let count = fields.count(FIELD, limits::PAYLOADS)?;
    let mut payloads: Vec<(String, u64)> = Vec::with_capacity(count);
    let mut left = total;
    for _ in 0..count {
        let name = fields.name(FIELD, limits::NAME)?;
        let len = fields.u64(FIELD)?;
        left = left.checked_sub(len).ok_or(FormatError::Malformed(FIELD))?;
        if payloads.iter().any(|(present, _)| *present == name) {
            return Err(FormatError::Malformed(FIELD));
        }
        payloads.push((name, len));
    }
    if left == 0 { Ok(payloads) } else { Err(FormatError::Malformed(FIELD)) }
}

fn key(fields: &mut Reader<'_>, fingerprint: Fingerprint) -> Result<ArtifactKey, FormatError> {
    let kind = match fields.array::<1>("key")? {
        [0] => KeyKind::Typed,
        [1] => KeyKind::Content,
        _ => return Err(FormatError::Malformed("key")),
    };
    let cache = fields.name("cache's name", limits::NAME)?;
    let schema = fields.u32("schema")?;
    let len = fields.u32("key")?;
    too_long("key", u64::from(len), limits::KEY as u64)?;
    let bytes = fields.take(len as usize, "key")?.to_vec();
    Ok(ArtifactKey { kind, cache, schema, bytes, fingerprint })
}

impl Entry {
    /// Decodes one file, and verifies every byte of it: lengths, both digests, and the MAC if there is a secret.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn decode(mut bytes: Vec<u8>, secret: Option<&Secret>) -> Result<Self, FormatError> {
        let head = Head::decode(&bytes)?;
        head.check_len(bytes.len() as u64)?;
        let header = Header::decode(&bytes, &head, secret)?;
        let payloads = &bytes[head.header_len()..];
        if Digest::of(payloads) != head.payload_digest {
            return Err(FormatError::PayloadDigest);
        }
        let body = if head.flags & FLAG_LINK != 0 {
            let target = match header.payloads.as_slice() {
                [(name, _)] if name == Body::LINK => EntryId::from_bytes(payloads),
                _ => None,
            };
            Body::Link(target.ok_or(FormatError::Malformed("link"))?)
        } else {
            let mut ranges = Vec::with_capacity(header.payloads.len());
            let mut start = head.header_len();
            for (name, len) in header.payloads {
                ranges.push((name, Range { start, end: start + len as usize }));
                start += len as usize;
            }
            bytes.shrink_to_fit();
            Body::Artifact(Artifact::from_parts(bytes, ranges, header.cost, header.label))
        };
        Ok(Self { key: header.key, body })
    }
}

impl EntryInfo {
    /// Decodes the header of an entry of `len` bytes from its first bytes. The payloads are not verified.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; [`FormatError::Truncated`] too if `bytes` end before the header does.
    pub fn decode(bytes: &[u8], len: u64, secret: Option<&Secret>) -> Result<Self, FormatError> {
        let head = Head::decode(bytes)?;
        head.check_len(len)?;
        let header = Header::decode(bytes, &head, secret)?;
        Ok(Self {
            id: header.key.id(),
            is_link: head.flags & FLAG_LINK != 0,
            is_authenticated: head.flags & FLAG_MAC != 0,
            key: header.key,
            label: header.label,
            cost: header.cost,
            written: header.written,
            payloads: header.payloads,
            bytes: len,
            used: None,
        })
    }
}
