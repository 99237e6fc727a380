//! A life as text for the terminal.

use std::io::{self, Write};

use metallic_instrumentation::NearestKey;

use super::life::{LifeEvent, LifeEventKind};
use super::search::Found;
use crate::paragraph::write_wrapped;
use crate::units::{count, counted, nanoseconds, printable};

/// Text of a log, as long as it is, that cannot steer a terminal.
fn safe(text: &str) -> String {
    printable(text, usize::MAX)
}

pub(super) fn write(out: &mut dyn Write, found: &Found) -> io::Result<()> {
    writeln!(out, "{}", safe(&found.key))?;
    let Some(life) = &found.life else {
        writeln!(out, "  is not in the log")?;
        if found.containing > 0 {
            let keys = counted(found.containing as u64, "key", "keys");
            writeln!(out, "  is in {keys}; --like lists them")?;
        }
        return found.nearest.iter().try_for_each(|nearest| write_nearest(out, nearest, "  "));
    };
    let totals = life.totals;
    let mut text = format!(
        "{}, {}, evicted or removed {}; {} spent in creations",
        counted(totals.hits, "hit", "hits"),
        counted(totals.misses, "miss", "misses"),
        counted(totals.departures, "time", "times"),
        nanoseconds(totals.creation_seconds * 1e9)
    );
    if totals.failures > 0 {
        text += &format!(", {} of which failed", count(totals.failures));
    }
    if totals.violations > 0 {
        text += &format!("; {} in armed scopes", counted(totals.violations, "violation", "violations"));
    }
    write_wrapped(out, "  ", &text)?;
    if found.other_registries > 0 {
        let number = found.registry.map_or_else(String::new, |number| format!(" {number}"));
        let others = counted(found.other_registries as u64, "other has", "others have");
        let text = format!("(in registry{number}, the first that has it; {others} it too)");
        write_wrapped(out, "  ", &text)?;
    }
    if !found.also_in.is_empty() {
        let text = format!("(a key like this is in {} too: name the cache)", safe(&found.also_in.join(", ")));
        write_wrapped(out, "  ", &text)?;
    }
    writeln!(out)?;
    let start = life.events.iter().find_map(|event| event.at_ns);
    let width = life.events.last().map_or(0, |event| event.line.to_string().len());
    for event in &life.events {
        let when = event
            .at_ns
            .zip(start)
            .map(|(at, start)| format!("+{}", nanoseconds(at.saturating_sub(start) as f64)));
        let head = format!("  line {:>width$}  {:>9}  ", event.line, when.unwrap_or_default());
        write_wrapped(out, &head, &event_text(event))?;
        let indent = " ".repeat(width + 20);
        if let LifeEventKind::Violated { nearest_key: Some(nearest), differing_fields, .. } = &event.kind {
            let fields: Vec<_> = differing_fields.iter().map(|field| field_name(field)).collect();
            let text = format!("the nearest key there, {}, differs in {}", safe(nearest), fields.join(", "));
            write_wrapped(out, &indent, &text)?;
        }
        if matches!(event.kind, LifeEventKind::Missed { why: "first", .. }) {
            found.nearest.iter().try_for_each(|nearest| write_nearest(out, nearest, &indent))?;
        }
    }
    Ok(())
}

