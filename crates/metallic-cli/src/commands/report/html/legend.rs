//! Which colour is what.

use std::fmt::Write as _;

use super::ink::Ink;
use super::markup::escaped;

/// A list of colours and names.
pub(super) fn legend<'a>(entries: impl IntoIterator<Item = (&'a str, Ink)>) -> String {
    let mut html = "<ul class=\"legend\">".to_owned();
    for (name, ink) in entries {
        let _ = write!(html, "<li>{}{}</li>", swatch(ink), escaped(name));
    }
    html + "</ul>\n"
}

/// A small area of the colour.
pub(super) fn swatch(ink: Ink) -> String {
    format!("<i class=\"swatch {}\" aria-hidden=\"true\"></i>", ink.class())
}
