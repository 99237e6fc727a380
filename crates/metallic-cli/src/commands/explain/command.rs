//! The command itself.

use std::io::Write;

use serde_json::{Value, json};

use super::key_list::{self, KeyList};
use super::search::{Found, Search};
use super::text;
use crate::args::ExplainArgs;
use crate::error::Error;
use crate::input::{LogReader, SkippedIn};
use crate::json;
use crate::units::{lines_text, printable};

/// Runs the command.
///
/// # Errors
/// The log cannot be read, has no keys or not the one that is asked for, or the output cannot be written.
pub fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), Error> {
    let mut log = LogReader::open(std::slice::from_ref(&args.log))?;
    if let Some(list) = KeyList::wanted(args) {
        return write_list(args, list, log, out);
    }
    let Some(key) = &args.key else {
        return Err(Error::Usage(
            "explain: a KEY, --list, --like or --group-by says which keys are meant".to_owned(),
        ));
    };
    let found = search(&mut log, key)?;
    log.refuse_foreign(std::slice::from_ref(&args.log))?;
    if found.keys == 0 {
        return Err(Error::NotFound(format!("{}: no event in it names a key", args.log.display())));
    }
    if args.json {
        json::write(json::EXPLAIN, &document(&found, log.files(), log.skipped()), out)?;
    } else {
        write_heading(&log, out)?;
        text::write(out, &found)?;
    }
    match found.life {
        Some(_) => Ok(()),
        None => Err(Error::NotFound(format!("{}: `{}` is not in the log", args.log.display(), found.key))),
    }
}

fn write_heading(log: &LogReader, out: &mut dyn Write) -> Result<(), Error> {
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
    Ok(())
}

fn write_list(
    args: &ExplainArgs,
    mut list: KeyList,
    mut log: LogReader,
    out: &mut dyn Write,
) -> Result<(), Error> {
    while let Some(event) = log.next().transpose()? {
        list.take(&event);
    }
    log.refuse_foreign(std::slice::from_ref(&args.log))?;
    let lacking = list.lacking();
    let rows = list.finish();
    if args.json {
        json::write(json::EXPLAIN_LIST, &json!({"files": log.files(), "keys": rows}), out)?;
    } else {
        write_heading(&log, out)?;
        if !rows.is_empty() {
            key_list::write(out, &rows, args.group_by.is_some())?;
        }
    }
    if rows.is_empty() {
        return Err(Error::NotFound(format!("{}: {}", args.log.display(), printable(&lacking, 1000))));
    }
    Ok(())
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
        "files": files,
        "cache": found.cache,
        "key": found.key,
        "found": found.life.is_some(),
        "also_in": found.also_in,
        "registry": found.registry,
        "other_registries": found.other_registries,
        "containing": found.containing,
        "totals": totals,
        "nearest": found.nearest,
        "life": found.life.as_ref().map_or(&[][..], |life| &life.events),
        "skipped": skipped.collect::<Value>(),
    })
}
