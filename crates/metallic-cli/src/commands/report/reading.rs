//! From a log to its report.

use metallic_instrumentation::Event;

use super::collector::Collector;
use super::figures::Report;
use crate::error::Error;
use crate::input::LogReader;

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
    if report.events > 0 { Ok(report) } else { Err(log.without_events()) }
}
