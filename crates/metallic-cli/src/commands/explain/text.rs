//! A life as text for the terminal.

use std::io::{self, Write};

use metallic_instrumentation::NearestKey;

use super::life::{LifeEvent, LifeEventKind};
use super::search::Found;
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
    write!(
        out,
        "  {}, {}, removed {}; {} spent in creations",
        counted(totals.hits, "hit", "hits"),
        counted(totals.misses, "miss", "misses"),
        counted(totals.departures, "time", "times"),
        nanoseconds(totals.creation_seconds * 1e9)
    )?;
    if totals.failures > 0 {
        write!(out, ", {} of which failed", count(totals.failures))?;
    }
    if totals.violations > 0 {
        write!(out, "; {} in armed scopes", counted(totals.violations, "violation", "violations"))?;
    }
    writeln!(out)?;
    if found.other_registries > 0 {
        let number = found.registry.map_or_else(String::new, |number| format!(" {number}"));
        let others = count(found.other_registries as u64);
        writeln!(out, "  (in registry{number}, the first that has it; {others} others have it too)")?;
    }
    if !found.also_in.is_empty() {
        writeln!(out, "  (a key like this is in {} too: name the cache)", safe(&found.also_in.join(", ")))?;
    }
    writeln!(out)?;
    let start = life.events.iter().find_map(|event| event.at_ns);
    let width = life.events.last().map_or(0, |event| event.line.to_string().len());
    for event in &life.events {
        let when = event
            .at_ns
            .zip(start)
            .map(|(at, start)| format!("+{}", nanoseconds(at.saturating_sub(start) as f64)));
        write!(out, "  line {:>width$}  {:>9}  ", event.line, when.unwrap_or_default())?;
        write_event(out, event)?;
        let indent = " ".repeat(width + 20);
        if let LifeEventKind::Violated { nearest_key: Some(nearest), differing_fields, .. } = &event.kind {
            let fields = safe(&differing_fields.join(", "));
            writeln!(out, "{indent}the nearest key there, {}, differs in {fields}", safe(nearest))?;
        }
        if matches!(event.kind, LifeEventKind::Missed { why: "first", .. }) {
            found.nearest.iter().try_for_each(|nearest| write_nearest(out, nearest, &indent))?;
        }
    }
    Ok(())
}

fn write_event(out: &mut dyn Write, event: &LifeEvent) -> io::Result<()> {
    let seconds = |seconds: f64| nanoseconds(seconds * 1e9);
    match &event.kind {
        LifeEventKind::Created { seconds: took } => writeln!(out, "created in {}", seconds(*took)),
        LifeEventKind::Failed { seconds: took, error } => {
            let error = error.as_ref().map_or_else(String::new, |error| format!(": {}", safe(error)));
            writeln!(out, "creation failed after {}{error}", seconds(*took))
        }
        LifeEventKind::Violated { scope, mode, verdict, evicted_by, caller, .. } => {
            let done = match *mode {
                "refuse" => "creation refused",
                "warn" => "created all the same, and warned of",
                _ => "created all the same, and counted",
            };
            write!(out, "{done} in the armed scope {}: {}", safe(scope), verdict_text(verdict))?;
            if let Some(strategy) = evicted_by {
                write!(out, " by {}", safe(strategy))?;
            }
            match caller {
                Some(caller) => writeln!(out, "; asked for at {}", safe(caller)),
                None => writeln!(out),
            }
        }
        LifeEventKind::Hits { count: 1, .. } => writeln!(out, "hit"),
        LifeEventKind::Hits { count: hits, until_ns } => {
            write!(out, "hit {} times", count(*hits))?;
            let during = until_ns.zip(event.at_ns).map(|(last, first)| last.saturating_sub(first));
            match during {
                Some(ns) => writeln!(out, " in {}", nanoseconds(ns as f64)),
                None => writeln!(out),
            }
        }
        LifeEventKind::Missed { why, away_ns, would_keep } => {
            match *why {
                "first" => write!(out, "missed: never seen before")?,
                "failed" => write!(out, "missed: its last creation failed")?,
                "refused" => write!(out, "missed: its creation had been refused")?,
                "unknown" => write!(out, "missed: the log does not say why it was removed")?,
                "removed" | "cleared" => write!(out, "missed: the program had {why} it")?,
                "stale" => write!(out, "missed: what it was made from had changed")?,
                "size_limit" => write!(out, "missed: it was evicted to make room")?,
                "idle_timeout" => write!(out, "missed: it had expired")?,
                other => write!(out, "missed: it had been removed ({other})")?,
            }
            if let Some(ns) = away_ns {
                write!(out, " {} before", nanoseconds(*ns as f64))?;
            }
            if let Some(entries) = would_keep {
                write!(out, "; an LRU cache of {} entries would have kept it", count(*entries as u64))?;
            }
            writeln!(out)
        }
        LifeEventKind::Left { cause, strategy, reason, for_key, idle_seconds, age_seconds, reuse_count } => {
            let left = match *cause {
                "size_limit" => "evicted to make room",
                "idle_timeout" => "expired",
                "removed" => "removed by the program",
                "cleared" => "cleared by the program",
                "stale" => "outdated by a change of what it was made from",
                other => other,
            };
            write!(out, "{left}")?;
            if let Some(key) = for_key {
                write!(out, " for {}", safe(key))?;
            }
            if let (Some(strategy), Some(reason)) = (strategy, reason) {
                write!(out, " by {} ({})", safe(strategy), safe(reason))?;
            }
            writeln!(
                out,
                "; {} old, idle for {}, {} hits",
                seconds(*age_seconds),
                seconds(*idle_seconds),
                count(*reuse_count)
            )
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
        other => other,
    }
}

fn write_nearest(out: &mut dyn Write, nearest: &NearestKey, indent: &str) -> io::Result<()> {
    writeln!(out, "{indent}nearest: {}", safe(&nearest.key))?;
    for difference in &nearest.differences {
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "nothing".to_owned(), safe);
        let field = if difference.field.is_empty() { "the key".to_owned() } else { safe(&difference.field) };
        writeln!(
            out,
            "{indent}  {field}: {} here, {} there",
            value(&difference.asked),
            value(&difference.other)
        )?;
    }
    Ok(())
}
