//! The command itself.

use std::io::Write;

use serde_json::{Value, json};

use super::search::{Found, Search};
use super::text;
use crate::args::ExplainArgs;
use crate::error::Error;
use crate::input::{LogReader, SkippedIn};
use crate::units::{lines_text, printable};

/// Runs the command.
///
/// # Errors
/// The log cannot be read or has no keys, or the output cannot be written.
pub fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), Error> {
    let mut log = LogReader::open(std::slice::from_ref(&args.log))?;
    let found = search(&mut log, &args.key)?;
    if found.life.is_none() && found.nearest.is_none() {
        return Err(Error::NotFound(format!("{}: no event in it names a key", args.log.display())));
    }
    if args.json {
        serde_json::to_writer(&mut *out, &document(&found, log.files(), log.skipped()))?;
        return Ok(writeln!(out)?);
    }
    if log.files().len() > 1 {
        writeln!(out, "read: {}", printable(&log.files().join(", "), 1000))?;
    }
    for skipped in log.skipped() {
        writeln!(
            out,
            "{}: {} passed over",
            printable(&skipped.file, 200),
            lines_text(skipped.skipped.total())
        )?;
    }
    Ok(text::write(out, &found)?)
}

/// Reads the whole log for this key.
///
/// # Errors
/// The log cannot be read.
pub fn search(log: &mut LogReader, key: &str) -> Result<Found, Error> {
    let mut search = Search::new(key);
    while let Some(event) = log.next().transpose()? {
        search.take(&event, log.lines());
    }
    Ok(search.finish())
}

fn document(found: &Found, files: &[String], skipped: &[SkippedIn]) -> Value {
    let skipped =
        skipped.iter().map(|skipped| json!({"file": skipped.file, "lines": skipped.skipped.total()}));
    let totals = found.life.as_ref().map(|life| life.totals).unwrap_or_default();
    json!({
        "schema": 1,
        "files": files,
        "cache": found.cache,
        "key": found.key,
        "found": found.life.is_some(),
        "also_in": found.also_in,
        "totals": totals,
        "nearest": found.nearest,
        "life": found.life.as_ref().map_or(&[][..], |life| &life.events),
        "skipped": skipped.collect::<Value>(),
    })
}
