//! The command itself.

use std::io::Write;

use super::check::Check;
use super::collector::Collector;
use super::html;
use super::reading::{conclude, read};
use super::tables::write_tables;
use crate::args::ReportArgs;
use crate::error::Error;
use crate::input::{LogReader, Source, sources};
use crate::json;
use crate::overwrite;

/// Runs the command.
///
/// # Errors
/// A log cannot be read or holds no event, the page cannot be written, or the output cannot.
pub fn run(args: &ReportArgs, out: &mut dyn Write) -> Result<(), Error> {
    let sources = sources(&args.logs)?;
    // Found out before gigabytes are read, not after.
    if let Some(page) = &args.html {
        overwrite::refuse("--html", page, "page", sources.iter().filter_map(Source::path))?;
        overwrite::refuse_foreign("--html", page, "a page", html::is_page)?;
    }
    let page = args.html.as_deref().map(html::Page::new).transpose()?;
    if args.json && matches!(page, Some(html::Page::Stdout)) {
        return Err(Error::Usage("--json and --html -: standard output takes one of them".to_owned()));
    }
    let (mut log, collector) = (LogReader::new(sources), Collector::new(args.keys).naming(args.top));
    let report = match page {
        Some(page) => {
            let contents = html::Contents::read(log, collector)?;
            page.write(&contents, out)?;
            contents.report
        }
        None => conclude(read(&mut log, collector, |_| {})?, &log)?,
    };
    if args.json {
        json::write(json::REPORT, &report, out)?;
    } else if args.html.is_none() {
        write_tables(&report, out)?;
    }
    Check::all(&args.checks, &report)
}
