//! `metallic store show`.

use std::io::Write;
use std::time::UNIX_EPOCH;

use metallic_store::{ArtifactStore, DiskStore, EntryInfo};
use serde::Serialize;

use super::folder;
use super::listing::{DamageJson, EntryJson, find, hex, kind, label, name, nanos, target};
use crate::args::ShowArgs;
use crate::error::Error;
use crate::json;
use crate::paragraph::write_wrapped;
use crate::units::{bytes, duration, printable, utc};

#[derive(Serialize)]
struct Json {
    entries: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    entry: EntryJson,
    target: Option<String>,
    damage: Option<DamageJson>,
}

pub(super) fn run(args: &ShowArgs, out: &mut dyn Write) -> Result<(), Error> {
    let store = folder::open(&args.folder)?;
    let found = find(&store, &args.key)?;
    if args.folder.json {
        let shown = |info: &EntryInfo| Shown {
            entry: info.into(),
            target: target(&store, info).map(|target| target.to_string()),
            damage: store.read(&info.id).err().map(|cause| DamageJson::new(&info.id, &cause)),
        };
        let body = Json { entries: found.iter().map(shown).collect() };
        return json::write(json::STORE_SHOW, &body, out);
    }
    for (number, info) in found.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        write(&store, info, out)?;
    }
    Ok(())
}

fn write(store: &DiskStore, info: &EntryInfo, out: &mut dyn Write) -> Result<(), Error> {
    let mut line =
        |title: &str, text: &str| write_wrapped(out, &format!("{title:<10}"), &printable(text, usize::MAX));
    let key = &info.key;
    line("name", &name(&info.id))?;
    line("subject", &info.id.subject().to_string())?;
    line("identity", &info.id.identity().to_string())?;
    line("label", &label(info))?;
    line("cache", key.cache())?;
    line("schema", &key.schema().to_string())?;
    let content = hex(&key.bytes()[..key.bytes().len().min(24)]);
    let cut = if key.bytes().len() > 24 { "…" } else { "" };
    let length = bytes(key.bytes().len() as u64);
    line("key", &format!("{}, {length}: {content}{cut}", kind(key.kind())))?;
    for layer in key.fingerprint().layers() {
        let value = if layer.value().is_empty() { "-" } else { layer.value() };
        line("layer", &format!("{} = {value} ({})", layer.name(), &layer.digest().to_string()[..12]))?;
    }
    if let Some(target) = target(store, info) {
        let there = match store.info(&target) {
            Ok(target) => label(&target),
            Err(cause) => cause.to_string(),
        };
        line("leads to", &format!("{}, {there}", name(&target)))?;
    } else {
        for (payload, len) in &info.payloads {
            line("payload", &format!("{payload}, {}", bytes(*len)))?;
        }
        line("cost", &duration(nanos(info.cost)))?;
    }
    line("size", &bytes(info.bytes))?;
    let unknown = || "unknown".to_owned();
    line("written", &utc(info.written.saturating_mul(1_000_000_000)).unwrap_or_else(unknown))?;
    let used = info.used.and_then(|used| used.duration_since(UNIX_EPOCH).ok());
    line("used", &used.and_then(|used| utc(nanos(used))).unwrap_or_else(unknown))?;
    let verified = match store.read(&info.id) {
        Ok(_) if info.is_authenticated => "whole, and authenticated".to_owned(),
        Ok(_) => "whole".to_owned(),
        Err(cause) => cause.to_string(),
    };
    Ok(line("content", &verified)?)
}
