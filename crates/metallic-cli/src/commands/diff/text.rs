//! The comparison as text for a terminal.

use std::io::{self, Write};

use super::compare::Threshold;
use super::figures::{CacheChange, Change, Diff, Figures, KeyChange, KeySide, SideFigures};
use crate::commands::report::write_processes;
use crate::paragraph::write_wrapped;
use crate::table::Table;
use crate::terminal;
use crate::units::{bytes, count, counted, duration, lines_text, nanoseconds, percent, printable};

/// Longest key in a table, in columns, however wide the terminal is.
const KEY: usize = 200;
/// Keys of one kind beyond these are left to the JSON.
const KEYS: usize = 20;

pub(super) fn write(diff: &Diff, threshold: Threshold, out: &mut dyn Write) -> io::Result<()> {
    side("before", &diff.before, out)?;
    side("after", &diff.after, out)?;
    if !diff.conditions.is_empty() {
        section("Not the same", out)?;
    }
    for condition in &diff.conditions {
        write_wrapped(out, "  ", &printable(&condition.to_string(), 1000))?;
    }
    section("In total", out)?;
    total(diff).write(out, 2)?;
    section("Caches", out)?;
    caches(diff).write(out, 2)?;
    section("Keys", out)?;
    counts(diff, threshold, out)?;
    let kinds = [
        (Change::New, "New keys"),
        (Change::Gone, "Keys that are gone"),
        (Change::Dearer, "Keys that take longer to create"),
        (Change::More, "Keys created more often"),
        (Change::Cheaper, "Keys that take less time to create"),
        (Change::Fewer, "Keys created less often"),
    ];
    for (kind, title) in kinds {
        let keys: Vec<&KeyChange> = diff.keys.iter().filter(|key| key.changes.contains(&kind)).collect();
        if !keys.is_empty() {
            section(title, out)?;
            table_of(kind, &keys).write(out, 2)?;
        }
        if keys.len() > KEYS {
            writeln!(out, "  and {} more; --json has all", count((keys.len() - KEYS) as u64))?;
        }
    }
    Ok(())
}

fn section(title: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", terminal::title(title))
}

fn side(title: &str, side: &SideFigures, out: &mut dyn Write) -> io::Result<()> {
    let kind = if side.is_report { "report of " } else { "" };
    let files = side.files.iter().map(String::as_str).filter(|file| *file != side.name || side.is_report);
    let files = files.collect::<Vec<_>>().join(", ");
    let mut text = format!("{}: {kind}{}", side.name, counted(side.events, "event", "events"));
    if let Some(span) = side.span_ns {
        text += &format!(" over {}", duration(span));
    }
    if !files.is_empty() {
        text += &format!(", read from {files}");
    }
    if side.skipped_lines > 0 {
        text += &format!("; {} passed over", lines_text(side.skipped_lines));
    }
    if side.dropped_events > 0 {
        text +=
            &format!("; {} lost by the exporter", counted(side.dropped_events, "event was", "events were"));
    }
    write_wrapped(out, &format!("{title:<8}"), &printable(&text, 1000))?;
    write_processes(out, "        ", &side.processes)
}

/// Two figures, or one if they are the same.
fn change(before: String, after: String) -> String {
    if before == after { before } else { format!("{before} → {after}") }
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), percent)
}

