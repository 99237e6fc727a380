//! Which files the LOG arguments mean, and how each is opened.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::salvaged::Salvaged;
use super::zst::{ZstReader, is_zst};
use crate::error::Error;
use crate::progress::{Progress, Watched};

const BUFFER: usize = 256 << 10;

/// One file to read, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    /// `None` for standard input.
    path: Option<PathBuf>,
    len: Option<u64>,
}

/// The files that the arguments mean, in the order in which they were written: with `log` go `log.1`, `log.2` and so on,
/// before it, the oldest first, compressed or not. A file is read once, however often it is meant.
///
/// # Errors
/// A file is not there or cannot be looked at; standard input is named twice.
pub fn sources(args: &[PathBuf]) -> Result<Vec<Source>, Error> {
    // Logs in the order they are first named, each with the ages of its files.
    let mut logs: Vec<(PathBuf, Vec<(u32, PathBuf)>)> = Vec::new();
    for path in args {
        if path.as_os_str() == "-" {
            logs.push((path.clone(), vec![(0, path.clone())]));
            continue;
        }
        let (log, age) = log_and_age(path);
        let mut files = if age == 0 { rotated(&log) } else { Vec::new() };
        files.push((age, path.clone()));
        match logs.iter_mut().find(|(other, _)| *other == log) {
            Some((_, others)) => others.append(&mut files),
            None => logs.push((log, files)),
        }
    }
    let mut seen = HashSet::new();
    let mut sources = Vec::new();
    for (_, mut files) in logs {
        files.sort_by_key(|(age, _)| std::cmp::Reverse(*age));
        for (_, path) in files {
            if path.as_os_str() == "-" {
                if !seen.insert(path) {
                    return Err(Error::Usage("standard input can be read only once".to_owned()));
                }
                sources.push(Source { name: "-".to_owned(), path: None, len: None });
                continue;
            }
            let name = path.display().to_string();
            let metadata = fs::metadata(&path).map_err(|error| Error::file(&*name, error))?;
            if metadata.is_dir() {
                return Err(Error::file(name, io::ErrorKind::IsADirectory.into()));
            }
            if seen.insert(fs::canonicalize(&path).unwrap_or_else(|_| path.clone())) {
                let len = metadata.is_file().then_some(metadata.len());
                sources.push(Source { name, path: Some(path), len });
            }
        }
    }
    Ok(sources)
}

impl Source {
    /// The file as the user named it; `-` is standard input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its path; `None` for standard input.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Its size in bytes, as it lies there, if it has one.
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Returns `true` if it is known to be empty.
    pub fn is_empty(&self) -> bool {
        self.len == Some(0)
    }

    /// Opens it; what is read of it moves `progress`. A compressed file is known by its first bytes.
    ///
    /// # Errors
    /// It cannot be opened or read, or is compressed in a way that is not known here.
    pub fn open(&self, progress: &Progress) -> Result<Box<dyn BufRead>, Error> {
        let failed = |error| Error::file(&*self.name, error);
        let reader: Box<dyn Read> = match &self.path {
            Some(path) => Box::new(File::open(path).map_err(failed)?),
            None => Box::new(io::stdin()),
        };
        let watched = Watched { reader, progress: progress.clone() };
        let mut reader = BufReader::with_capacity(BUFFER, watched);
        let start = reader.fill_buf().map_err(failed)?;
        let decoder: Box<dyn Read> = if is_zst(start) {
            Box::new(ZstReader::new(reader))
        } else if start.starts_with(&[0x1F, 0x8B]) {
            Box::new(MultiGzDecoder::new(reader))
        } else {
            return Ok(Box::new(reader));
        };
        let salvaged = Salvaged { decoder, name: self.name.clone(), read: 0 };
        Ok(Box::new(BufReader::with_capacity(BUFFER, salvaged)))
    }
}

/// `log.jsonl` and 2 for `log.jsonl.2`, `log.jsonl.2.zst` or `log.jsonl.2.gz`; an age of 0 if the file is not one that rotation left.
fn log_and_age(path: &Path) -> (PathBuf, u32) {
    let bare = without_compression(path);
    let age = bare.extension().and_then(|extension| extension.to_str()?.parse().ok()).filter(|age| *age > 0);
    // `trace.5` is what rotation left of `trace`, but only where such a log is, or was.
    match age {
        Some(age) if bare.file_stem().is_some() => (bare.with_extension(""), age),
        _ => (bare, 0),
    }
}

fn without_compression(path: &Path) -> PathBuf {
    if path.extension().is_some_and(|extension| extension == "zst" || extension == "gz") {
        path.with_extension("")
    } else {
        path.into()
    }
}

/// The rotated files of this log, up to the first gap in their ages.
fn rotated(log: &Path) -> Vec<(u32, PathBuf)> {
    let aged = |age: u32, suffix: &str| {
        let mut name = OsString::from(log);
        name.push(format!(".{age}{suffix}"));
        PathBuf::from(name)
    };
    (1..)
        .map_while(|age| {
            let path = ["", ".zst", ".gz"]
                .map(|suffix| aged(age, suffix))
                .into_iter()
                .find(|path| path.is_file())?;
            Some((age, path))
        })
        .collect()
}
