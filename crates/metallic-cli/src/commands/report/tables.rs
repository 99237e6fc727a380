//! The report as tables for a terminal.

use std::io::{self, Write};

use super::figures::{Axis, CacheFigures, CountedBy, Key, Report};
use super::idle_rows::idle_rows;
use super::kv::KvCacheFigures;
use super::policies::write_policies;
use super::processes::write_processes;
use super::violations::violations;
use crate::paragraph::write_wrapped;
use crate::table::Table;
use crate::terminal;
use crate::units::{count, counted, duration, lines_text, percent, printable, utc};

/// Longest key in a table, in columns, however wide the terminal is.
const KEY: usize = 200;
/// Longest bar of a histogram, in characters.
const BAR: u64 = 24;

/// Writes the report as tables.
///
/// # Errors
/// The writer's.
pub fn write_tables(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    heading(report, out)?;
    section("Caches", out)?;
    caches(report).write(out, 2)?;
    if !report.caches.is_empty() {
        section("Policies", out)?;
        write_policies(report, out)?;
    }
    if report.caches.iter().any(|cache| cache.registries.len() > 1) {
        section("The same by registry", out)?;
        registries(report).write(out, 2)?;
    }
    if !report.kv_caches.is_empty() {
        section("KV caches", out)?;
        kv_caches(report).write(out, 2)?;
    }
    section("Creation", out)?;
    creation(report).write(out, 2)?;
    if !report.violations.is_empty() {
        section("Creations in armed scopes", out)?;
        violations(&report.violations).write(out, 2)?;
    }
    if report.caches.iter().any(|cache| cache.evictions > 0) {
        section("Evictions by reason", out)?;
        evictions(report).write(out, 2)?;
    }
    if !report.dearest_keys.is_empty() {
        section("Keys that cost most to create", out)?;
        dearest_keys(report).write(out, 2)?;
    }
    if !report.rebuilt_keys.is_empty() {
        section("Keys evicted and then created again", out)?;
        rebuilt_keys(report).write(out, 2)?;
    }
    if !report.steps.kinds.is_empty() {
        section("Steps of the program", out)?;
        steps(report).write(out, 2)?;
    }
    if !report.steps.longest_waits.is_empty() {
        section("Steps that waited longest for creations", out)?;
        waits(report).write(out, 2)?;
    }
    for cache in report.caches.iter().filter(|cache| !cache.idle_at_eviction.is_empty()) {
        section(&format!("How long entries of {} were idle", name(cache)), out)?;
        idle_ages(cache).write(out, 2)?;
    }
    let notes = notes(report);
    if !notes.is_empty() {
        section("Notes", out)?;
    }
    notes.iter().try_for_each(|note| write_wrapped(out, "  ", note))
}

fn section(title: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", terminal::title(title))
}

fn name(cache: &CacheFigures) -> String {
    printable(&cache.cache, 40)
}

fn heading(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut size = format!("{} in {}", counted(report.events, "event", "events"), lines_text(report.lines));
    if let (Axis::Time, Some((first, last))) = (report.axis, report.span) {
        size += &format!(" over {}", duration(last - first));
        size.extend(utc(first).map(|first| format!(" from {first}")));
    }
    write_wrapped(out, "", &size)?;
    write_wrapped(out, "read: ", &printable(&report.files.join(", "), 1000))?;
    write_processes(out, "", &report.processes)?;
    for file in &report.skipped {
        let reasons: Vec<_> = file.reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
        let file_name = printable(&file.file, 200);
        let text = format!("{file_name}: {} passed over: {}", lines_text(file.lines), reasons.join(", "));
        write_wrapped(out, "", &text)?;
        for line in &file.first {
            write_wrapped(out, "  ", &printable(line, 200))?;
        }
    }
    Ok(())
}

fn caches(report: &Report) -> Table {
    let mut table =
        Table::new(["cache", "entries", "peak", "hits", "misses", "hit rate", "evicted", "removed"])
            .may_lack(["peak", "removed", "entries", "evicted"]);
    for cache in &report.caches {
        table.row([
            name(cache),
            cache.entries.map_or("?".to_owned(), count),
            count(cache.peak_entries),
            count(cache.hits),
            count(cache.misses),
            cache.hit_rate.map_or("-".to_owned(), percent),
            count(cache.evictions),
            count(cache.removals),
        ]);
    }
    table
}