/// The title of a figure, what takes it out, and how it is written.
type Named = (&'static str, fn(&Figures) -> u64, fn(u64) -> String);

fn total(diff: &Diff) -> Table {
    let (before, after) = (diff.total.before.unwrap_or_default(), diff.total.after.unwrap_or_default());
    let mut table = Table::new(["", "before", "after", "change"]);
    let up = |before: u64, after: u64, text: &dyn Fn(u64) -> String| match before.cmp(&after) {
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Less => format!("+{}", text(after - before)),
        std::cmp::Ordering::Greater => format!("-{}", text(before - after)),
    };
    let figures: [Named; 10] = [
        ("creations", |figures| figures.creations, count),
        ("failed", |figures| figures.failed, count),
        ("rebuilt", |figures| figures.rebuilt, count),
        ("evictions", |figures| figures.evictions, count),
        ("creation time", |figures| figures.creation_ns, duration),
        ("rebuilding", |figures| figures.rebuilt_ns, duration),
        ("bytes created", |figures| figures.created_bytes, bytes),
        ("look-ups", |figures| figures.hits.saturating_add(figures.misses), count),
        ("violations", |figures| figures.violations, count),
        ("of them refused", |figures| figures.refused, count),
    ];
    for (name, of, text) in figures {
        let (before, after) = (of(&before), of(&after));
        table.row([name.to_owned(), text(before), text(after), up(before, after, &text)]);
    }
    let points = before.hit_rate.zip(after.hit_rate).map(|(before, after)| (after - before) * 100.0);
    let points = points.map_or("-".to_owned(), |points| format!("{points:+.2} points"));
    table.row(["hit rate".to_owned(), rate(before.hit_rate), rate(after.hit_rate), points]);
    table
}

fn caches(diff: &Diff) -> Table {
    let all = [diff.total.before, diff.total.after];
    // Most logs are of programs that arm nothing.
    let has_violations = all.iter().flatten().any(|figures| figures.violations > 0);
    let titles = ["cache", "creations", "creation time", "rebuilt", "hit rate", "evictions", "bytes"];
    let mut table = Table::new(titles.into_iter().chain(has_violations.then_some("violations"))).may_lack([
        "bytes",
        "evictions",
        "hit rate",
        "rebuilt",
    ]);
    for CacheChange { cache, before, after, .. } in &diff.caches {
        let note = match (before, after) {
            (None, _) => " (new)",
            (_, None) => " (gone)",
            _ => "",
        };
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let both =
            |text: fn(u64) -> String, of: fn(&Figures) -> u64| change(text(of(&before)), text(of(&after)));
        let row = [
            printable(cache, 40) + note,
            both(count, |figures| figures.creations),
            both(duration, |figures| figures.creation_ns),
            both(count, |figures| figures.rebuilt),
            change(rate(before.hit_rate), rate(after.hit_rate)),
            both(count, |figures| figures.evictions),
            both(bytes, |figures| figures.created_bytes),
        ]
        .into_iter()
        .chain(has_violations.then(|| both(count, |figures| figures.violations)));
        table.row(row);
    }
    table
}

fn counts(diff: &Diff, threshold: Threshold, out: &mut dyn Write) -> io::Result<()> {
    let keys = diff.total.keys;
    let or_unknown = |is_known: bool, n: u64| if is_known { count(n) } else { "?".to_owned() };
    let text = format!(
        "{} new, {} gone, {} created more often, {} less often, {} dearer, {} cheaper (by {} times and {} at least)",
        or_unknown(diff.new_known, keys.new),
        or_unknown(diff.gone_known, keys.gone),
        count(keys.more),
        count(keys.fewer),
        count(keys.dearer),
        count(keys.cheaper),
        threshold.ratio,
        nanoseconds(threshold.least_ns),
    );
    write_wrapped(out, "  ", &text)?;
    for (side, other) in [(&diff.before, (diff.new_known, "new")), (&diff.after, (diff.gone_known, "gone"))] {
        let (false, what) = other else { continue };
        let why = match side.is_report {
            true => "names only its dearest keys (`report --top N` names more)",
            false => "has more keys than are kept (`--keys N` keeps more)",
        };
        write_wrapped(
            out,
            "  ",
            &format!("{} {why}: what is {what} is not known", printable(&side.name, 200)),
        )?;
    }
    Ok(())
}

fn table_of(kind: Change, keys: &[&KeyChange]) -> Table {
    let titles: &[&str] = match kind {
        Change::New | Change::Gone => &["key", "creation", "created", "rebuilt"],
        Change::Dearer | Change::Cheaper => &["key", "a creation", "times", "created"],
        Change::More | Change::Fewer => &["key", "created", "rebuilt", "creation"],
    };
    let mut table = Table::new(titles.iter().copied()).may_lack(["rebuilt"]);
    for key in keys.iter().take(KEYS) {
        let label = printable(&key.key, KEY);
        let (before, after) = (key.before.unwrap_or_default(), key.after.unwrap_or_default());
        let both =
            |text: fn(u64) -> String, of: fn(&KeySide) -> u64| change(text(of(&before)), text(of(&after)));
        match kind {
            Change::New | Change::Gone => {
                let KeySide { creations, creation_ns, rebuilt, .. } = key.after.unwrap_or(before);
                table.row([label, duration(creation_ns), count(creations), count(rebuilt)]);
            }
            Change::Dearer | Change::Cheaper => table.row([
                label,
                change(nanoseconds(before.mean_ns()), nanoseconds(after.mean_ns())),
                format!("{:.2}", after.mean_ns() / before.mean_ns().max(1.0)),
                both(count, |key| key.creations),
            ]),
            Change::More | Change::Fewer => table.row([
                label,
                both(count, |key| key.creations),
                both(count, |key| key.rebuilt),
                both(duration, |key| key.creation_ns),
            ]),
        }
    }
    table
}
