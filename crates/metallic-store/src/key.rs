use std::fmt;
use std::str::FromStr;

use crate::digest::{parse_hex, write_hex};
use crate::{Digest, Fingerprint, limits};

/// Identifies an artifact: a cache, the schema of its keys, one key in canonical bytes, and a [`Fingerprint`].
///
/// All of it is written into the stored entry and compared when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArtifactKey {
    pub(crate) kind: KeyKind,
    pub(crate) cache: String,
    pub(crate) schema: u32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) fingerprint: Fingerprint,
}

/// How the bytes of an [`ArtifactKey`] identify an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// They are the key of a cache: cheap to compute.
    Typed,
    /// They are the digest of all that goes into the artifact.
    Content,
}

/// A key that the store cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The name is empty or too long.
    #[error("a cache's name has 1 to 64 bytes, `{0}` has {len}", len = .0.len())]
    CacheName(String),
    /// The encoded key is too long.
    #[error("the key of `{cache}` takes {bytes} bytes, more than {limit}", limit = limits::KEY)]
    TooLong {
        /// The cache's name.
        cache: String,
        /// Length of the encoded key.
        bytes: usize,
    },
    /// The key's `Serialize` failed.
    #[error("the key of `{cache}` could not be encoded: {cause}")]
    Encode {
        /// The cache's name.
        cache: String,
        /// The encoder's message.
        cause: String,
    },
}

impl ArtifactKey {
    /// The key of a cache's entry, in bytes that are the same in every process: see [`ArtifactKey::of`].
    ///
    /// # Errors
    ///
    /// If the name has not 1 to 64 bytes, or `bytes` are more than 65,536.
    pub fn new(
        cache: impl Into<String>,
        schema: u32,
        bytes: impl Into<Vec<u8>>,
        fingerprint: Fingerprint,
    ) -> Result<Self, KeyError> {
        let (cache, bytes) = (cache.into(), bytes.into());
        if cache.is_empty() || cache.len() > limits::NAME {
            return Err(KeyError::CacheName(cache));
        }
        if bytes.len() > limits::KEY {
            return Err(KeyError::TooLong { cache, bytes: bytes.len() });
        }
        Ok(Self { kind: KeyKind::Typed, cache, schema, bytes, fingerprint })
    }

    /// The key of a cache's entry, encoded by postcard (version 1 of its wire format).
    ///
    /// Equal keys must serialize equally: a `HashMap` inside a key does not. A key that takes more than 65,536 bytes, such as one
    /// with a whole source in it, is identified by their digest instead, as a [`KeyKind::Content`].
    ///
    /// # Errors
    ///
    /// If the name has not 1 to 64 bytes, or the key's `Serialize` fails.
    #[cfg(feature = "encode")]
    pub fn of<K: serde::Serialize + ?Sized>(
        cache: impl Into<String>,
        schema: u32,
        key: &K,
        fingerprint: Fingerprint,
    ) -> Result<Self, KeyError> {
        let cache = cache.into();
        let bytes = match postcard::to_allocvec(key) {
            Ok(bytes) => bytes,
            Err(cause) => return Err(KeyError::Encode { cache, cause: cause.to_string() }),
        };
        if bytes.len() <= limits::KEY {
            return Self::new(cache, schema, bytes, fingerprint);
        }
        let digest = Content::new().with("key", bytes).digest();
        let key = Self::new(cache, schema, digest.0, fingerprint)?;
        Ok(Self { kind: KeyKind::Content, ..key })
    }

    /// The key of the same cache that is identified by its content instead: by all that is compiled, and with what.
    ///
    /// Schema and fingerprint carry over without the layer [`Fingerprint::BUILD`], since a rebuilt program that compiles the
    /// same source needs the same artifact.
    pub fn with_content(&self, content: &Content) -> Self {
        Self {
            kind: KeyKind::Content,
            cache: self.cache.clone(),
            schema: self.schema,
            bytes: content.digest().0.to_vec(),
            fingerprint: self.fingerprint.without(Fingerprint::BUILD),
        }
    }

    /// The same key under another fingerprint: what another build, driver or device asks for.
    pub fn with_fingerprint(&self, fingerprint: Fingerprint) -> Self {
        Self { fingerprint, ..self.clone() }
    }

