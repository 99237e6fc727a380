//! The screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};

use super::keys::{Screen, Sort};
use super::live::{Live, LiveCache, RATE_SECONDS, rate};
use crate::units::{duration, lines_text, percent, printable, short_count, utc};

/// Rows of recent evictions, with their frame, where there is room for them.
const EVICTION_ROWS: u16 = 9;
/// Widest hit-rate curve, in seconds and characters.
const CURVE: u16 = 60;

/// Draws the screen.
pub fn draw(frame: &mut Frame<'_>, log: &str, live: &Live, screen: &Screen) {
    let evictions = if frame.area().height >= 16 { EVICTION_ROWS } else { 0 };
    let rows =
        [Constraint::Length(1), Constraint::Min(3), Constraint::Length(evictions), Constraint::Length(1)];
    let [top, middle, bottom, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(heading(log, live, screen), top);
    caches(frame, middle, live, screen);
    if evictions > 0 {
        recent_evictions(frame, bottom, live);
    }
    let keys = " q quit · s or 1-6 sort · r reverse · p pause · ↑↓ scroll";
    frame.render_widget(Paragraph::new(keys).style(Style::new().fg(Color::DarkGray)), foot);
}

fn heading<'a>(log: &str, live: &Live, screen: &Screen) -> Line<'a> {
    let mut spans = vec![
        Span::raw(" metallic top  ").bold(),
        Span::raw(printable(log, 60)),
        Span::raw(format!("  {} events", short_count(live.events as f64))),
    ];
    if live.events > 0
        && let Some(now) = utc(live.now())
    {
        spans.push(Span::raw(format!("  {now}")));
    }
    if live.skipped > 0 {
        spans.push(Span::raw(format!("  {} passed over", lines_text(live.skipped))).fg(Color::Yellow));
    }
    if live.dropped > 0 {
        spans.push(Span::raw(format!("  {} events lost", live.dropped)).fg(Color::Red));
    }
    if screen.paused {
        spans.push(Span::raw("  paused").fg(Color::Yellow));
    }
    Line::from(spans)
}

fn caches(frame: &mut Frame<'_>, area: Rect, live: &Live, screen: &Screen) {
    let sorted_by =
        format!(" caches, by {}{} ", screen.sort.name(), if screen.reversed { ", reversed" } else { "" });
    let block = Block::new().borders(Borders::TOP).title(sorted_by);
    if live.caches.is_empty() {
        let waiting = Paragraph::new("\n waiting for events").block(block);
        frame.render_widget(waiting, area);
        return;
    }
    // What is left beside the other columns and the spaces between them.
    let curve = area.width.saturating_sub(22 + 67 + 9).min(CURVE);
    let title = |sort: Option<Sort>, text: &str| {
        let style =
            if sort == Some(screen.sort) { Modifier::BOLD | Modifier::UNDERLINED } else { Modifier::BOLD };
        Cell::from(Line::from(text.to_owned()).right_aligned()).style(Style::new().add_modifier(style))
    };
    let titles = Row::new([
        Cell::from("cache").bold(),
        title(Some(Sort::Lookups), "look-ups/s"),
        title(Some(Sort::HitRate), "hit rate"),
        title(None, "overall"),
        title(None, "misses/s"),
        title(Some(Sort::Creation), "creating"),
        title(Some(Sort::Evictions), "evicted/s"),
        title(Some(Sort::Entries), "entries"),
        title(None, "failed"),
        Cell::from(format!("hit rate, last {curve} s")).bold(),
    ]);
    let sorted = screen.sorted(&live.caches);
    let visible = usize::from(area.height.saturating_sub(2)).max(1);
    let from = screen.scrolled.min(sorted.len().saturating_sub(visible));
    let rows = sorted.into_iter().skip(from).map(|cache| row(cache, usize::from(curve)));
    let widths = [22, 10, 8, 8, 8, 10, 9, 8, 6, curve].map(Constraint::Length);
    frame.render_widget(Table::new(rows, widths).header(titles).column_spacing(1).block(block), area);
}

fn row(cache: &LiveCache, curve: usize) -> Row<'static> {
    let recent = cache.recent();
    let right = |text: String| Cell::from(Line::from(text).right_aligned());
    let per_second = |n: u64| right(short_count(n as f64 / RATE_SECONDS as f64));
    let share = |share: Option<f64>| share.map_or("-".to_owned(), percent);
    let hit_rate = rate(recent.hits, recent.misses);
    Row::new([
        Cell::from(printable(&cache.name, 22)),
        per_second(recent.hits + recent.misses),
        right(share(hit_rate)).style(Style::new().fg(hit_rate.map_or(Color::DarkGray, colour))),
        right(share(rate(cache.hits, cache.misses))),
        per_second(recent.misses),
        right(format!("{}/s", duration(recent.creation_ns / RATE_SECONDS as u64))),
        per_second(recent.evicted),
        right(cache.entries.map_or("?".to_owned(), |entries| short_count(entries as f64))),
        right(short_count(cache.failed as f64)),
        Cell::from(sparkline(cache.hit_rates(curve))),
    ])
}

fn colour(rate: f64) -> Color {
    match rate {
        _ if rate >= 0.9 => Color::Green,
        _ if rate >= 0.5 => Color::Yellow,
        _ => Color::Red,
    }
}

/// A curve of rates, a character for each; only where nothing missed it is full.
fn sparkline(rates: impl Iterator<Item = Option<f64>>) -> Line<'static> {
    const STEPS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let character = |rate: Option<f64>| match rate {
        Some(rate) => Span::raw(STEPS[((rate * 7.0) as usize).min(7)]).fg(colour(rate)),
        None => Span::raw(" "),
    };
    rates.map(character).collect::<Vec<_>>().into()
}

fn recent_evictions(frame: &mut Frame<'_>, area: Rect, live: &Live) {
    let block = Block::new().borders(Borders::TOP).title(" recent evictions ");
    let rows = live.evictions.iter().take(usize::from(area.height.saturating_sub(1))).map(|eviction| {
        let ago = duration(live.now().saturating_sub(eviction.at));
        Row::new([
            Cell::from(Line::from(format!("{ago} ago")).right_aligned()),
            Cell::from(printable(&eviction.cache, 22)),
            Cell::from(Line::from(short_count(eviction.count as f64)).right_aligned()),
            Cell::from(format!("{}, {} left", printable(&eviction.reason, 60), eviction.size_after)),
        ])
    });
    let widths = [Constraint::Length(13), Constraint::Length(22), Constraint::Length(6), Constraint::Min(20)];
    frame.render_widget(Table::new(rows, widths).column_spacing(2).block(block), area);
}
