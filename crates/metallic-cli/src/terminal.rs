//! The terminal that standard output is, if it is one: its width, and whether it takes styles.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use anstream::{AutoStream, ColorChoice};
use anstyle::{Effects, Style};

/// Columns where nothing says how many there are.
const COLUMNS: usize = 80;
/// Less is of no use for a table.
const LEAST: usize = 40;

/// Heads of tables and titles of sections.
pub(crate) const TITLE: Style = Style::new().effects(Effects::BOLD);

/// How output is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The characters of a line.
    pub columns: usize,
    /// `true` if styles are seen as such.
    pub styles: bool,
}

static LOOK: OnceLock<Look> = OnceLock::new();

/// Looks at the standard output of the process, once: what is written to it from now on suits it. Without this call, output is
/// plain and 80 columns wide.
///
/// `COLUMNS` sets another width; styles obey `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE`.
pub fn look_at_stdout() {
    let stdout = io::stdout();
    let columns = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let of_terminal = || stdout.is_terminal().then(terminal_size::terminal_size).flatten();
    let columns = columns.or_else(|| of_terminal().map(|(width, _)| usize::from(width.0)));
    let columns = columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS).max(LEAST);
    let styles = AutoStream::choice(&stdout) != ColorChoice::Never;
    // Whoever looked first saw the same.
    let _ = LOOK.set(Look { columns, styles });
}

/// How output is to look.
pub(crate) fn look() -> Look {
    *LOOK.get().unwrap_or(&Look { columns: COLUMNS, styles: false })
}

/// The text in a style, where styles are seen.
pub(crate) fn styled(text: &str, style: Style, look: Look) -> String {
    if look.styles { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// A title of what follows.
pub(crate) fn title(text: &str) -> String {
    styled(text, TITLE, look())
}
