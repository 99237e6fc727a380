//! The page as a whole, and the file it goes to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use metallic::manifest::replace_file;

use super::contents::Contents;
use super::{advice, data, idle, keys, over_time, overview, quantities, rankings, script};
use crate::error::Error;
use crate::overwrite::probe;

const STYLE: &str = include_str!("style.css");

/// The report as one HTML document.
pub fn page(contents: &Contents) -> String {
    let report = &contents.report;
    let figures = |figures: Vec<super::figure::Figure>| -> String {
        figures.iter().map(super::figure::Figure::html).collect()
    };
    let over_time = quantities::QUANTITIES.iter().filter_map(|quantity| over_time::figure(report, quantity));
    let rankings =
        [rankings::dearest_keys, rankings::rebuilt_keys].iter().filter_map(|figure| figure(report));
    let evictions = rankings::evictions(report).into_iter().chain(idle::idle_ages(report));
    let groups = [
        ("time", overview::legend(report), figures(over_time.collect())),
        ("dear", String::new(), figures(rankings.collect()) + &keys::keys(contents)),
        ("gone", idle::legend(report), figures(evictions.collect())),
    ];
    let [time, dear, gone] = groups.map(|(id, legend, figures)| match figures.is_empty() {
        true => figures,
        false => format!("{legend}<div id=\"{id}\" class=\"figures\">\n{figures}</div>\n"),
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src '{hash}'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style></head>\n<body>\n{header}<main>\n{tiles}{advice}{caches}\
         {time}{dear}{gone}{coverage}{caveats}</main>\n\
         <footer><p>Made by <code>metallic report</code> {version}.</p></footer>\n\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>{script}</script>\n</body></html>\n",
        hash = script::hash(),
        title = overview::title(report),
        header = overview::header(report),
        tiles = overview::tiles(report),
        advice = advice::advice(contents),
        caches = overview::caches(report),
        coverage = advice::coverage(contents),
        caveats = overview::caveats(report),
        version = env!("CARGO_PKG_VERSION"),
        data = data::data(report),
        script = script::SCRIPT,
    )
}

/// The place that a page goes to.
#[derive(Debug)]
pub enum Page {
    /// Standard output.
    Stdout,
    /// A file, which the page replaces once it is complete; or a device, a pipe or the like, which is written to directly.
    Path(PathBuf),
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
            Ok(metadata) if metadata.is_dir() => return Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if !metadata.is_file() => {}
            Ok(_) => {
                OpenOptions::new().write(true).open(path).map_err(failed)?;
                // A link stays one.
                probe(&fs::canonicalize(path).map_err(failed)?).map_err(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => probe(path).map_err(failed)?,
            Err(error) => return Err(failed(error)),
        }
        Ok(Self::Path(path.to_owned()))
    }

    /// Writes the page. A file keeps its old content until the page is complete.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(&self, contents: &Contents, out: &mut dyn Write) -> Result<(), Error> {
        let html = page(contents);
        match self {
            Self::Stdout => Ok(out.write_all(html.as_bytes())?),
            Self::Path(path) => replace_file(path, |file| file.write_all(html.as_bytes()))
                .map_err(|error| Error::file(path.display().to_string(), error)),
        }
    }
}

/// Returns `true` if the file is an HTML page.
pub fn is_page(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1024).read_to_end(&mut begin));
    let begin =
        String::from_utf8_lossy(&begin).trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    read.is_ok() && (begin.starts_with("<!doctype html") || begin.starts_with("<html"))
}
