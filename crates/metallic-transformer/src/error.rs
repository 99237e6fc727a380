//! Why a model cannot be loaded.

use std::io;

/// Why a model cannot be loaded, or its tokenizer cannot be used. The message is one line and begins with the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("{file}: {source}")]
    File {
        /// The file, in the folder that the caller named.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file was read, and does not hold what it should.
    #[error("{file}: {cause}")]
    Content {
        /// The file, in the folder that the caller named.
        file: String,
        /// The defect.
        cause: String,
    },
}

impl Error {
    pub(crate) fn file(file: impl Into<String>, source: io::Error) -> Self {
        Self::File { file: file.into(), source }
    }

    pub(crate) fn content(file: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Content { file: file.into(), cause: cause.into() }
    }
}
