//! Prose for the terminal.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::terminal::look;

/// Longer lines are not read at once, however wide the terminal is.
const WIDTH: usize = 80;

/// Writes a text behind a head, broken at spaces to fit the terminal, and 80 columns at most; the lines after the first begin
/// below the first one's text. A word that is longer is not broken, and an empty text is no line.
///
/// # Errors
/// The writer's.
pub(crate) fn write_wrapped(out: &mut dyn Write, head: &str, text: &str) -> io::Result<()> {
    write_wrapped_in(out, look().columns.min(WIDTH), head, text)
}

/// [`write_wrapped`] into this number of columns.
///
/// # Errors
/// The writer's.
pub(crate) fn write_wrapped_in(
    out: &mut dyn Write,
    columns: usize,
    head: &str,
    text: &str,
) -> io::Result<()> {
    let indent = head.width();
    let mut line = head.to_owned();
    let mut width = indent;
    for word in text.split_whitespace() {
        let length = word.width();
        if width > indent && width + 1 + length > columns {
            writeln!(out, "{line}")?;
            line = " ".repeat(indent);
            width = indent;
        }
        if width > indent {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += length;
    }
    if width > indent { writeln!(out, "{line}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::write_wrapped;

    #[test]
    fn lines_are_broken_at_spaces_and_begin_below_each_other() {
        let wrapped = |head, text: &str| {
            let mut out = Vec::new();
            write_wrapped(&mut out, head, text).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(wrapped("a: ", "some words"), "a: some words\n");
        assert_eq!(wrapped("a: ", ""), "");
        let (word, long) = ("x".repeat(38), "y".repeat(200));
        assert_eq!(
            wrapped("a: ", &format!("{word} {word} {word}")),
            format!("a: {word} {word}\n   {word}\n")
        );
        assert_eq!(wrapped("a: ", &format!("{long} z")), format!("a: {long}\n   z\n"));
        assert_eq!(wrapped("", &format!("{} bc", "a".repeat(77))), format!("{} bc\n", "a".repeat(77)));
    }
}