fn kv_caches(report: &Report) -> Table {
    let titles = ["cache"].into_iter().chain(KvCacheFigures::TITLES);
    let mut table = Table::new(titles).may_lack(["refused", "rolled back", "room", "resized", "most room"]);
    for cache in &report.kv_caches {
        table.row([printable(&cache.cache, 40)].into_iter().chain(cache.cells()));
    }
    table
}

/// Rows for a registry beyond these are left to the JSON.
const REGISTRIES: usize = 64;

fn registries(report: &Report) -> Table {
    let mut table =
        Table::new(["cache", "registry", "entries", "hits", "misses", "evicted", "created", "creation"])
            .may_lack(["entries", "evicted", "hits"]);
    let several = report.caches.iter().filter(|cache| cache.registries.len() > 1);
    let rows = several.flat_map(|cache| cache.registries.iter().map(move |registry| (cache, registry)));
    for (cache, registry) in rows.take(REGISTRIES) {
        table.row([
            name(cache),
            printable(&registry.name, 30),
            registry.entries.map_or("?".to_owned(), count),
            count(registry.hits),
            count(registry.misses),
            count(registry.evictions),
            count(registry.creations),
            duration(registry.creation_ns),
        ]);
    }
    table
}

fn creation(report: &Report) -> Table {
    // Without a store there is nothing to load.
    let has_loads = report.caches.iter().any(|cache| cache.loads > 0);
    let loads = has_loads.then_some(["loaded", "loaded sum"]).into_iter().flatten();
    let titles = ["cache", "created", "failed", "sum", "p50", "p95", "max", "rebuilt", "rebuilt sum"];
    let mut table =
        Table::new(titles.into_iter().chain(loads)).may_lack(["p50", "failed", "p95", "rebuilt", "max"]);
    let some = |ns: Option<u64>| ns.map_or("-".to_owned(), duration);
    for cache in &report.caches {
        let loads = has_loads.then(|| [count(cache.loads), duration(cache.load_ns)]).into_iter().flatten();
        let figures = [
            name(cache),
            count(cache.creations - cache.failed),
            count(cache.failed),
            duration(cache.creation_ns.sum),
            some(cache.creation_ns.p50),
            some(cache.creation_ns.p95),
            duration(cache.creation_ns.max),
            count(cache.rebuilt),
            duration(cache.rebuilt_ns),
        ];
        table.row(figures.into_iter().chain(loads));
    }
    table
}

fn evictions(report: &Report) -> Table {
    let mut table = Table::new(["cache and reason", "entries"]);
    for cache in &report.caches {
        for (reason, entries) in &cache.evictions_by_reason {
            table.row([format!("{}: {}", name(cache), printable(reason, KEY)), count(*entries)]);
        }
    }
    table
}

fn dearest_keys(report: &Report) -> Table {
    let mut table =
        Table::new(["key", "creation", "created", "failed", "hits", "misses"]).may_lack(["failed", "misses"]);
    for key in &report.dearest_keys {
        table.row([
            label(key),
            duration(key.creation_ns),
            count(key.created),
            count(key.failed),
            count(key.hits),
            count(key.misses),
        ]);
    }
    if report.keys.other_creation_ns > 0 {
        table.row(["all others".to_owned(), duration(report.keys.other_creation_ns)]);
    }
    table
}

fn rebuilt_keys(report: &Report) -> Table {
    let mut table = Table::new(["key", "rebuilding", "rebuilt", "evicted", "hits"]).may_lack(["hits"]);
    for key in &report.rebuilt_keys {
        table.row([
            label(key),
            duration(key.rebuilt_ns),
            count(key.rebuilt),
            count(key.evicted),
            count(key.hits),
        ]);
    }
    if report.keys.other_rebuilt_ns > 0 {
        table.row(["all others".to_owned(), duration(report.keys.other_rebuilt_ns)]);
    }
    table
}