    /// Tells a typed key from the digest of a content.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The cache's name.
    pub fn cache(&self) -> &str {
        &self.cache
    }

    /// The schema of the cache's keys and artifacts.
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// The canonical bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The fingerprint.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Identifies the entries of this key under any schema and fingerprint.
    pub fn subject(&self) -> Subject {
        let mut hasher = blake3::Hasher::new_derive_key("metallic-store 2026 subject of an artifact");
        hasher.update(&[self.kind as u8]);
        hash_long(&mut hasher, self.cache.as_bytes());
        hash_long(&mut hasher, &self.bytes);
        let mut subject = [0; 8];
        subject.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Subject(subject)
    }

    /// Identifies the entry, and names it in every store.
    pub fn id(&self) -> EntryId {
        let mut hasher = blake3::Hasher::new_derive_key("metallic-store 2026 identity of an artifact");
        hasher.update(&[self.kind as u8]);
        hash_long(&mut hasher, self.cache.as_bytes());
        hasher.update(&self.schema.to_le_bytes());
        hash_long(&mut hasher, &self.bytes);
        for layer in self.fingerprint.layers() {
            hash_long(&mut hasher, layer.name().as_bytes());
            hasher.update(&layer.digest().0);
        }
        EntryId { subject: self.subject(), identity: Digest(*hasher.finalize().as_bytes()) }
    }

    /// Compares two keys, and returns whether both name the same artifact. The readable values of layers are not compared, their
    /// digests are.
    pub fn matches(&self, other: &Self) -> bool {
        let layers = |key: &Self| {
            key.fingerprint
                .layers()
                .iter()
                .map(|layer| (layer.name().to_owned(), layer.digest()))
                .collect::<Vec<_>>()
        };
        self.is_same_subject(other) && self.schema == other.schema && layers(self) == layers(other)
    }

    /// Returns whether both are one key of one cache, under any schema and fingerprint.
    pub fn is_same_subject(&self, other: &Self) -> bool {
        self.kind == other.kind && self.cache == other.cache && self.bytes == other.bytes
    }
}

fn hash_long(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Digests all that goes into an artifact, part by part, for a [content key](ArtifactKey::with_content).
#[derive(Clone, Debug)]
pub struct Content(blake3::Hasher);

impl Content {
    /// No parts yet.
    pub fn new() -> Self {
        Self(blake3::Hasher::new_derive_key("metallic-store 2026 content of an artifact"))
    }

    /// Adds a part by name, such as `source`, `entry point`, `header cuda_fp16.h` or `options`.
    #[must_use]
    pub fn with(mut self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        hash_long(&mut self.0, name.as_bytes());
        hash_long(&mut self.0, bytes.as_ref());
        self
    }

    /// The digest of all parts, names and order included.
    pub fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::new()
    }
}

/// Identifies one key of one cache, under any schema and fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(pub(crate) [u8; 8]);

/// Names an entry: its [`Subject`], and the digest of the whole key.
///
/// Spelled as 16 and 64 hexadecimal digits with a hyphen between them, in file names and on servers too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    pub(crate) subject: Subject,
    pub(crate) identity: Digest,
}

/// A text that does not spell an [`EntryId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of an entry: 16 and 64 hexadecimal digits with a hyphen between them")]
pub struct EntryIdError(String);

impl EntryId {
    /// The key and cache, under any schema and fingerprint.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The digest of the whole key.
    pub fn identity(&self) -> Digest {
        self.identity
    }

    pub(crate) const LEN: usize = 40;

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.subject.0);
        bytes[8..].copy_from_slice(&self.identity.0);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (subject, identity) = bytes.split_at_checked(8)?;
        Some(Self { subject: Subject(subject.try_into().ok()?), identity: Digest(identity.try_into().ok()?) })
    }
}

impl FromStr for EntryId {
    type Err = EntryIdError;

    fn from_str(text: &str) -> Result<Self, EntryIdError> {
        let parse = || {
            let (subject, identity) = text.split_once('-')?;
            Some(Self { subject: Subject(parse_hex(subject)?), identity: Digest(parse_hex(identity)?) })
        };
        parse().ok_or_else(|| EntryIdError(text.to_owned()))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.subject, self.identity)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