fn event_text(event: &LifeEvent) -> String {
    let seconds = |seconds: f64| nanoseconds(seconds * 1e9);
    match &event.kind {
        LifeEventKind::Created { seconds: took } => format!("created in {}", seconds(*took)),
        LifeEventKind::Failed { seconds: took, error } => {
            let error = error.as_ref().map_or_else(String::new, |error| format!(": {}", safe(error)));
            format!("creation failed after {}{error}", seconds(*took))
        }
        LifeEventKind::Violated { scope, mode, verdict, evicted_by, caller, .. } => {
            let done = match *mode {
                "refuse" => "creation refused",
                "warn" => "created all the same, and warned of",
                _ => "created all the same, and counted",
            };
            let mut text = format!("{done} in the armed scope {}: {}", safe(scope), verdict_text(verdict));
            text.extend(evicted_by.as_ref().map(|strategy| format!(" by {}", safe(strategy))));
            text.extend(caller.as_ref().map(|caller| format!("; asked for at {}", safe(caller))));
            text
        }
        LifeEventKind::Hits { count: 1, .. } => "hit".to_owned(),
        LifeEventKind::Hits { count: hits, until_ns } => {
            let during = until_ns.zip(event.at_ns).map(|(last, first)| last.saturating_sub(first));
            let during = during.map_or_else(String::new, |ns| format!(" in {}", nanoseconds(ns as f64)));
            format!("hit {} times{during}", count(*hits))
        }
        LifeEventKind::Missed { why, away_ns, would_keep } => {
            let mut text = match *why {
                "first" => "missed: never seen before".to_owned(),
                "failed" => "missed: its last creation failed".to_owned(),
                "refused" => "missed: its creation had been refused".to_owned(),
                "unknown" => "missed: the log does not say why it was removed".to_owned(),
                "removed" | "cleared" => format!("missed: the program had {why} it"),
                "stale" => "missed: what it was made from had changed".to_owned(),
                "size_limit" => "missed: it was evicted to make room".to_owned(),
                "idle_timeout" => "missed: it had expired".to_owned(),
                other => format!("missed: it had been removed ({other})"),
            };
            text.extend(away_ns.map(|ns| format!(" {} before", nanoseconds(ns as f64))));
            text.extend(would_keep.map(|entries| {
                let entries = counted(entries as u64, "entry", "entries");
                format!("; an LRU cache of {entries} would have kept it")
            }));
            text
        }
        LifeEventKind::Left { cause, strategy, reason, for_key, idle_seconds, age_seconds, reuse_count } => {
            let mut text = match *cause {
                "size_limit" => "evicted to make room",
                "idle_timeout" => "expired",
                "removed" => "removed by the program",
                "cleared" => "cleared by the program",
                "stale" => "outdated by a change of what it was made from",
                other => other,
            }
            .to_owned();
            text.extend(for_key.as_ref().map(|key| format!(" for {}", safe(key))));
            if let (Some(strategy), Some(reason)) = (strategy, reason) {
                text += &format!(" by {} ({})", safe(strategy), safe(reason));
            }
            let (old, idle) = (seconds(*age_seconds), seconds(*idle_seconds));
            text + &format!("; {old} old, idle for {idle}, {}", counted(*reuse_count, "hit", "hits"))
        }
    }
}

/// Why a key was not in its cache in an armed scope.
fn verdict_text(verdict: &str) -> &str {
    match verdict {
        "never_recorded" => "never recorded",
        "not_ready" => "warm-up had not come to it",
        "failed" => "warm-up failed to create it",
        "evicted" => "evicted or removed",
        "other_fingerprint" => "recorded for another schema or fingerprint",
        "no_manifest" => "there was no manifest to warm up from",
        "not_recordable" => {
            "no manifest can have what a closure or a slot creates: prefetch it, or rehearse, before the scope is armed"
        }
        other => other,
    }
}

/// The name of a field in which two keys differ; a key without fields differs as a whole.
fn field_name(field: &str) -> String {
    if field.is_empty() { "the key".to_owned() } else { safe(field) }
}

fn write_nearest(out: &mut dyn Write, nearest: &NearestKey, indent: &str) -> io::Result<()> {
    writeln!(out, "{indent}nearest: {}", safe(&nearest.key))?;
    for difference in &nearest.differences {
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), safe);
        let field = field_name(&difference.field);
        writeln!(
            out,
            "{indent}  {field}: {} here, {} there",
            value(&difference.asked),
            value(&difference.other)
        )?;
    }
    Ok(())
}
