//! The columns of the table of caches, and those that fit a screen.

use ratatui::style::{Color, Style};
use ratatui::text::Line;

use super::keys::Sort;
use super::live::{LiveCache, rate};
use super::window::Second;
use crate::units::{duration, percent, short_count};

/// Widest hit-rate curve, in seconds and characters.
const CURVE: u16 = 60;
/// Narrowest hit-rate curve.
const MIN_CURVE: u16 = 20;
/// Narrowest and widest name of a cache.
const NAME: (u16, u16) = (14, 22);

/// Sums over the last seconds, and how many seconds these are.
pub(super) struct Recent {
    pub(super) sums: Second,
    pub(super) seconds: f64,
}

/// A column of figures.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) sort: Option<Sort>,
    pub(super) width: u16,
    /// The columns with the smallest ranks are shown where there is no room for all: a figure is never cut.
    rank: u8,
    pub(super) cell: fn(&LiveCache, &Recent) -> Line<'static>,
}

/// The columns in the order of the screen.
const COLUMNS: [Column; 9] = [
    Column {
        title: "look-ups/s",
        sort: Some(Sort::Lookups),
        width: 10,
        rank: 2,
        cell: |_, recent| per_second(recent.sums.hits.saturating_add(recent.sums.misses), recent),
    },
    Column {
        title: "hit rate",
        sort: Some(Sort::HitRate),
        width: 8,
        rank: 0,
        cell: |_, recent| {
            let rate = rate(recent.sums.hits, recent.sums.misses);
            Line::from(share(rate)).style(Style::new().fg(rate.map_or(Color::DarkGray, colour)))
        },
    },
    Column {
        title: "overall",
        sort: None,
        width: 8,
        rank: 6,
        cell: |cache, _| share(rate(cache.hits, cache.misses)).into(),
    },
    Column {
        title: "misses/s",
        sort: None,
        width: 8,
        rank: 4,
        cell: |_, recent| per_second(recent.sums.misses, recent),
    },
    Column {
        title: "creating",
        sort: Some(Sort::Creation),
        width: 10,
        rank: 1,
        cell: |_, recent| {
            Line::from(format!("{}/s", duration((recent.sums.creation_ns as f64 / recent.seconds) as u64)))
        },
    },
    Column {
        title: "evicted/s",
        sort: Some(Sort::Evictions),
        width: 9,
        rank: 5,
        cell: |_, recent| per_second(recent.sums.evicted, recent),
    },
    Column {
        title: "entries",
        sort: Some(Sort::Entries),
        width: 8,
        rank: 3,
        cell: |cache, _| cache.entries.map_or("?".to_owned(), |entries| short_count(entries as f64)).into(),
    },
    Column {
        title: "failed",
        sort: None,
        width: 6,
        rank: 7,
        cell: |cache, _| short_count(cache.failed as f64).into(),
    },
    Column {
        title: "loads/s",
        sort: None,
        width: 7,
        rank: 8,
        cell: |_, recent| per_second(recent.sums.loads, recent),
    },
];

fn per_second(n: u64, recent: &Recent) -> Line<'static> {
    short_count(n as f64 / recent.seconds).into()
}

fn share(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), percent)
}

/// The columns that fit a screen as a whole.
pub(super) struct Columns {
    /// The width of the cache's name.
    pub(super) name: u16,
    pub(super) columns: Vec<&'static Column>,
    /// The width of the curve, in seconds and characters; 0 for none.
    pub(super) curve: u16,
}

impl Columns {
    /// The columns for a screen of this width.
    pub(super) fn fitting(width: u16) -> Self {
        let mut by_rank: Vec<&Column> = COLUMNS.iter().collect();
        by_rank.sort_by_key(|column| column.rank);
        let mut free = width.saturating_sub(NAME.0);
        let mut columns = by_rank.into_iter().take_while(|column| match free.checked_sub(1 + column.width) {
            Some(rest) => {
                free = rest;
                true
            }
            None => false,
        });
        let shown: Vec<u8> = columns.by_ref().map(|column| column.rank).collect();
        let columns = COLUMNS.iter().filter(|column| shown.contains(&column.rank)).collect();
        let name = width.min(NAME.0 + free.min(NAME.1 - NAME.0));
        let curve = free.saturating_sub(NAME.1 - NAME.0 + 1).min(CURVE);
        // A curve of some seconds says nothing, and its title would be cut.
        Self { name, columns, curve: if curve < MIN_CURVE { 0 } else { curve } }
    }
}

/// The colour of a hit rate.
pub(super) fn colour(rate: f64) -> Color {
    match rate {
        _ if rate >= 0.9 => Color::Green,
        _ if rate >= 0.5 => Color::Yellow,
        _ => Color::Red,
    }
}
