//! The guard of what a command reads against what it writes.

use std::fs;
use std::path::Path;

use crate::error::Error;

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
