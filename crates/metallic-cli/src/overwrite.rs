//! The guard of what a command reads against what it writes.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process;

use crate::error::Error;

/// Refuses to overwrite a file with content that `is_one` does not know as `what`. A pipe or a device has no content to lose.
///
/// # Errors
/// [`Error::Content`] with the name of the file.
pub(crate) fn refuse_foreign(
    flag: &str,
    output: &Path,
    what: &str,
    is_one: impl FnOnce(&Path) -> bool,
) -> Result<(), Error> {
    let has_content = fs::metadata(output).is_ok_and(|file| file.is_file() && file.len() > 0);
    if has_content && !is_one(output) {
        let cause = format!("it is there, and not {what}: {flag} would overwrite it");
        return Err(Error::content(output.display().to_string(), cause));
    }
    Ok(())
}

/// Refuses to write to a file that is read. `flag` names the output, `what` is its content in words.
///
/// # Errors
/// [`Error::Usage`] with the names of both files.
pub(crate) fn refuse<P: AsRef<Path>>(
    flag: &str,
    output: &Path,
    what: &str,
    inputs: impl IntoIterator<Item = P>,
) -> Result<(), Error> {
    // A file that exists has one name behind all links; one that does not exist yet is the same by its name alone.
    let canonical = fs::canonicalize(output).ok();
    let same = |input: &P| match &canonical {
        Some(canonical) => fs::canonicalize(input).is_ok_and(|input| input == *canonical),
        None => input.as_ref() == output,
    };
    inputs.into_iter().find(same).map_or(Ok(()), |input| {
        let (output, input) = (output.display(), input.as_ref().display());
        Err(Error::Usage(format!("{flag} {output}: the {what} would overwrite {input}, which is read")))
    })
}

/// Checks that a file can be made in the folder of this one.
pub(crate) fn probe(path: &Path) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", process::id()));
    let probed = path.with_file_name(name);
    File::create_new(&probed)?;
    fs::remove_file(probed)
}
