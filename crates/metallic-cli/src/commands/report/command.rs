//! The command itself.

use std::io::Write;

use metallic_instrumentation::Event;

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

/// The report of a log, with the figures of at most `keys` keys at any time.
///
/// # Errors
/// The log cannot be read, or holds no event.
pub fn collect(mut log: LogReader, keys: usize) -> Result<Report, Error> {
    conclude(read(&mut log, Collector::new(keys), |_| {})?, &log)
}

/// Reads a log to its end, and hands each event on.
///
/// # Errors
/// The log cannot be read.
pub fn read(
    log: &mut LogReader,
    mut collector: Collector,
    mut then: impl FnMut(Event),
) -> Result<Collector, Error> {
    for event in log {
        let event = event?;
        collector.add(&event);
        then(event);
    }
    Ok(collector)
}

/// The report of a log that was read to its end.
///
/// # Errors
/// The log holds no event.
pub fn conclude(collector: Collector, log: &LogReader) -> Result<Report, Error> {
    let report = collector.report(log.files(), log.lines(), log.skipped());
    if report.events > 0 {
        return Ok(report);
    }
    let file = log.files().first().map_or("", String::as_str);
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
