//! The page as a whole, and the file it goes to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use super::markup::escaped;
use super::{idle, over_time, overview, rankings};
use crate::commands::report::figures::Report;
use crate::error::Error;

const STYLE: &str = include_str!("style.css");

/// The report as one HTML document.
pub fn page(report: &Report) -> String {
    let over_time = [over_time::hit_rate, over_time::misses, over_time::creation_time, over_time::entries];
    let rankings = [rankings::dearest_keys, rankings::rebuilt_keys, rankings::evictions];
    let drawn = over_time.iter().chain(&rankings).filter_map(|figure| figure(report));
    let figures: String = drawn.chain(idle::idle_ages(report)).map(|figure| figure.html()).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>What the caches did: {title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n{header}<main>\n{tiles}{caches}\
         <div class=\"figures\">\n{figures}</div>\n{caveats}</main>\n\
         <footer><p>Made by <code>metallic report</code> {version}.</p></footer>\n</body></html>\n",
        title = escaped(report.files.last().map_or("", String::as_str)),
        header = overview::header(report),
        tiles = overview::tiles(report),
        caches = overview::caches(report),
        caveats = overview::caveats(report),
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The place that a page goes to.
#[derive(Debug)]
pub enum Page {
    /// Standard output.
    Stdout,
    /// A device, a pipe or the like, which is written to directly.
    Stream(PathBuf),
    /// A file, which the page replaces once it is complete.
    File(PathBuf),
}

impl Page {
    /// The place with this name; `-` is standard output. Finds out early whether it can be written, and changes nothing.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(path: &Path) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let failed = |error| Error::file(path.display().to_string(), error);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if !metadata.is_file() => Ok(Self::Stream(path.to_owned())),
            Ok(_) => {
                OpenOptions::new().write(true).open(path).map_err(failed)?;
                // A link stays one.
                let path = fs::canonicalize(path).map_err(failed)?;
                probe(&path).map_err(failed)?;
                Ok(Self::File(path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                probe(path).map_err(failed)?;
                Ok(Self::File(path.to_owned()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes the page. A file keeps its old content until the page is complete.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(&self, report: &Report, out: &mut dyn Write) -> Result<(), Error> {
        let html = page(report);
        match self {
            Self::Stdout => Ok(out.write_all(html.as_bytes())?),
            Self::Stream(path) => {
                let written = OpenOptions::new().write(true).open(path);
                let written = written.and_then(|mut file| file.write_all(html.as_bytes()));
                written.map_err(|error| Error::file(path.display().to_string(), error))
            }
            Self::File(path) => {
                replace(path, html.as_bytes()).map_err(|error| Error::file(path.display().to_string(), error))
            }
        }
    }
}

/// The name of the file that is written first: in the same folder, so that it can take the place of the other.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", process::id()));
    path.with_file_name(name)
}

/// Checks that a file can be made beside this one.
fn probe(path: &Path) -> io::Result<()> {
    let beside = beside(path);
    File::create_new(&beside)?;
    fs::remove_file(beside)
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    let mut file = File::create_new(&beside)?;
    let written = file.write_all(content).and_then(|()| {
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // What went wrong first is what is reported.
        let _ = fs::remove_file(&beside);
    }
    written
}