fn steps(report: &Report) -> Table {
    let mut table = Table::new(["step", "number", "p50", "p95", "p99", "max", "waited", "waiting"])
        .may_lack(["p95", "max", "p50"]);
    let some = |ns: Option<u64>| ns.map_or("-".to_owned(), duration);
    for step in &report.steps.kinds {
        table.row([
            printable(&step.name, 40),
            count(step.count),
            some(step.duration_ns.p50),
            some(step.duration_ns.p95),
            some(step.p99_ns),
            duration(step.duration_ns.max),
            count(step.waited),
            duration(step.waited_ns),
        ]);
    }
    table
}

fn waits(report: &Report) -> Table {
    let mut table = Table::new(["step", "took", "waited", "creations", "most for", "key"])
        .ending_in_text()
        .may_lack(["took", "most for", "creations"]);
    for wait in &report.steps.longest_waits {
        let step = match &wait.label {
            Some(label) => format!("{} {label}", wait.step),
            None => wait.step.clone(),
        };
        table.row([
            printable(&step, KEY),
            duration(wait.duration_ns),
            duration(wait.waited_ns),
            count(wait.creations),
            duration(wait.key_ns),
            printable(&wait.key, KEY),
        ]);
    }
    table
}

fn label(key: &Key) -> String {
    printable(&key.key, KEY)
}

fn idle_ages(cache: &CacheFigures) -> Table {
    let rows = idle_rows(cache);
    let most = rows.iter().map(|row| row.evicted).max().unwrap_or(0).max(1);
    let mut table = Table::new(["idle for", "hit again", "evicted", ""]);
    for row in rows {
        let bar = "█".repeat((row.evicted * BAR).div_ceil(most) as usize);
        table.row([row.label, count(row.hit), count(row.evicted), format!("{bar:<0$}", BAR as usize)]);
    }
    table
}

/// The gaps and contradictions of the log that a reader of the figures should know.
pub(super) fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.dropped_events > 0 {
        notes.push(format!(
            "The exporter lost {}, missing from what is counted here.",
            counted(report.dropped_events, "event", "events")
        ));
    }
    if report.axis == Axis::Events {
        notes.push("The log has no times: moments are numbers of events.".to_owned());
    }
    if report.clock_steps_back > 0 {
        notes.push(format!(
            "The log's clock went back {}, by up to {}. Times after that are counted on from where it was.",
            counted(report.clock_steps_back, "time", "times"),
            duration(report.longest_step_back_ns)
        ));
    }
    for cache in &report.caches {
        cache_notes(cache, &mut notes);
    }
    if report.steps.several_threads && !report.steps.longest_waits.is_empty() {
        notes.push(
            "There were steps on several threads: a creation counts for all that were at work then, since the log does not say \
             which thread it was on."
                .to_owned(),
        );
    }
    let keys = &report.keys;
    if keys.forgotten > 0 {
        notes.push(format!(
            "There were more than {}; {} forgotten, with {} of creation time. A key named \
             here may have taken up to {} longer than it says; rebuilds are lower bounds.",
            counted(keys.limit, "key", "keys"),
            counted(keys.forgotten, "of the cheaper ones was", "of the cheaper ones were"),
            duration(keys.forgotten_creation_ns),
            duration(keys.lacking_ns)
        ));
    }
    notes
}

fn cache_notes(cache: &CacheFigures, notes: &mut Vec<String>) {
    let name = name(cache);
    if cache.counted_by == CountedBy::Summaries {
        notes.push(format!(
            "{name}: the log has {} of the {} look-ups that the cache's summaries count (it was sampled or filtered, or \
             has gaps). Hits and misses are those of the summaries; what is said of keys is of those in the log.",
            count(cache.logged_accesses),
            count(cache.hits.saturating_add(cache.misses))
        ));
    }
    if cache.unexplained > 0 {
        notes.push(format!(
            "{name}: {} ({}) of what, as far as the log says, was there: another run of the program, or \
             removals that are not in the log.",
            counted(cache.unexplained, "creation", "creations"),
            duration(cache.unexplained_ns)
        ));
    }
    if cache.restarts > 0 {
        notes.push(format!(
            "{name}: the counters went back {}: several runs or registries wrote this log, which does not tell them \
             apart. Hits and misses are right; entries are those of the one that reported last.",
            counted(cache.restarts, "time", "times")
        ));
    }
}
