//! The page as a whole, and the file it goes to.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

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
         <title>What the caches did</title>\n<style>\n{STYLE}</style></head>\n<body>\n{header}<main>\n{tiles}{caches}\
         <div class=\"figures\">\n{figures}</div>\n{caveats}</main>\n\
         <footer><p>Made by <code>metallic report</code> {version}.</p></footer>\n</body></html>\n",
        header = overview::header(report),
        tiles = overview::tiles(report),
        caches = overview::caches(report),
        caveats = overview::caveats(report),
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The file that a page goes to. What stands in it is replaced only when the page is made.
#[derive(Debug)]
pub struct Page {
    path: PathBuf,
    file: File,
}

impl Page {
    /// Opens the file, to find out early whether it can be written.
    ///
    /// # Errors
    /// It cannot.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = opened.map_err(|error| Error::file(path.display().to_string(), error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the page.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(mut self, report: &Report) -> Result<(), Error> {
        let html = page(report);
        let written = self.file.set_len(0).and_then(|()| self.file.write_all(html.as_bytes()));
        written.map_err(|error| Error::file(self.path.display().to_string(), error))
    }
}
