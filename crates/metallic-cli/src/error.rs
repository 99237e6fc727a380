//! Errors, in one line each.

use std::io;

use metallic::error::MetalError;
use metallic::manifest::ManifestError;

use crate::units::printable;

/// Why a command ended early. The message is one line, and names the file and the line where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, read or written.
    #[error("{file}: {source}")]
    File {
        /// The file as the user named it; `-` is standard input.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file was read up to a line that stopped it.
    #[error("{file}:{line}: {cause}")]
    Line {
        /// The file as the user named it.
        file: String,
        /// The number of the line; the first is 1.
        line: u64,
        /// The defect of the line, or the error behind it.
        cause: String,
    },
    /// A file was read, and does not hold what it should.
    #[error("{file}: {cause}")]
    Content {
        /// The file as the user named it, or as it was found in the folder that the user named.
        file: String,
        /// The defect.
        cause: String,
    },
    /// The model cannot be loaded, or its tokenizer cannot be used.
    #[error(transparent)]
    Model(#[from] metallic_transformer::Error),
    /// The device, a kernel or a slot failed.
    #[error("{}", chain(.0))]
    Device(#[from] MetalError),
    /// A manifest cannot be read or written.
    #[error("{}", cause_chain(.0))]
    Manifest(#[from] ManifestError),
    /// A signal asked the run to end.
    #[error("interrupted in {during}{}", if *.has_results { ": the results are those of what was done before" } else { "" })]
    Interrupted {
        /// The number of the signal.
        signal: u8,
        /// The part of the run in which it came.
        during: String,
        /// `true` if something was done before.
        has_results: bool,
    },
    /// Several things went wrong, none because of another: a line for each.
    #[error("{}", .0.iter().map(Self::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<Error>),
    /// The results are not those of the reference.
    #[error("{0}")]
    Deviation(String),
    /// Conditions on the figures of a log do not hold, a line for each.
    #[error("{}", .0.join("; "))]
    Checks(Vec<String>),
    /// The arguments cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// The input, or this program, lacks what the command needs.
    #[error("{0}")]
    NotFound(String),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// The file, and why it could not be opened, read or written.
    pub fn file(file: impl Into<String>, source: io::Error) -> Self {
        Self::File { file: file.into(), source }
    }

    /// A file that does not hold what it should.
    pub fn content(file: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Content { file: file.into(), cause: cause.into() }
    }

    /// One error of these; `None` of none.
    pub fn of_all(mut errors: Vec<Self>) -> Option<Self> {
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    /// The message, so that text of a log or of a command line in it cannot steer a terminal. One line, but for
    /// [`Checks`](Self::Checks) and [`Several`](Self::Several), which have one each.
    pub fn lines(&self) -> Vec<String> {
        let safe = |text: &str| printable(text, usize::MAX);
        match self {
            Self::Checks(broken) => broken.iter().map(|line| safe(line)).collect(),
            Self::Several(errors) => errors.iter().flat_map(Self::lines).collect(),
            _ => vec![safe(&self.to_string())],
        }
    }

    /// Returns `true` if the output went to a program that has ended.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code of the process: 2 for wrong arguments, 3 for conditions that do not hold or a creation that was refused,
    /// that of a shell for a signal, 128 and its number, otherwise 1; of several errors that of the first.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Checks(_) => 3,
            Self::Interrupted { signal, .. } => 128 + signal,
            Self::Several(errors) => errors.first().map_or(1, Self::exit_code),
            Self::Device(error) if matches!(error.root(), MetalError::CreationRefused(_)) => 3,
            _ => 1,
        }
    }
}

/// An error with what caused it, in one line: a driver's own words often have several.
fn chain(error: &MetalError) -> String {
    // A refusal names its key itself.
    match error.root() {
        refused @ MetalError::CreationRefused(_) => refused.to_string(),
        _ => cause_chain(error),
    }
}

/// An error and its causes, in one line.
pub(crate) fn cause_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

impl From<serde_json::Error> for Error {
    /// Only writing can fail: all that the tools serialize has a JSON form.
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}
