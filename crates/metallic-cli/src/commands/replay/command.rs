//! The command itself.

use std::io::Write;

use super::formats::load;
use super::results::replay;
use super::{json, text};
use crate::args::{ReplayArgs, TraceFormat};
use crate::error::Error;
use crate::units::{counted, lines_text, printable};

/// Runs the command.
///
/// # Errors
/// The log cannot be read or has nothing to replay, or the output cannot be written.
pub fn run(args: &ReplayArgs, out: &mut dyn Write) -> Result<(), Error> {
    let input = load(args)?;
    let (caches, left_out) = replay(&input, args)?;
    if args.json {
        return crate::json::write(crate::json::REPLAY, &json::document(&input, &caches, left_out), out);
    }
    if args.format == TraceFormat::Auto {
        let format = match input.format {
            TraceFormat::Keys => "one key a line",
            TraceFormat::Csv => "CSV",
            TraceFormat::Arc => "a trace of blocks: start block, count, ignored, request number",
            TraceFormat::Auto | TraceFormat::Jsonl => "",
        };
        if !format.is_empty() {
            writeln!(out, "read as {format}; --format says otherwise")?;
        }
    }
    if let Some(titles) = &input.titles {
        writeln!(out, "the first line is taken for titles: {}", printable(titles, 200))?;
    }
    for skipped in &input.skipped {
        // Blank lines are counted and not named.
        let first = skipped.skipped.first.first().map_or_else(String::new, |first| format!("; {first}"));
        let lines = lines_text(skipped.skipped.total());
        writeln!(out, "{}: {lines} passed over{}", skipped.file, printable(&first, 200))?;
    }
    if input.dropped > 0 {
        writeln!(out, "the log's exporter dropped {}", counted(input.dropped, "event", "events"))?;
    }
    if input.files.len() > 1 {
        writeln!(out, "read: {}", printable(&input.files.join(", "), 1000))?;
    }
    text::write_summary(out, &input, &caches)?;
    if left_out > 0 {
        let left_out = counted(left_out as u64, "more cache", "more caches");
        writeln!(out, "and {left_out}, with fewer accesses; --cache NAME replays one")?;
    }
    for cache in &caches {
        writeln!(out)?;
        text::write(out, &input.recordings[cache.recording], cache)?;
    }
    Ok(())
}
