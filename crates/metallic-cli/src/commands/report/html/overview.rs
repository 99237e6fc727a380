//! The top of the page: what was read, the figures that matter most, and the caches.

use std::fmt::Write as _;
use std::path::Path;

use super::ink::Ink;
use super::legend::swatch;
use super::markup::{Table, count, escaped, spaced};
use super::timeline::{kv_lanes_of, lanes_of};
use crate::commands::report::figures::{Axis, CacheFigures, Report};
use crate::commands::report::kv::KvCacheFigures;
use crate::commands::report::tables::notes;
use crate::commands::report::violations::ViolationFigures;
use crate::units::{bytes, duration, lines_text, percent, total, utc};

/// The title of the document: it tells this page from another.
pub(super) fn title(report: &Report) -> String {
    let log = report.files.last().map_or("", String::as_str);
    let log = Path::new(log).file_name().map_or(log.into(), |name| name.to_string_lossy());
    let program = report.processes.last().map(|process| format!(", {}", process.name()));
    let at = began(report).map(|at| format!(", {at}"));
    escaped(&format!("{log}{}{}: what the caches did", program.unwrap_or_default(), at.unwrap_or_default()))
}

/// When the log begins, if it says.
fn began(report: &Report) -> Option<String> {
    utc(report.span.filter(|_| report.axis == Axis::Time)?.0)
}

/// Processes and registries that are named; of more, there is the number.
const NAMED: usize = 8;

/// The heading, and what was read.
pub(super) fn header(report: &Report) -> String {
    let mut facts = vec![("Log", report.files.join(", "))];
    for process in report.processes.iter().take(NAMED) {
        facts.push(("Program", process.to_string()));
    }
    if let Some(more) = report.processes.len().checked_sub(NAMED).filter(|more| *more > 0) {
        facts.push(("Program", format!("and {more} other processes")));
    }
    if let (Axis::Time, Some((first, last))) = (report.axis, report.span) {
        let from = began(report).map(|at| format!("from {at}, ")).unwrap_or_default();
        facts.push(("Time", format!("{from}over {}", duration(last - first))));
    }
    let mut registries: Vec<&str> = Vec::new();
    for registry in report.caches.iter().flat_map(|cache| &cache.registries) {
        if !registries.contains(&&*registry.name) && registries.len() <= NAMED {
            registries.push(&registry.name);
        }
    }
    match registries.len() {
        0 => {}
        1..=NAMED => {
            facts.push((if registries.len() == 1 { "Registry" } else { "Registries" }, registries.join(", ")))
        }
        _ => facts.push(("Registries", format!("{}, and more", registries[..NAMED].join(", ")))),
    }
    facts.push(("Events", format!("{} in {}", count(report.events), lines_text(report.lines))));
    let facts = facts.iter().map(|(name, fact)| format!("<dt>{name}</dt><dd>{}</dd>", escaped(fact)));
    let of = report.processes.last().map(|process| format!(" of {}", escaped(&process.program)));
    format!(
        "<header><h1>What the caches{} did</h1><dl>{}</dl></header>\n",
        of.unwrap_or_default(),
        facts.collect::<String>()
    )
}

/// The colours of the caches, and what the script offers for all plots over time.
pub(super) fn legend(report: &Report) -> String {
    let caches = lanes_of(report).map(|(name, ink, _)| (name, ink));
    let kv = kv_lanes_of(report).map(|(ink, cache)| (cache.cache.clone(), ink));
    let all: Vec<(String, Ink)> = caches.chain(kv).collect();
    format!(
        "<div id=\"tools\">{}<p class=\"script\" hidden><label><input type=\"checkbox\" id=\"log\"> logarithmic</label> \
         <button type=\"button\" id=\"all\" hidden>all of the time</button> <output>Drag over a plot to zoom.</output></p></div>\n",
        super::legend::legend(all.iter().map(|(name, ink)| (&**name, *ink)))
    )
}

