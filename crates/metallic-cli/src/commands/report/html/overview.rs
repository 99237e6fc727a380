//! The top of the page: what was read, the figures that matter most, and the caches.

use std::fmt::Write as _;

use super::legend::swatch;
use super::markup::{Table, count, escaped};
use super::timeline::lanes_of;
use crate::commands::report::figures::{Axis, CacheFigures, Report};
use crate::commands::report::tables::notes;
use crate::units::{duration, lines_text, percent, total, utc};

/// The heading, and what was read.
pub(super) fn header(report: &Report) -> String {
    let mut what = format!("{} events in {} lines", count(report.events), count(report.lines));
    if let (Axis::Time, Some((first, last))) = (report.axis, report.span) {
        let _ = write!(what, " over {}", duration(last - first));
        if let Some(first) = utc(first) {
            let _ = write!(what, ", from {first}");
        }
    }
    let mut lines = format!("<p>{}.</p>", escaped(&what));
    let _ = write!(lines, "<p>{}</p>", escaped(&report.files.join(", ")));
    for process in &report.processes {
        let _ = write!(lines, "<p>{}</p>", escaped(&process.to_string()));
    }
    format!("<header><h1>What the caches did</h1>{lines}</header>\n")
}

/// The sums over all caches.
pub(super) fn tiles(report: &Report) -> String {
    let sum = |figure: fn(&CacheFigures) -> u64| total(report.caches.iter().map(figure));
    let (hits, misses) = (sum(|cache| cache.hits), sum(|cache| cache.misses));
    let rate = match hits.saturating_add(misses) {
        0 => "–".to_owned(),
        lookups => percent(hits as f64 / lookups as f64),
    };
    let tiles = [
        ("creation time", duration(sum(|cache| cache.creation_ns.sum)), failed(sum(|cache| cache.failed))),
        (
            "built again",
            duration(sum(|cache| cache.rebuilt_ns)),
            format!("{} entries, after eviction", count(sum(|cache| cache.rebuilt))),
        ),
        ("hit rate", rate, format!("{} hits, {} misses", count(hits), count(misses))),
    ];
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

/// The caches, a row for each.
pub(super) fn caches(report: &Report) -> String {
    const TITLES: [&str; 14] = [
        "cache",
        "entries",
        "peak",
        "hits",
        "misses",
        "hit rate",
        "evicted",
        "created",
        "failed",
        "creation time",
        "p50",
        "p95",
        "max",
        "policy",
    ];
    let mut table = Table::new("The caches", &TITLES);
    for (_, ink, caches) in lanes_of(report) {
        for cache in caches {
            let some = |ns: Option<u64>| ns.map_or("–".to_owned(), duration);
            let name = format!("{}{}", swatch(ink), escaped(&cache.cache));
            table.row_html(
                &name,
                [
                    cache.entries.map_or("–".to_owned(), count),
                    count(cache.peak_entries),
                    count(cache.hits),
                    count(cache.misses),
                    cache.hit_rate.map_or("–".to_owned(), percent),
                    count(cache.evictions),
                    count(cache.creations - cache.failed),
                    count(cache.failed),
                    duration(cache.creation_ns.sum),
                    some(cache.creation_ns.p50),
                    some(cache.creation_ns.p95),
                    duration(cache.creation_ns.max),
                    cache.policy.clone().unwrap_or("unknown".to_owned()),
                ],
            );
        }
    }
    format!("<section id=\"caches\"><h2>The caches</h2>\n{}</section>\n", table.finish())
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
