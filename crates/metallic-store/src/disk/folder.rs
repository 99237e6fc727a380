use std::io;

use super::file_system::{FileSystem, Stat, StatKind};
use super::layout::Layout;

/// A folder that is not safe to keep artifacts in, and why: a driver executes what is in it.
pub(super) fn refusal(files: &dyn FileSystem, layout: &Layout, read_only: bool) -> Option<String> {
    let root = layout.root();
    if !read_only {
        // A failure shows below, or is the system's answer to each write.
        let _ = files.create_folder(root);
    }
    // A link is followed here, and nowhere else: the folder is the user's word, what is in it is not.
    let stat = match root.canonicalize().and_then(|root| files.stat(&root)) {
        Ok(stat) => stat,
        // Nothing is there, and nothing to refuse: each operation has the system's answer.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(format!("`{}` cannot be examined: {error}", root.display())),
    };
    if stat.kind != StatKind::Folder {
        return Some(format!("`{}` is not a folder", root.display()));
    }
    not_ours(&stat, files, read_only).map(|refusal| format!("`{}` {refusal}", root.display()))
}

/// Why something is not its user's alone to write to, if it is not.
pub(super) fn not_ours(stat: &Stat, files: &dyn FileSystem, read_only: bool) -> Option<String> {
    let (owner, mode) = stat.owner?;
    // What is shipped with a system belongs to root, and is read by all.
    let trusted = Some(owner) == files.user() || read_only && owner == 0;
    if !trusted {
        return Some(format!("belongs to the user with number {owner}"));
    }
    (mode & 0o022 != 0).then(|| format!("can be written to by others, its mode is {mode:o}"))
}
