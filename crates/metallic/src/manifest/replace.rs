//! Writing a file so that it is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes a file in place of what it held: a reader, or a crash, finds the old content or the new one, whole.
///
/// A symbolic link stays, and what it leads to is replaced. What is not a regular file, such as a pipe or a device, is written to.
///
/// # Errors
/// The system's, and those of `write`. The old content is then still there.
pub fn replace_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let old = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        old => Some(old?),
    };
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        let mut file = BufWriter::new(OpenOptions::new().write(true).open(path)?);
        write(&mut file)?;
        return file.flush();
    }
    let target = behind_links(path)?;
    let (file, beside) = create_beside(&target)?;
    let written = fill(file, old.map(|old| old.permissions()), write);
    let replaced = written.and_then(|()| fs::rename(&beside, &target));
    if replaced.is_err() {
        // What went wrong first is what is reported.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

fn fill(
    file: File,
    permissions: Option<fs::Permissions>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if let Some(permissions) = permissions {
        file.set_permissions(permissions)?;
    }
    let mut file = BufWriter::new(file);
    write(&mut file)?;
    file.into_inner()?.sync_all()
}

/// The most links in a row, as on Linux.
const LINKS: usize = 40;

/// The place that a name leads to, also if there is nothing yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            // Not a link, or nothing at all.
            Err(_) => return Ok(target),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Creates a file of no other name in the folder of `target`, so that it can take its place.
fn create_beside(target: &Path) -> io::Result<(File, PathBuf)> {
    let mut number = 0_u32;
    loop {
        let mut name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
        name.push(format!(".{}-{number}.new", std::process::id()));
        let beside = target.with_file_name(name);
        match File::create_new(&beside) {
            // Another thread's, or left by a killed process of the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            created => return created.map(|file| (file, beside)),
        }
    }
}