/// The sums over all caches.
pub(super) fn tiles(report: &Report) -> String {
    let sum = |figure: fn(&CacheFigures) -> u64| total(report.caches.iter().map(figure));
    let created = sum(|cache| cache.creation_ns.sum);
    let share = match (report.axis, report.span) {
        (Axis::Time, Some((first, last))) if last > first => {
            format!("for {} of log, ", duration(last - first))
        }
        _ => String::new(),
    };
    let mut tiles =
        vec![("creation time", duration(created), format!("{share}{}", failed(sum(|cache| cache.failed))))];
    let rebuilt = sum(|cache| cache.rebuilt);
    if rebuilt > 0 {
        let ns = sum(|cache| cache.rebuilt_ns);
        let entries = if rebuilt == 1 { "entry" } else { "entries" };
        tiles.push(("built again after eviction", duration(ns), format!("{} {entries}", count(rebuilt))));
    }
    if let Some(longest) = report.caches.iter().max_by_key(|cache| cache.creation_ns.max) {
        tiles.push(("longest creation", duration(longest.creation_ns.max), format!("in {}", longest.cache)));
    }
    let memory = report.caches.iter().filter_map(|cache| cache.peak_bytes);
    let memory = total(memory.chain(report.kv_caches.iter().map(|cache| cache.peak_bytes)));
    if memory > 0 {
        tiles.push(("memory", bytes(memory), "at most, the peaks of all caches".to_owned()));
    }
    let (hits, misses) = (sum(|cache| cache.hits), sum(|cache| cache.misses));
    tiles.push(("misses", count(misses), format!("of {} look-ups", count(hits.saturating_add(misses)))));
    let violations = |figure: fn(&ViolationFigures) -> u64| total(report.violations.iter().map(figure));
    let [refused, warned, counted] =
        [violations(|of| of.refused), violations(|of| of.warned), violations(|of| of.counted)];
    if !report.violations.is_empty() {
        let all = count(total([refused, warned, counted]));
        let detail =
            format!("{} refused, {} warned of, {} counted", count(refused), count(warned), count(counted));
        tiles.push(("creations in armed scopes", all, detail));
    }
    let mut html = "<dl class=\"tiles\">".to_owned();
    for (name, figure, detail) in tiles {
        let (figure, detail) = (escaped(&figure), escaped(&detail));
        let _ = write!(html, "<div><dt>{name}</dt><dd><b>{figure}</b><span>{detail}</span></dd></div>");
    }
    html + "</dl>\n"
}

fn failed(failed: u64) -> String {
    match failed {
        0 => "no creation failed".to_owned(),
        1 => "1 creation failed".to_owned(),
        _ => format!("{} creations failed", count(failed)),
    }
}

