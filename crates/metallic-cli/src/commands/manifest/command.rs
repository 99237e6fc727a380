//! The command itself.

use std::io::Write;
use std::path::{Path, PathBuf};

use metallic::manifest::{Manifest, Record};
use serde_json::{Value, json};

use super::coverage::{self, Uses};
use super::phases::{self, phases};
use crate::args::{ManifestArgs, ManifestCommand};
use crate::error::Error;
use crate::input::LogReader;
use crate::json;
use crate::paragraph::write_wrapped;
use crate::table::Table;
use crate::units::{bytes, count, counted, duration, printable};

/// Runs the command.
///
/// # Errors
/// A manifest or a log cannot be read, or a manifest or the output cannot be written.
pub fn run(args: &ManifestArgs, out: &mut dyn Write) -> Result<(), Error> {
    match &args.command {
        ManifestCommand::Show { manifest, json } => show(&Manifest::open(manifest)?, *json, out),
        ManifestCommand::Merge { manifests, out: path } => {
            let mut merged = Manifest::new();
            for manifest in manifests {
                merged.merge(&Manifest::open(manifest)?);
            }
            save(&merged, path, out)
        }
        ManifestCommand::Diff { first, second, json } => {
            diff(&Manifest::open(first)?, &Manifest::open(second)?, *json, out)
        }
        ManifestCommand::Prune { manifest, unused, out: path } => {
            let known = Manifest::open(manifest)?;
            if path.is_none() && !known.skipped().is_empty() {
                let cause = format!(
                    "pruning it in place would lose what was passed over ({}): --out writes elsewhere",
                    skipped(&known)
                );
                return Err(Error::content(manifest.display().to_string(), cause));
            }
            let uses = uses(&known, unused)?;
            save(&known.prune(|record| uses.has(&record.label)), path.as_deref().unwrap_or(manifest), out)
        }
        ManifestCommand::Coverage { manifest, log, json } => {
            let manifest = Manifest::open(manifest)?;
            let uses = uses(&manifest, std::slice::from_ref(log))?;
            let coverage = uses.coverage();
            let phases = phases(&manifest, Some(&|label| uses.has(label)));
            if *json {
                let body = json!({"coverage": coverage, "phases": phases});
                return json::write(json::MANIFEST_COVERAGE, &body, out);
            }
            coverage::write(&coverage, out)?;
            Ok(phases::write(&phases, out)?)
        }
    }
}

/// The lines that were passed over, with their reasons; empty if there are none.
fn skipped(manifest: &Manifest) -> String {
    let reasons = manifest.skipped().iter();
    let reasons: Vec<_> =
        reasons.map(|(reason, lines)| format!("{}: {}", printable(reason, 100), count(*lines))).collect();
    reasons.join(", ")
}

fn uses(manifest: &Manifest, logs: &[PathBuf]) -> Result<Uses, Error> {
    let mut uses = Uses::of(manifest);
    let mut log = LogReader::open(logs)?;
    while let Some(event) = log.next().transpose()? {
        uses.take(&event);
    }
    // No key is used in a file that is not a log: `prune` would drop them all.
    log.refuse_foreign(logs)?;
    Ok(uses)
}

fn save(manifest: &Manifest, path: &Path, out: &mut dyn Write) -> Result<(), Error> {
    if path.is_file() {
        // What is not a manifest is not overwritten.
        Manifest::open(path)?;
    }
    manifest.save(path)?;
    Ok(writeln!(
        out,
        "{}: {}",
        printable(&path.display().to_string(), 200),
        counted(manifest.len() as u64, "key", "keys")
    )?)
}

fn show(manifest: &Manifest, is_json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let mut records: Vec<&Record> = manifest.records().collect();
    records.sort_by_key(|record| (std::cmp::Reverse(record.cost_ns), record.order));
    if is_json {
        let records: Vec<Value> = records.iter().map(|record| json!(record)).collect();
        let body =
            json!({"records": records, "phases": phases(manifest, None), "skipped": manifest.skipped()});
        return json::write(json::MANIFEST_SHOW, &body, out);
    }
    let mut table = Table::new(["key", "cost", "bytes", "created", "phase"]).ending_in_text();
    for record in &records {
        table.row([
            printable(&record.label, 100),
            duration(record.cost_ns),
            bytes(record.bytes),
            count(record.count),
            printable(record.phase.as_deref().unwrap_or_default(), 20),
        ]);
    }
    table.write(out, 0)?;
    let cost = records.iter().map(|record| record.cost_ns).fold(0, u64::saturating_add);
    writeln!(out, "\n{}, {} to create", counted(records.len() as u64, "key", "keys"), duration(cost))?;
    phases::write(&phases(manifest, None), out)?;
    Ok(write_wrapped(out, "passed over: ", &skipped(manifest))?)
}

fn diff(first: &Manifest, second: &Manifest, is_json: bool, out: &mut dyn Write) -> Result<(), Error> {
    let diff = first.diff(second);
    if is_json {
        let body = json!({
            "only_first": diff.only_first,
            "only_second": diff.only_second,
            "common": diff.common,
        });
        return json::write(json::MANIFEST_DIFF, &body, out);
    }
    for (sign, records) in [('-', &diff.only_first), ('+', &diff.only_second)] {
        for record in records {
            writeln!(out, "{sign} {}", printable(&record.label, usize::MAX))?;
        }
    }
    Ok(writeln!(out, "{} in both", counted(diff.common as u64, "key", "keys"))?)
}
