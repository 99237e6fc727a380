//! The explanation of keys and columns.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

const TEXT: &str = " q Esc Ctrl-C   end
 s 1-6          sort by creation, look-ups, hit rate, evictions, entries, name
 r              reverse the order
 g              a row for each registry, or their sums
 p Space        pause
 ↑ ↓ j k Home   scroll
 Ctrl-Z         suspend; `fg` goes on
 ? h            this; any key closes it

 Rates are over the last 10 s of the log, or over all of a shorter one.
 hit rate       of these seconds; overall: of the whole log
 creating       time spent in creations, per second; loads/s: those of stored artifacts
 entries        as last reported; failed: creations that failed";

/// Draws it in place of the table.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect) {
    let block = Block::new().borders(Borders::TOP).title(" help ");
    frame.render_widget(Paragraph::new(TEXT).wrap(Wrap { trim: false }).block(block), area);
}
