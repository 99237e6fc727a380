//! Why a manifest cannot be read or written.

use std::io;
use std::path::PathBuf;

use super::record::VERSION;

/// The reason why a manifest is not available. Damaged lines are none: they are counted, and passed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file could not be opened, read or written.
    #[error("cannot {action} the manifest {}", path.display())]
    File {
        /// `open`, `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Reading or writing failed where there is no file.
    #[error("cannot read or write a manifest")]
    Io(#[from] io::Error),
    /// None of its lines belongs to a manifest.
    #[error("{} is not a manifest: {}", path.display(), no_record(*lines))]
    NotAManifest {
        /// The file.
        path: PathBuf,
        /// Its lines.
        lines: u64,
    },
    /// Its last lines are of another version, and what is added would be taken for such.
    #[error("the lines of the manifest {} are of version {version}, and this library writes version {VERSION}", path.display())]
    AnotherVersion {
        /// The file.
        path: PathBuf,
        /// The version that its last header names.
        version: u32,
    },
    /// A process has one writer of a file at a time.
    #[error("the manifest {} is being written by this process already", path.display())]
    AlreadyOpen {
        /// The file.
        path: PathBuf,
    },
    /// A key has no JSON form that it can be read back from.
    #[error("a key of `{cache}` cannot be carried: what is read back is not what was written")]
    KeyNotPortable {
        /// The kernel's cache.
        cache: String,
    },
}

fn no_record(lines: u64) -> String {
    match lines {
        1 => "its only line is not a record".to_owned(),
        _ => format!("none of its {lines} lines is a record"),
    }
}
