use std::fmt;
use std::path::{Path, PathBuf};

use crate::Digest;

/// The key of the MAC that authenticates entries. With it, anyone can write entries that a store with the same secret accepts.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

/// A secret that is not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It is guessed too easily.
    #[error("a secret has at least {min} bytes, this one has {0}", min = Secret::MIN_LEN)]
    TooShort(usize),
    /// The file cannot be read.
    #[error("the secret in `{path}` cannot be read", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Others than its owner can read the file.
    #[error("the secret in `{path}` can be read by others, its mode is {mode:o}", path = .path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Secret {
    /// The environment variable that [`Secret::from_env`] reads.
    pub const VARIABLE: &'static str = "METALLIC_STORE_SECRET";
    const MIN_LEN: usize = 16;

    /// Derives a secret from 16 bytes or more. White space around them does not count.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`].
    pub fn new(bytes: &[u8]) -> Result<Self, SecretError> {
        let bytes = bytes.trim_ascii();
        if bytes.len() < Self::MIN_LEN {
            return Err(SecretError::TooShort(bytes.len()));
        }
        Ok(Self(blake3::derive_key("metallic-store 2026 secret of the MAC", bytes)))
    }

    /// Reads the secret from a file, which only its owner may be able to read.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is exposed to others (on Unix), or too short.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let path = path.as_ref();
        let unreadable = |source| SecretError::Unreadable { path: path.to_owned(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(SecretError::Exposed { path: path.to_owned(), mode });
            }
        }
        Self::new(&std::fs::read(path).map_err(unreadable)?)
    }

    /// Reads the secret from the environment variable `METALLIC_STORE_SECRET`. Unset and empty are the same.
    ///
    /// # Errors
    ///
    /// [`SecretError::TooShort`].
    pub fn from_env() -> Result<Option<Self>, SecretError> {
        match std::env::var_os(Self::VARIABLE) {
            Some(value) if !value.is_empty() => Self::new(value.as_encoded_bytes()).map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) fn mac(&self, fixed: &[u8], variable: &[u8]) -> Digest {
        Digest(*self.hash(fixed, variable).as_bytes())
    }

    pub(crate) fn verifies(&self, mac: &Digest, fixed: &[u8], variable: &[u8]) -> bool {
        // This comparison takes the same time wherever they differ.
        self.hash(fixed, variable) == blake3::Hash::from_bytes(mac.0)
    }

    fn hash(&self, fixed: &[u8], variable: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(fixed).update(variable);
        hasher.finalize()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
