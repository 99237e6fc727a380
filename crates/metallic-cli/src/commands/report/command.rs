//! The command itself.

use std::io::Write;

use super::check::Check;
use super::collector::Collector;
use super::figures::Report;
use super::html;
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
    }
    let page = args.html.as_deref().map(html::Page::new).transpose()?;
    if args.json && matches!(page, Some(html::Page::Stdout)) {
        return Err(Error::Usage("--json and --html -: standard output takes one of them".to_owned()));
    }
    let collector = Collector::new(args.keys).naming(args.top);
    let (report, ()) = collect_with(LogReader::new(sources), collector, |_| ())?;
    if let Some(page) = page {
        page.write(&report, out)?;
    }
    if args.json {
        json::write(json::REPORT, &report, out)?;
    } else if args.html.is_none() {
        write_tables(&report, out)?;
    }
    Check::all(&args.checks, &report)
}

/// The report of a log, with the figures of at most `keys` keys at any time.
///
/// # Errors
/// The log cannot be read, or holds no event.
pub fn collect(log: LogReader, keys: usize) -> Result<Report, Error> {
    Ok(collect_with(log, Collector::new(keys), |_| ())?.0)
}

/// The report of a log, and what `look` sees in the figures that it is made of.
///
/// # Errors
/// The log cannot be read, or holds no event.
pub fn collect_with<T>(
    mut log: LogReader,
    mut collector: Collector,
    look: impl FnOnce(&Collector) -> T,
) -> Result<(Report, T), Error> {
    let file = log.first_name().to_owned();
    for event in &mut log {
        collector.add(&event?);
    }
    let seen = look(&collector);
    let report = collector.report(log.files(), log.lines(), log.skipped());
    if report.events > 0 {
        return Ok((report, seen));
    }
    let lines: u64 = report.skipped.iter().map(|file| file.lines).sum();
    let first = report
        .skipped
        .iter()
        .find_map(|file| file.first.first().map(|line| format!("; the first in {}, {line}", file.file)));
    Err(Error::NotFound(match lines {
        0 => format!("{file}: the log is empty"),
        _ => format!("{file}: the log has no events, but {lines} other lines{}", first.unwrap_or_default()),
    }))
}
