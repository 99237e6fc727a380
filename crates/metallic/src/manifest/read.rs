//! Reading and writing whole manifests.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use rustc_hash::FxBuildHasher;

use super::error::ManifestError;
use super::record::{Header, Record, VERSION};
use super::replace::replace_file;

/// Longer lines are passed over: a key is no reason to use up the memory.
pub(super) const LONGEST_LINE: u64 = 1 << 20;

/// The records of a manifest, each key once.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    /// In the order in which they were first met.
    records: Vec<Record>,
    places: HashMap<(String, u32, String), usize, FxBuildHasher>,
    skipped: BTreeMap<Cow<'static, str>, u64>,
}

impl Manifest {
    /// A manifest without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file. A torn last line, and any line that is damaged or of another version, is counted in
    /// [`skipped`](Self::skipped) and passed over. A pipe is read to its end, a device is not read.
    ///
    /// # Errors
    /// [`ManifestError::File`]; [`ManifestError::NotAManifest`] if it has lines, and none of them belongs to a manifest.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        let path = path.as_ref();
        let failed = |action| move |source| ManifestError::File { action, path: path.to_owned(), source };
        let file = File::open(path).map_err(failed("open"))?;
        refuse_device(&file).map_err(failed("read"))?;
        let (manifest, lines) = Self::read_lines(BufReader::new(file)).map_err(failed("read"))?;
        match lines {
            Lines { all, known: 0 } if all > 0 => {
                Err(ManifestError::NotAManifest { path: path.to_owned(), lines: all })
            }
            _ => Ok(manifest),
        }
    }

    /// Reads from any source, as [`open`](Self::open) does, and takes whatever there is for a manifest.
    ///
    /// # Errors
    /// The source's.
    pub fn read(source: impl BufRead) -> io::Result<Self> {
        Ok(Self::read_lines(source)?.0)
    }

    fn read_lines(mut source: impl BufRead) -> io::Result<(Self, Lines)> {
        let mut manifest = Self::new();
        let mut lines = Lines::default();
        // Lines of another version say so in the header before them.
        let mut version = VERSION;
        let mut line = Vec::new();
        loop {
            line.clear();
            if source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok((manifest, lines));
            }
            let ends = line.ends_with(b"\n");
            if !ends && line.len() as u64 == LONGEST_LINE {
                skip_line(&mut source)?;
                lines.all += 1;
                manifest.skip("lines of more than a mebibyte");
                continue;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            lines.all += 1;
            if let Ok(header) = serde_json::from_slice::<Header>(&line) {
                version = header.metallic_manifest;
                lines.known += 1;
            } else if version != VERSION {
                manifest.skip(format!("lines of version {version}"));
            } else if let Ok(record) = serde_json::from_slice(&line) {
                lines.known += 1;
                manifest.insert(record);
            } else {
                manifest.skip(if ends { "damaged lines" } else { "torn last lines" });
            }
        }
    }

    /// Adds a record. If its key is there already, their counts are added up, the larger cost and size are kept, and the earlier
    /// order with its phase.
    pub fn insert(&mut self, record: Record) {
        self.combine(record, u64::saturating_add);
    }

    pub(super) fn combine(&mut self, record: Record, counts: fn(u64, u64) -> u64) {
        let (cache, schema, key) = record.identity();
        let identity = (cache.to_owned(), schema, key.to_owned());
        let Some(&place) = self.places.get(&identity) else {
            self.places.insert(identity, self.records.len());
            self.records.push(record);
            return;
        };
        let known = &mut self.records[place];
        known.count = counts(known.count, record.count);
        known.cost_ns = known.cost_ns.max(record.cost_ns);
        known.bytes = known.bytes.max(record.bytes);
        if (record.order, &record.phase, &record.label) < (known.order, &known.phase, &known.label) {
            (known.order, known.phase, known.label) = (record.order, record.phase, record.label);
        }
    }

    /// The records, in the order in which they were first met.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &Record> {
        self.records.iter()
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns `true` if there are no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns `true` if there is a record of this cache, schema and key.
    pub fn contains(&self, record: &Record) -> bool {
        let (cache, schema, key) = record.identity();
        self.places.contains_key(&(cache.to_owned(), schema, key.to_owned()))
    }

    /// The lines that were passed over, by the reason.
    pub fn skipped(&self) -> &BTreeMap<Cow<'static, str>, u64> {
        &self.skipped
    }

    fn skip(&mut self, reason: impl Into<Cow<'static, str>>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    /// Writes the manifest to any destination.
    ///
    /// # Errors
    /// The destination's.
    pub fn write(&self, destination: &mut dyn Write) -> io::Result<()> {
        destination.write_all(header_line()?.as_bytes())?;
        for record in &self.records {
            destination.write_all(record.line()?.as_bytes())?;
        }
        Ok(())
    }

    /// Writes the manifest to a file, in place of what it held: a reader, or a crash, finds the old content or the new one.
    /// Follows symbolic links, and writes to pipes and devices.
    ///
    /// # Errors
    /// [`ManifestError::File`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ManifestError> {
        let path = path.as_ref();
        let written = replace_file(path, |file| self.write(file));
        written.map_err(|source| ManifestError::File { action: "write", path: path.to_owned(), source })
    }
}

#[derive(Default)]
struct Lines {
    all: u64,
    /// Headers and records.
    known: u64,
}

/// The state of a file that is to be gone on with.
pub(super) struct Beginning {
    /// The version of what comes after the last line: that of the last header.
    pub(super) version: u32,
    /// Lines that are not blank, if none of them belongs to a manifest, or else 0.
    pub(super) foreign_lines: u64,
}

pub(super) fn beginning(mut source: impl BufRead) -> io::Result<Beginning> {
    let mut version = VERSION;
    let mut lines = Lines::default();
    let mut line = Vec::new();
    while source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
        lines.all += u64::from(!line.trim_ascii().is_empty());
        let is_cut_header =
            || lines.all == 1 && header_line().is_ok_and(|header| header.as_bytes().starts_with(&line));
        if !line.ends_with(b"\n") && line.len() as u64 == LONGEST_LINE {
            skip_line(&mut source)?;
        } else if let Ok(header) = serde_json::from_slice::<Header>(&line) {
            version = header.metallic_manifest;
            lines.known += 1;
        } else if lines.known == 0 && (is_cut_header() || serde_json::from_slice::<Record>(&line).is_ok()) {
            lines.known += 1;
        }
        line.clear();
    }
    Ok(Beginning { version, foreign_lines: if lines.known == 0 { lines.all } else { 0 } })
}

/// The line that a file begins with.
pub(super) fn header_line() -> io::Result<String> {
    Ok(serde_json::to_string(&Header { metallic_manifest: VERSION })? + "\n")
}

/// A device may have no end. Pipes do, and are read.
fn refuse_device(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = file.metadata()?.file_type();
        if kind.is_char_device() || kind.is_block_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a device"));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Reads to the end of the line without keeping it.
fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let part = source.fill_buf()?;
        let (length, ends) = match part.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (part.len(), part.is_empty()),
        };
        source.consume(length);
        if ends {
            return Ok(());
        }
    }
}
