//! The plots of how long entries were idle.

use super::chart::{Axes, Column, columns};
use super::figure::{Figure, SIZES};
use super::ink::{Ink, svg};
use super::legend::swatch;
use super::markup::{Table, count};
use super::ticks::round_ticks;
use super::timeline::lanes_of;
use super::zones::{Zone, zones};
use crate::commands::report::figures::{CacheFigures, Report};
use crate::commands::report::idle_rows::{IdleRow, idle_rows};
use crate::units::{counted, percent, round_duration};

/// Caches that get a plot of their own.
const PLOTS: usize = 6;
/// Of what was hit again there is no cache's colour.
const HIT: Ink = Ink::Muted;

/// The legend of these plots; nothing if there are none.
pub(super) fn legend(report: &Report) -> String {
    let some = report.caches.iter().any(|cache| !cache.idle_at_eviction.is_empty());
    let hit = format!("<li>{}hit again, share of hits</li>", swatch(HIT));
    let text = "<li>Idle ages: in the cache's colour, the share of evictions</li>";
    if some { format!("<ul class=\"legend\">{text}{hit}</ul>\n") } else { String::new() }
}

/// One plot for each of the caches that evicted most.
pub(super) fn idle_ages(report: &Report) -> Vec<Figure> {
    let lanes = lanes_of(report).flat_map(|(_, ink, caches)| caches.iter().map(move |cache| (ink, cache)));
    let mut evicting: Vec<_> = lanes.filter(|(_, cache)| !cache.idle_at_eviction.is_empty()).collect();
    evicting.sort_by_key(|(_, cache)| std::cmp::Reverse(cache.evictions));
    evicting.truncate(PLOTS);
    evicting.into_iter().enumerate().map(|(n, (ink, cache))| figure(n, ink, cache)).collect()
}

fn figure(n: usize, ink: Ink, cache: &CacheFigures) -> Figure {
    let rows = idle_rows(cache);
    let title = format!("Idle ages in {}", cache.cache);
    let totals =
        (rows.iter().map(|row| row.evicted).sum::<u64>(), rows.iter().map(|row| row.hit).sum::<u64>());
    let share = |count: u64, total: u64| count as f64 / total.max(1) as f64;
    let shares: Vec<_> =
        rows.iter().map(|row| (share(row.evicted, totals.0), share(row.hit, totals.1))).collect();
    let description = "Columns by idle age: the share of evictions and the share of hits at that age.";
    let hover: Vec<Zone> = (0..rows.len())
        .map(|at| {
            let (row, n) = (&rows[at], rows.len() as f64);
            let counts =
                [format!("hit again: {}", count(row.hit)), format!("evicted: {}", count(row.evicted))];
            let lines = [format!("idle for {}", row.label)].into_iter().chain(counts).collect();
            Zone { from: at as f64 / n, to: (at + 1) as f64 / n, lines }
        })
        .collect();
    let plots = SIZES.map(|(class, size)| {
        svg(class, size, &title, description, &zones(size, &hover), |area| {
            let every = rows.len().div_ceil(if size.width < 500 { 5 } else { 9 });
            let top = shares.iter().map(|(evicted, hit)| evicted.max(*hit)).fold(0.0, f64::max);
            let axes = Axes {
                x_max: rows.len() as f64,
                // A tick is where its age begins.
                x_ticks: (0..rows.len()).step_by(every).map(|at| at as f64).collect(),
                x_label: &|x| rows.get(*x as usize).map_or(String::new(), |row| round_duration(row.from)),
                y_ticks: round_ticks(top, 4),
                y_label: &|y| format!("{} %", (y * 1000.0).round() / 10.0),
            };
            columns(area, size, &axes, &pairs(ink, &shares))
        })
    });
    let mut table = Table::new(&title, &["idle for", "hit again", "evicted"]);
    for row in &rows {
        table.row(&row.label, [count(row.hit), count(row.evicted)]);
    }
    Figure {
        id: format!("idle-ages-{n}"),
        sentence: sentence(&rows, totals.0),
        title,
        plots: plots.concat(),
        table: table.finish(),
    }
}

/// Two columns for each age, one beside the other.
fn pairs(ink: Ink, shares: &[(f64, f64)]) -> Vec<Column> {
    let pair = |(at, (evicted, hit)): (usize, &(f64, f64))| {
        let at = at as f64;
        [
            Column { ink, x: (at + 0.08, at + 0.5), y: (0.0, *evicted) },
            Column { ink: HIT, x: (at + 0.5, at + 0.92), y: (0.0, *hit) },
        ]
    };
    shares.iter().enumerate().flat_map(pair).filter(|column| column.y.1 > 0.0).collect()
}

/// The idle times of hits, and the number of entries evicted sooner than that.
fn sentence(rows: &[IdleRow], evicted: u64) -> String {
    let hits: u64 = rows.iter().map(|row| row.hit).sum();
    let mut seen = 0;
    // The age by which 99 % of the hits had come.
    let quiet = rows.iter().find(|row| {
        seen += row.hit;
        seen * 100 >= hits * 99
    });
    let Some((quiet, within)) = quiet.filter(|_| hits > 0).and_then(|row| Some((row, row.below?))) else {
        return format!("{} evicted.", counted(evicted, "entry was", "entries were"));
    };
    let within = format!("99 % of the hits came within {} of the last use", round_duration(within));
    if quiet.from == 0 {
        return format!("{within}.");
    }
    let early: u64 = rows.iter().filter(|row| row.from < quiet.from).map(|row| row.evicted).sum();
    let share = percent(early as f64 / evicted.max(1) as f64);
    format!("{within}; {share} of the evicted were idle for less than {}.", round_duration(quiet.from))
}