/// A column of the table of caches: its title and its figures.
type Cells = (&'static str, fn(&CacheFigures) -> String);

/// The caches, a row for each. A column in which all figures would be nothing is left out.
pub(super) fn caches(report: &Report) -> String {
    let any = |figure: fn(&CacheFigures) -> bool| report.caches.iter().any(figure);
    fn some(ns: Option<u64>) -> String {
        ns.map_or("–".to_owned(), duration)
    }
    let columns: [(bool, Cells); 13] = [
        (true, ("creation time", |cache| duration(cache.creation_ns.sum))),
        (true, ("hit rate", |cache| cache.hit_rate.map_or("–".to_owned(), percent))),
        (true, ("hits", |cache| count(cache.hits))),
        (true, ("misses", |cache| count(cache.misses))),
        (true, ("entries", |cache| cache.entries.map_or("–".to_owned(), count))),
        (true, ("peak", |cache| count(cache.peak_entries))),
        (
            any(|cache| cache.bytes.is_some()),
            ("peak bytes", |cache| cache.peak_bytes.map_or("–".to_owned(), bytes)),
        ),
        (any(|cache| cache.evictions > 0), ("evicted", |cache| count(cache.evictions))),
        (any(|cache| cache.loads > 0), ("loaded", |cache| count(cache.loads))),
        (any(|cache| cache.failed > 0), ("failed", |cache| count(cache.failed))),
        (true, ("p50", |cache| some(cache.creation_ns.p50))),
        (true, ("p95", |cache| some(cache.creation_ns.p95))),
        (true, ("max", |cache| duration(cache.creation_ns.max))),
    ];
    let columns: Vec<Cells> =
        columns.into_iter().filter(|(is_shown, _)| *is_shown).map(|(_, cells)| cells).collect();
    let titles: Vec<&str> = ["cache"].into_iter().chain(columns.iter().map(|(title, _)| *title)).collect();
    let mut table = Table::new("The caches", &titles).stacking();
    for (_, ink, caches) in lanes_of(report) {
        for cache in caches {
            let policy = match cache.policy.as_deref() {
                None => "policy unknown",
                Some("none") => "no policy",
                Some(policy) => policy,
            };
            let name = format!("{}{}<small>{}</small>", swatch(ink), escaped(&cache.cache), escaped(policy));
            table.row_html(&name, columns.iter().map(|(_, figure)| figure(cache)));
        }
    }
    format!(
        "<section id=\"caches\"><h2>The caches</h2>\n{}{}{}</section>\n",
        table.finish(),
        kv_caches(report),
        registries(report)
    )
}

fn kv_caches(report: &Report) -> String {
    if report.kv_caches.is_empty() {
        return String::new();
    }
    let titles: Vec<&str> = ["KV cache"].into_iter().chain(KvCacheFigures::TITLES).collect();
    let mut table = Table::new("KV caches", &titles).stacking();
    for (ink, cache) in kv_lanes_of(report) {
        let name =
            format!("{}{}<small>{} layers</small>", swatch(ink), escaped(&cache.cache), count(cache.layers));
        table.row_html(&name, cache.cells().map(|cell| spaced(&cell)));
    }
    table.finish()
}

/// Rows of the table of registries.
const REGISTRIES: usize = 256;

/// The caches that several registries have, by registry.
fn registries(report: &Report) -> String {
    let several: Vec<_> = report.caches.iter().filter(|cache| cache.registries.len() > 1).collect();
    if several.is_empty() {
        return String::new();
    }
    let titles = ["cache in registry", "creation time", "created", "hits", "misses", "entries", "evicted"];
    let mut table = Table::new("The same by registry", &titles).stacking();
    let rows =
        several.iter().flat_map(|cache| cache.registries.iter().map(move |registry| (cache, registry)));
    for (cache, registry) in rows.take(REGISTRIES) {
        table.row(
            &format!("{} in {}", cache.cache, registry.name),
            [
                duration(registry.creation_ns),
                count(registry.creations),
                count(registry.hits),
                count(registry.misses),
                registry.entries.map_or("–".to_owned(), count),
                count(registry.evictions),
            ],
        );
    }
    format!("<details><summary>The same by registry</summary>\n{}</details>", table.finish())
}

/// The gaps of the log: lines passed over, and the notes.
pub(super) fn caveats(report: &Report) -> String {
    let mut items = String::new();
    for file in &report.skipped {
        let reasons: Vec<_> = file.reasons.iter().map(|(why, n)| format!("{} {why}", count(*n))).collect();
        let line = format!("{}: {} passed over: {}.", file.file, lines_text(file.lines), reasons.join(", "));
        let _ = write!(items, "<li>{}<ul>", escaped(&line));
        for line in &file.first {
            let _ = write!(items, "<li><code>{}</code></li>", escaped(line));
        }
        items.push_str("</ul></li>\n");
    }
    for note in notes(report) {
        let _ = writeln!(items, "<li>{}</li>", escaped(&note));
    }
    if items.is_empty() {
        return items;
    }
    format!("<section id=\"notes\"><h2>Notes</h2><ul>\n{items}</ul></section>\n")
}
