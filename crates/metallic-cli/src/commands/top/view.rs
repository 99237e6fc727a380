//! The screen.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table};

use super::columns::{Column, Columns, Recent, colour};
use super::help;
use super::keys::Screen;
use super::live::Live;
use super::tail::LogState;
use crate::units::{counted, duration, lines_text, printable, short_count, utc};

/// Rows of recent evictions, with their frame, where there is room for them.
const EVICTION_ROWS: u16 = 9;
/// Draws the screen.
pub fn draw(frame: &mut Frame<'_>, log: &str, live: &Live, screen: &Screen) {
    let evictions = if frame.area().height >= 16 { EVICTION_ROWS } else { 0 };
    let rows =
        [Constraint::Length(1), Constraint::Min(3), Constraint::Length(evictions), Constraint::Length(1)];
    let [top, middle, bottom, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(heading(log, live, screen, top.width), top);
    if screen.help {
        help::draw(frame, middle);
    } else {
        caches(frame, middle, live, screen);
    }
    if evictions > 0 {
        recent_evictions(frame, bottom, live);
    }
    let keys = " q quit · s, 1-6 sort · r reverse · g registries · p pause · ↑↓ scroll · ? help";
    frame.render_widget(Paragraph::new(keys).style(Style::new().fg(Color::DarkGray)), foot);
}

fn heading<'a>(log: &str, live: &Live, screen: &Screen, width: u16) -> Line<'a> {
    let mut spans = vec![
        Span::raw(" metallic top  ").bold(),
        Span::raw(""),
        Span::raw(format!(
            "  {} {}",
            short_count(live.events as f64),
            if live.events == 1 { "event" } else { "events" }
        )),
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
        spans.push(Span::raw(format!("  {} lost", counted(live.dropped, "event", "events"))).fg(Color::Red));
    }
    match screen.log {
        LogState { is_gone: true, .. } => spans.push(Span::raw("  gone").fg(Color::Red)),
        LogState { silence: Some(silence), .. } if silence >= SILENCE => {
            spans.push(Span::raw(format!("  no new lines for {}", seconds(silence))).fg(Color::Yellow));
        }
        _ => {}
    }
    if screen.paused {
        spans.push(Span::raw("  paused").fg(Color::Yellow));
    }
    // The name of the log gets the rest.
    let taken: usize = spans.iter().map(Span::width).sum();
    spans[1] = Span::raw(printable(log, usize::from(width).saturating_sub(taken).clamp(8, 60)));
    Line::from(spans)
}

/// A log that grows is silent for less.
const SILENCE: Duration = Duration::from_secs(5);

/// Whole seconds, or minutes and longer.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        few @ ..120 => format!("{few} s"),
        _ => duration(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
    }
}

fn caches(frame: &mut Frame<'_>, area: Rect, live: &Live, screen: &Screen) {
    let reversed = if screen.reversed { ", reversed" } else { "" };
    let registries = match live.registries() {
        0 | 1 => String::new(),
        several if screen.by_registry => format!(", each of {several} registries"),
        several => format!(", {several} registries summed up"),
    };
    let title = format!(" caches, by {}{reversed}{registries} ", screen.sort.name());
    let block = Block::new().borders(Borders::TOP).title(title);
    let rows = live.rows(screen.by_registry);
    if rows.is_empty() {
        let waiting = Paragraph::new("\n waiting for events").block(block);
        frame.render_widget(waiting, area);
        return;
    }
    let layout = Columns::fitting(area.width);
    let title = |column: &Column| {
        let style = match column.sort {
            Some(sort) if sort == screen.sort => Modifier::BOLD | Modifier::UNDERLINED,
            _ => Modifier::BOLD,
        };
        Cell::from(Line::from(column.title).right_aligned()).style(Style::new().add_modifier(style))
    };
    let titles =
        [Cell::from("cache").bold()].into_iter().chain(layout.columns.iter().map(|column| title(column)));
    let curve_title =
        (layout.curve > 0).then(|| Cell::from(format!("hit rate, last {} s", layout.curve)).bold());
    let sorted = screen.sorted(&rows);
    let visible = usize::from(area.height.saturating_sub(2)).max(1);
    let from = screen.scrolled.min(sorted.len().saturating_sub(visible));
    let seconds = live.rate_seconds();
    let rows = sorted.into_iter().skip(from).map(|cache| {
        let recent = Recent { sums: cache.recent(), seconds };
        let name = Cell::from(printable(&cache.name, layout.name.into()));
        let cells =
            layout.columns.iter().map(|column| Cell::from((column.cell)(cache, &recent).right_aligned()));
        let curve =
            (layout.curve > 0).then(|| Cell::from(sparkline(cache.hit_rates(usize::from(layout.curve)))));
        Row::new([name].into_iter().chain(cells).chain(curve))
    });
    let widths = [layout.name].into_iter().chain(layout.columns.iter().map(|column| column.width));
    let widths = widths.chain((layout.curve > 0).then_some(layout.curve)).map(Constraint::Length);
    let table = Table::new(rows, widths).header(Row::new(titles.chain(curve_title)));
    frame.render_widget(table.column_spacing(1).block(block), area);
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
    // A log that no one writes any more stands still where it ends: its times are not those of the reader's clock.
    let (title, then) = match live.grows {
        true => (" recent evictions ", "ago"),
        false => (" last evictions, before the end of the log ", "before"),
    };
    let block = Block::new().borders(Borders::TOP).title(title);
    let rows = live.evictions.iter().take(usize::from(area.height.saturating_sub(1))).map(|eviction| {
        let ago = duration(live.now().saturating_sub(eviction.at));
        Row::new([
            Cell::from(Line::from(format!("{ago} {then}")).right_aligned()),
            Cell::from(printable(&eviction.cache, 22)),
            Cell::from(Line::from(short_count(eviction.count as f64)).right_aligned()),
            Cell::from(reason(
                &eviction.reason,
                eviction.size_after,
                area.width.saturating_sub(16 + 22 + 6 + 6),
            )),
        ])
    });
    let widths = [Constraint::Length(16), Constraint::Length(22), Constraint::Length(6), Constraint::Min(20)];
    frame.render_widget(Table::new(rows, widths).column_spacing(2).block(block), area);
}

/// The reason of an eviction, shortened so that the entries left are not cut.
fn reason(reason: &str, left: u64, width: u16) -> String {
    let left = format!(", {left} left");
    let room = usize::from(width).saturating_sub(left.len()).clamp(8, 60);
    format!("{}{left}", printable(reason, room))
}
