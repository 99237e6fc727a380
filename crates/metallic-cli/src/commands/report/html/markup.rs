//! Pieces of HTML. Whatever comes from a log goes through [`escaped`].

use std::fmt::Write as _;

use crate::units::{self, printable};

/// Text that means itself, as content and as the value of an attribute. Control characters are written out, so that no
/// text of a log can turn the page around.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text, usize::MAX).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A count with its thousands apart.
pub(super) fn count(n: u64) -> String {
    spaced(&units::count(n))
}

/// A text whose counts have their thousands apart by narrow spaces, not in the way of code.
pub(super) fn spaced(text: &str) -> String {
    text.replace('_', "\u{202f}")
}

/// A table: titles, then rows. The first column holds names, the others figures.
pub(super) struct Table {
    html: String,
    titles: Vec<String>,
    is_stacking: bool,
}

impl Table {
    pub(super) fn new(caption: &str, titles: &[&str]) -> Self {
        let mut html = format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption>{0}</caption><thead><tr>",
            escaped(caption)
        );
        for title in titles {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(title));
        }
        html.push_str("</tr></thead><tbody>\n");
        Self { html, titles: titles.iter().map(|title| escaped(title)).collect(), is_stacking: false }
    }

    /// On a narrow screen, each row is to be a block in which each figure has its title.
    pub(super) fn stacking(mut self) -> Self {
        self.is_stacking = true;
        self.html = self.html.replacen("<table>", "<table class=\"stacking\">", 1);
        self
    }

    /// Adds a row whose first cell is a name from the log.
    pub(super) fn row(&mut self, name: &str, figures: impl IntoIterator<Item = String>) {
        self.row_html(&escaped(name), figures);
    }

    /// Adds a row whose first cell is a key.
    pub(super) fn key_row(&mut self, key: &str, figures: impl IntoIterator<Item = String>) {
        self.row_html(&format!("<code>{}</code>", escaped(key)), figures);
    }

    /// Adds a row whose first cell is this markup.
    pub(super) fn row_html(&mut self, name: &str, figures: impl IntoIterator<Item = String>) {
        let _ = write!(self.html, "<tr><th scope=\"row\">{name}</th>");
        let mut figures = figures.into_iter();
        for title in &self.titles[1..] {
            let figure = figures.next().unwrap_or_default();
            let label = if self.is_stacking { format!(" data-title=\"{title}\"") } else { String::new() };
            let _ = write!(self.html, "<td{label}>{}</td>", escaped(&figure));
        }
        self.html.push_str("</tr>\n");
    }

    pub(super) fn finish(self) -> String {
        self.html + "</tbody></table></div>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            escaped("<script>alert('x' & \"y\")</script>"),
            "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;"
        );
        assert_eq!(escaped("a\u{0}\u{202e}b"), "a\\u{0}\\u{202e}b");
    }

    #[test]
    fn every_row_has_a_cell_for_each_title() {
        let mut table = Table::new("T", &["key", "a", "b"]);
        table.row("k", ["1".to_owned()]);
        assert_eq!(table.finish().matches("<td>").count(), 2);
    }
}
