//! The plots of what is most: eviction reasons, dear keys, keys that were built again.

use super::bars::{Bar, bars, explain};
use super::figure::Figure;
use super::ink::Ink;
use super::markup::{Table, count, spaced};
use super::timeline::lanes_of;
use crate::commands::report::figures::{Key, Report};
use crate::commands::report::keys::KeyLedger;
use crate::units::{counted, duration, percent, total as sum};

/// Keys in a plot; the table has them all.
const BARS: usize = 10;

pub(super) fn evictions(report: &Report) -> Option<Figure> {
    let mut all = Vec::new();
    let mut table = Table::new("Evictions by reason", &["cache", "reason", "entries"]);
    for (lane, ink, caches) in lanes_of(report) {
        for cache in caches {
            for (reason, entries) in &cache.evictions_by_reason {
                table.row(&cache.cache, [reason.clone(), count(*entries)]);
                all.push(Bar {
                    ink,
                    name: format!(
                        "{} · {}",
                        if caches.len() > 1 { &lane } else { &cache.cache },
                        reason_text(reason)
                    ),
                    length: *entries as f64,
                    figure: count(*entries),
                    command: None,
                });
            }
        }
    }
    let total = sum(report.caches.iter().map(|cache| cache.evictions));
    let misses = sum(report.caches.iter().map(|cache| cache.misses));
    let sentence = spaced(&format!(
        "{} evicted, {}.",
        counted(total, "entry was", "entries were"),
        counted(misses, "miss", "misses")
    ));
    ranking("evictions", "Evictions by reason", sentence, all, table.finish())
}

pub(super) fn dearest_keys(report: &Report) -> Option<Figure> {
    let titles = ["key", "creation time", "created", "failed", "hits", "misses"];
    let mut table = Table::new("Keys that cost most to create", &titles);
    for key in &report.dearest_keys {
        let figures = [key.created, key.failed, key.hits, key.misses].map(count);
        table.key_row(&key.key, [duration(key.creation_ns)].into_iter().chain(figures));
    }
    if report.keys.other_creation_ns > 0 {
        table.row("all others", [duration(report.keys.other_creation_ns)]);
    }
    let total = sum(report.caches.iter().map(|cache| cache.creation_ns.sum));
    let named = sum(report.dearest_keys.iter().take(BARS).map(|key| key.creation_ns));
    let shown = report.dearest_keys.len().min(BARS);
    let sentence = match shown {
        0 => return None,
        1 => "One key took all of the creation time.".to_owned(),
        _ => {
            format!("{shown} keys took {} of the creation time.", percent(named as f64 / total.max(1) as f64))
        }
    };
    let all = key_bars(report, &report.dearest_keys, |key| key.creation_ns);
    ranking("dearest-keys", "Keys that cost most to create", sentence, all, table.finish())
}

pub(super) fn rebuilt_keys(report: &Report) -> Option<Figure> {
    let titles = ["key", "rebuilding", "rebuilt", "evicted", "hits"];
    let mut table = Table::new("Keys evicted and then built again", &titles);
    for key in &report.rebuilt_keys {
        let figures = [key.rebuilt, key.evicted, key.hits].map(count);
        table.key_row(&key.key, [duration(key.rebuilt_ns)].into_iter().chain(figures));
    }
    if report.keys.other_rebuilt_ns > 0 {
        table.row("all others", [duration(report.keys.other_rebuilt_ns)]);
    }
    let rebuilt = sum(report.caches.iter().map(|cache| cache.rebuilt));
    let ns = sum(report.caches.iter().map(|cache| cache.rebuilt_ns));
    let total = sum(report.caches.iter().map(|cache| cache.creation_ns.sum));
    let sentence = format!(
        "{} went into building {} again that a policy had evicted: {} of the creation time.",
        duration(ns),
        counted(rebuilt, "entry", "entries"),
        percent(ns as f64 / total.max(1) as f64)
    );
    let all = key_bars(report, &report.rebuilt_keys, |key| key.rebuilt_ns);
    ranking("rebuilt-keys", "Keys evicted and then built again", sentence, all, table.finish())
}

fn key_bars(report: &Report, keys: &[Key], cost: fn(&Key) -> u64) -> Vec<Bar> {
    let ink = |key: &Key| {
        let of_cache = |name: &str| key.key.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        let mut lanes = lanes_of(report);
        lanes.find(|(_, _, caches)| caches.iter().any(|cache| of_cache(&cache.cache))).map(|(_, ink, _)| ink)
    };
    keys.iter()
        .map(|key| Bar {
            ink: ink(key).unwrap_or(Ink::Series(0)),
            name: without_cache(report, &key.key).to_owned(),
            length: cost(key) as f64,
            figure: duration(cost(key)),
            command: explain(
                report.files.last().map(String::as_str),
                &key.key,
                key.key.len() < KeyLedger::LABEL,
            ),
        })
        .collect()
}

/// A key without the name of its cache, which its colour tells.
fn without_cache<'a>(report: &Report, key: &'a str) -> &'a str {
    let mut names = report.caches.iter().map(|cache| &*cache.cache);
    names.find_map(|name| key.strip_prefix(name)?.strip_prefix(':')).unwrap_or(key)
}

/// A figure of the longest bars.
fn ranking(id: &str, title: &str, sentence: String, mut all: Vec<Bar>, table: String) -> Option<Figure> {
    if all.is_empty() {
        return None;
    }
    all.sort_by(|a, b| b.length.total_cmp(&a.length));
    all.truncate(BARS);
    Some(Figure { id: id.to_owned(), title: title.to_owned(), sentence, plots: bars(&all), table })
}

/// A reason in words: `size_limit_exceeded_max_64` is `more than 64 entries`.
fn reason_text(reason: &str) -> String {
    let number =
        |prefix: &str, suffix: &str| reason.strip_prefix(prefix)?.strip_suffix(suffix)?.parse::<u64>().ok();
    if let Some(max) = number("size_limit_exceeded_max_", "") {
        format!("more than {} entries", count(max))
    } else if let Some(ms) = number("idle_timeout_exceeded_", "ms") {
        format!("idle for {}", duration(ms.saturating_mul(1_000_000)))
    } else if let Some(max) = number("idle_generations_exceeded_", "") {
        format!("idle for more than {} generations", count(max))
    } else {
        reason.replace('_', " ")
    }
}

#[cfg(test)]
mod tests {
    use super::reason_text;

    #[test]
    fn reasons_are_put_in_words() {
        assert_eq!(reason_text("size_limit_exceeded_max_64"), "more than 64 entries");
        assert_eq!(reason_text("idle_timeout_exceeded_1500ms"), "idle for 1.50 s");
        assert_eq!(reason_text("idle_generations_exceeded_3"), "idle for more than 3 generations");
        assert_eq!(reason_text("something_newer"), "something newer");
    }
}
