//! A file for an interface that takes no bytes.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The name of a file in a new folder that no one else may enter. Both are removed when it is dropped.
///
/// A driver reads from a file what was verified before as bytes: between the two no one else may change it.
#[derive(Debug)]
pub(super) struct PrivateFile {
    folder: PathBuf,
    path: PathBuf,
}

impl PrivateFile {
    /// A name in a new folder within `parent`, and no file yet.
    pub(super) fn within(parent: &Path) -> io::Result<Self> {
        // Differs at each call. Should it not, or should another have made a folder or link of this name, this fails.
        let unique = RandomState::new().build_hasher().finish();
        let folder = parent.join(format!("metallic-{}-{unique:016x}", std::process::id()));
        create_for_its_owner(&folder)?;
        Ok(Self { path: folder.join("archive"), folder })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
fn create_for_its_owner(folder: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(folder)
}

#[cfg(not(unix))]
fn create_for_its_owner(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        // The system empties its folder for temporary files.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_its_owners_alone_and_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let (one, two) =
            (PrivateFile::within(parent.path()).unwrap(), PrivateFile::within(parent.path()).unwrap());
        assert_ne!(one.path(), two.path());
        fs::write(one.path(), b"bytes").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&one.folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        drop((one, two));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        assert!(PrivateFile::within(&parent.path().join("nowhere")).is_err());
    }
}
